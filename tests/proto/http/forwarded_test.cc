// Whom trusted proxies name. Trusted are 10.0.0.0/8 and 2001:db8:aaaa::/48; 10.0.0.1 is who sent us the request.

#include "proto/http/forwarded.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/http/limits.h"

namespace uproar::http {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string verdict(const Lines& lines) {
  static const std::vector<IpNetwork> trusted = {IpNetwork::parse("10.0.0.0/8").value(),
                                                 IpNetwork::parse("2001:db8:aaaa::/48").value()};
  std::string text;
  for (const auto& line : lines) text += line.first + ": " + line.second + "\r\n";
  const auto client = forwarded_client(Headers(text), *IpAddress::parse("10.0.0.1"), trusted);
  if (client.ok()) return client->text();
  switch (client.error()) {
    case ForwardedError::kMalformed:
      return "malformed";
    case ForwardedError::kTooLong:
      return "too long";
    case ForwardedError::kConflict:
      return "conflict";
  }
  return "?";
}

struct Row {
  std::string value;
  std::string client;
};

void expect_all(const std::string& name, const std::vector<Row>& rows) {
  for (const Row& row : rows) EXPECT_EQ(verdict({{name, row.value}}), row.client) << row.value;
}

TEST(Forwarded, WithoutAHeaderTheProxyItselfIsMeant) {
  EXPECT_EQ(verdict({}), "10.0.0.1");
  EXPECT_EQ(verdict({{"X-Forwarded-For", ""}, {"Forwarded", " , "}}), "10.0.0.1");
  EXPECT_EQ(verdict({{"X-Forwarded-Host", "203.0.113.7"}, {"X-Real-IP", "203.0.113.7"}}),
            "10.0.0.1");
}

TEST(Forwarded, OfXForwardedForTheRightmostThatIsNotTrusted) {
  expect_all(
      "X-Forwarded-For",
      {
          {"203.0.113.7", "203.0.113.7"},
          {"198.51.100.1, 203.0.113.7", "203.0.113.7"},
          {"198.51.100.1, 203.0.113.7, 10.0.0.2, 10.9.9.9", "203.0.113.7"},
          {"203.0.113.7,10.0.0.2", "203.0.113.7"},
          {"10.0.0.3, 10.0.0.2", "10.0.0.3"},  // all are trusted: the farthest
          {"203.0.113.7, , ,", "203.0.113.7"},
          {"\t203.0.113.7\t,\t10.0.0.2", "203.0.113.7"},
          {"203.0.113.7:4711", "203.0.113.7"},
          {"::ffff:203.0.113.7", "203.0.113.7"},
          {"2001:db8::1", "2001:db8::1"},
          {"[2001:db8::1]", "2001:db8::1"},
          {"[2001:db8::1]:443", "2001:db8::1"},
          {"203.0.113.7, 2001:db8:aaaa::9", "203.0.113.7"},
          // Nobody is named: the proxy that said so.
          {"unknown", "10.0.0.1"},
          {"203.0.113.7, unknown", "10.0.0.1"},
          {"203.0.113.7, Unknown, 10.0.0.2", "10.0.0.2"},
          {"203.0.113.7, _secret", "10.0.0.1"},
          {"0.0.0.0", "10.0.0.1"},
          {"::", "10.0.0.1"},
          // What a client sent stands to the left of what the proxy says of it, and changes nothing.
          {"garbage, 203.0.113.7", "203.0.113.7"},
          {"\"open quote, 203.0.113.7", "203.0.113.7"},
          {"for=1.2.3.4;, <script>, 203.0.113.7", "203.0.113.7"},
          {"10.0.0.9, 203.0.113.7", "203.0.113.7"},
          {std::string(3000, ','), "10.0.0.1"},
          {std::string(3000, 'x') + ",203.0.113.7", "203.0.113.7"},
          // What the proxy itself sent.
          {"garbage", "malformed"},
          {"203.0.113.7, garbage", "malformed"},
          {"203.0.113.7, garbage, 10.0.0.2", "malformed"},
          {"203.0.113.7 10.0.0.2", "malformed"},
          {"203.0.113.7:", "malformed"},
          {"203.0.113.7:65536", "malformed"},
          {"203.0.113.7:port", "malformed"},
          {"[203.0.113.7]", "malformed"},
          {"[2001:db8::1", "malformed"},
          {"[2001:db8::1]443", "malformed"},
          {"fe80::1%eth0", "malformed"},
          {"_", "malformed"},
          {"\"203.0.113.7\"", "malformed"},
      });
}

TEST(Forwarded, OfForwardedTheSameByItsForParameter) {
  expect_all("Forwarded",
             {
                 {"for=203.0.113.7", "203.0.113.7"},
                 {"For=203.0.113.7;proto=https;by=10.0.0.2", "203.0.113.7"},
                 {"proto=http; for=203.0.113.7 ;host=chat.example.com", "203.0.113.7"},
                 {"for=198.51.100.1, for=203.0.113.7, for=10.0.0.2", "203.0.113.7"},
                 {R"(for="203.0.113.7:4711")", "203.0.113.7"},
                 {R"(for="[2001:db8::1]")", "2001:db8::1"},
                 {R"(for="[2001:db8::1]:4711";proto=http)", "2001:db8::1"},
                 {R"(for="\[2001:db8::\1\]")", "2001:db8::1"},
                 {"for=203.0.113.7:4711", "203.0.113.7"},  // without the quotes that it wants
                 {"for=[2001:db8::1]:4711", "2001:db8::1"},
                 {R"(host="a,b;for=198.51.100.1";for=203.0.113.7)", "203.0.113.7"},
                 {R"(host="\"";for=203.0.113.7)", "203.0.113.7"},
                 {R"(host="\\";for=203.0.113.7)", "203.0.113.7"},
                 {";for=203.0.113.7;", "203.0.113.7"},
                 // Nobody is named.
                 {"for=unknown", "10.0.0.1"},
                 {"for=_hidden, for=10.0.0.2", "10.0.0.2"},
                 {R"(for="_hidden:_port")", "10.0.0.1"},
                 {R"(for="unknown:80")", "10.0.0.1"},
                 {"for=203.0.113.7, proto=https", "10.0.0.1"},
                 // What a client sent.
                 {"garbage, for=203.0.113.7", "203.0.113.7"},
                 {R"(for="open, for=203.0.113.7)", "203.0.113.7"},
                 {R"(for="open\", for=203.0.113.7)", "203.0.113.7"},
                 {R"(", for="[2001:db8::1]")", "2001:db8::1"},
                 {R"(for="198.51.100.1, for="[2001:db8::1]";host="x")", "2001:db8::1"},
                 // What the proxy itself sent.
                 {"203.0.113.7", "malformed"},
                 {"for", "malformed"},
                 {"for=", "malformed"},
                 {"for =203.0.113.7", "malformed"},
                 {"for= 203.0.113.7", "malformed"},
                 {"for=203.0.113.7;for=198.51.100.1", "malformed"},
                 {R"(for="203.0.113.7)", "malformed"},
                 {R"(for=203.0.113.7")", "malformed"},
                 {R"(for="203.0.113.7\")", "malformed"},
                 {R"(for="203.0.113.7"x)", "malformed"},
                 {R"(for="a""b")", "malformed"},
                 {R"(for="")", "malformed"},
                 {"for=\"" + std::string(65, 'x') + "\"", "malformed"},
                 {"for=garbage", "malformed"},
                 {"=203.0.113.7;for=203.0.113.7", "malformed"},
             });
}

TEST(Forwarded, LinesOfOneNameAreOneListInTheirOrder) {
  EXPECT_EQ(verdict({{"X-Forwarded-For", "198.51.100.1"}, {"x-forwarded-for", "203.0.113.7"}}),
            "203.0.113.7");
  EXPECT_EQ(verdict({{"Forwarded", "for=198.51.100.1"},
                     {"Host", "a"},
                     {"FORWARDED", "for=203.0.113.7"},
                     {"Forwarded", "for=10.0.0.2"}}),
            "203.0.113.7");
}

TEST(Forwarded, BothHeadersMustMeanTheSameClient) {
  EXPECT_EQ(
      verdict({{"Forwarded", "for=203.0.113.7"}, {"X-Forwarded-For", "1.2.3.4, 203.0.113.7"}}),
      "203.0.113.7");
  // A proxy that appends to one of them passes the other on as the client wrote it.
  EXPECT_EQ(verdict({{"Forwarded", "for=198.51.100.1"}, {"X-Forwarded-For", "203.0.113.7"}}),
            "conflict");
  EXPECT_EQ(verdict({{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=203.0.113.7"}}),
            "conflict");
  EXPECT_EQ(verdict({{"Forwarded", "for=unknown"}, {"X-Forwarded-For", "203.0.113.7"}}),
            "conflict");
  EXPECT_EQ(verdict({{"Forwarded", "garbage"}, {"X-Forwarded-For", "203.0.113.7"}}), "malformed");
}

TEST(Forwarded, LinesAndTrustedHopsAreBounded) {
  Lines lines;
  for (std::size_t i = 0; i < kForwardedLinesMax; ++i)
    lines.emplace_back("X-Forwarded-For", "203.0.113.7");
  EXPECT_EQ(verdict(lines), "203.0.113.7");
  lines.emplace_back("X-Forwarded-For", "203.0.113.7");
  EXPECT_EQ(verdict(lines), "too long");

  std::string hops = "203.0.113.7";
  for (std::size_t i = 1; i < kForwardedHopsMax; ++i) hops += ", 10.0.0.2";
  EXPECT_EQ(verdict({{"X-Forwarded-For", hops}}), "203.0.113.7");
  EXPECT_EQ(verdict({{"X-Forwarded-For", hops + ", 10.0.0.2"}}), "too long");
}

}  // namespace
}  // namespace uproar::http
