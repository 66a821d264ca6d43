// The PROXY header, cut at every byte.

#include "proto/http/proxy_header.h"

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "proto/http/limits.h"

namespace uproar::http {
namespace {

// What the parser said about a stream in pieces: whom it names and what it left.
std::string verdict(const std::vector<std::string_view>& pieces) {
  ProxyHeaderParser parser;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    // On the heap in its exact size, so that a read beyond is caught.
    const auto block = std::make_unique<std::byte[]>(pieces[i].size());
    if (!pieces[i].empty()) std::memcpy(block.get(), pieces[i].data(), pieces[i].size());
    const auto step = parser.step({block.get(), pieces[i].size()});
    if (step.status == ProxyHeaderParser::Status::kError) return "error";
    if (step.status == ProxyHeaderParser::Status::kNeedMore) {
      EXPECT_EQ(step.consumed, pieces[i].size());
      continue;
    }
    std::string rest(pieces[i].substr(step.consumed));
    for (std::size_t later = i + 1; later < pieces.size(); ++later) rest += pieces[later];
    return (parser.source() ? parser.source()->text() : "nobody") + "|" + rest;
  }
  return "more";
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

// A header of version 2.
std::string binary(int version_and_command, int family, const std::string& rest) {
  return kSignature +
         bytes({version_and_command, family, static_cast<int>(rest.size() >> 8U),
                static_cast<int>(rest.size() & 0xFFU)}) +
         rest;
}

const std::string kV4 = bytes({203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 0x1F, 0x90});
const std::string kV6 = bytes({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}) +
                        bytes({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}) +
                        bytes({0x12, 0x67, 0x1F, 0x90});
const std::string kMappedV4 = std::string(10, '\0') + bytes({0xFF, 0xFF, 203, 0, 113, 7}) +
                              std::string(16, '\0') + bytes({0, 1, 0, 2});
const std::string kTlvs = bytes({0x03, 0, 4, 1, 2, 3, 4, 0x04, 0, 0, 0x20, 0, 2, 'x', 'y'});

struct Row {
  std::string name;
  std::string input;
  std::string verdict;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"v1", "PROXY TCP4 203.0.113.7 10.0.0.1 4711 8080\r\n", "203.0.113.7|"},
      {"v1, bytes follow", "PROXY TCP4 203.0.113.7 10.0.0.1 4711 8080\r\nGET /",
       "203.0.113.7|GET /"},
      {"v1 over IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 4711 8080\r\n\r\n", "2001:db8::1|\r\n"},
      {"v1, mapped", "PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", "203.0.113.7|"},
      {"v1, longest",
       "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n.",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff|."},
      {"v1, unknown", "PROXY UNKNOWN\r\nGET", "nobody|GET"},
      {"v1, unknown with words", "PROXY UNKNOWN 1.2.3.4 whatever 1\r\nGET", "nobody|GET"},
      {"v1, unknown of full length", "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n.", "nobody|."},
      {"v1, too long", "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", "error"},
      {"v1, no end", "PROXY " + std::string(200, 'x'), "error"},
      {"v1, address of nobody", "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "nobody|"},
      {"v1, families mixed", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "error"},
      {"v1, lower case", "proxy TCP4 203.0.113.7 10.0.0.1 1 2\r\n", "error"},
      {"v1, other protocol", "PROXY UDP4 203.0.113.7 10.0.0.1 1 2\r\n", "error"},
      {"v1, no address", "PROXY TCP4 \r\n", "error"},
      {"v1, one address", "PROXY TCP4 203.0.113.7 1 2\r\n", "error"},
      {"v1, a name", "PROXY TCP4 localhost 10.0.0.1 1 2\r\n", "error"},
      {"v1, port too big", "PROXY TCP4 203.0.113.7 10.0.0.1 65536 2\r\n", "error"},
      {"v1, port missing", "PROXY TCP4 203.0.113.7 10.0.0.1 1\r\n", "error"},
      {"v1, a word too many", "PROXY TCP4 203.0.113.7 10.0.0.1 1 2 3\r\n", "error"},
      {"v1, two spaces", "PROXY TCP4  203.0.113.7 10.0.0.1 1 2\r\n", "error"},
      {"v1, bare LF", "PROXY TCP4 203.0.113.7 10.0.0.1 1 2\n", "error"},
      {"v1, bare CR", "PROXY UNKNOWN \r x\r\n", "error"},
      {"v1, cut", "PROXY TCP4 203.0.113.7", "more"},

      {"v2", binary(0x21, 0x11, kV4), "203.0.113.7|"},
      {"v2, bytes follow", binary(0x21, 0x11, kV4) + "GET /", "203.0.113.7|GET /"},
      {"v2 over IPv6", binary(0x21, 0x21, kV6) + "x", "2001:db8::1|x"},
      {"v2, mapped", binary(0x21, 0x21, kMappedV4), "203.0.113.7|"},
      {"v2, TLVs", binary(0x21, 0x11, kV4 + kTlvs) + "GET", "203.0.113.7|GET"},
      {"v2 over IPv6, TLVs", binary(0x21, 0x21, kV6 + kTlvs) + "GET", "2001:db8::1|GET"},
      {"v2, longest",
       binary(0x21, 0x11, kV4 + std::string(kProxyHeaderRestBytesMax - 12, 'x')) + ".",
       "203.0.113.7|."},
      {"v2, too long", binary(0x21, 0x11, kV4 + std::string(kProxyHeaderRestBytesMax - 11, 'x')),
       "error"},
      {"v2, local", binary(0x20, 0x00, "") + "GET", "nobody|GET"},
      {"v2, local with addresses", binary(0x20, 0x11, kV4) + "GET", "nobody|GET"},
      {"v2, local with TLVs", binary(0x20, 0x00, kTlvs) + "GET", "nobody|GET"},
      {"v2, local, unknown family", binary(0x20, 0x77, "") + "GET", "nobody|GET"},
      {"v2, unspecified", binary(0x21, 0x00, "") + "GET", "nobody|GET"},
      {"v2, unspecified with TLVs", binary(0x21, 0x00, kTlvs) + "GET", "nobody|GET"},
      {"v2, Unix socket", binary(0x21, 0x31, std::string(216, 'p')) + "GET", "nobody|GET"},
      {"v2, address of nobody", binary(0x21, 0x21, std::string(36, '\0')), "nobody|"},
      {"v2, Unix socket too short", binary(0x21, 0x31, std::string(215, 'p')), "error"},
      {"v2, addresses too short", binary(0x21, 0x11, kV4.substr(1)), "error"},
      {"v2, IPv6 addresses too short", binary(0x21, 0x21, kV4), "error"},
      {"v2, datagrams", binary(0x21, 0x12, kV4), "error"},
      {"v2, other family", binary(0x21, 0x41, kV4), "error"},
      {"v2, other command", binary(0x22, 0x11, kV4), "error"},
      {"version 1 in binary", binary(0x11, 0x11, kV4), "error"},
      {"version 3", binary(0x31, 0x11, kV4), "error"},
      {"v2, cut", binary(0x21, 0x11, kV4).substr(0, 27), "more"},
      {"v2, cut in TLVs", binary(0x21, 0x11, kV4 + kTlvs).substr(0, 40), "more"},

      {"nothing", "", "more"},
      {"a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "error"},
      {"TLS", bytes({0x16, 0x03, 0x01}), "error"},
      {"a method like it", "PROXYX / HTTP/1.1\r\n", "error"},
      {"a signature like it", std::string("\r\n\r\n\0\r\nQUIX\n", 12), "error"},
      {"empty lines", "\r\n\r\n\r\n", "error"},
  };
  return table;
}

TEST(ProxyHeader, SaysTheSameAtEveryCut) {
  for (const Row& row : rows()) {
    const std::string_view input = row.input;
    EXPECT_EQ(verdict({input}), row.verdict) << row.name;
    for (std::size_t cut = 1; cut < input.size(); ++cut)
      ASSERT_EQ(verdict({input.substr(0, cut), input.substr(cut)}), row.verdict)
          << row.name << " cut at " << cut;
    std::vector<std::string_view> one_by_one;
    for (std::size_t i = 0; i < input.size(); ++i) one_by_one.push_back(input.substr(i, 1));
    EXPECT_EQ(verdict(one_by_one), row.verdict) << row.name << ", byte by byte";
  }
}

TEST(ProxyHeader, WhatIsNoneIsKnownAtItsFirstWrongByte) {
  ProxyHeaderParser parser;
  const auto step = parser.step(as_bytes("G"));
  EXPECT_EQ(step.status, ProxyHeaderParser::Status::kError);
}

}  // namespace
}  // namespace uproar::http
