// Forwarded and X-Forwarded-For: whatever a client sends, the proxy has the last word, and a list says the same however it
// is dealt out to lines.
//
// Input: [header 1] lines. The first byte says which header; each line of the rest is one of its field lines.

#include "proto/http/forwarded.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/check.h"
#include "proto/http/chars.h"
#include "proto/http/limits.h"

namespace uproar::http {
namespace {

const IpAddress kPeer = *IpAddress::parse("10.0.0.1");
const std::vector<IpNetwork> kTrusted = {IpNetwork::parse("10.0.0.0/8").value(),
                                         IpNetwork::parse("2001:db8:aaaa::/48").value()};

// What is said about lines of the header.
std::string verdict(std::string_view name, const std::vector<std::string>& values) {
  std::string lines;
  for (const std::string& value : values)
    lines.append(name).append(": ").append(value).append("\r\n");
  const auto client = forwarded_client(Headers(lines), kPeer, kTrusted);
  if (!client.ok()) return "error " + std::to_string(static_cast<int>(client.error()));
  UPROAR_CHECK(*client == kPeer || !client->is_unspecified());
  return client->text();
}

// What a proxy makes of the lines that it was sent by `client`: one more element, or one more line.
void check_last_word(std::string_view name, const std::vector<std::string>& values,
                     const std::string& element, std::string_view client) {
  if (values.size() >= kForwardedLinesMax) return;
  std::vector<std::string> appended = values;
  appended.push_back(element);
  UPROAR_CHECK(verdict(name, appended) == client);
  if (values.empty()) return;
  appended = values;
  appended.back() += ", " + element;
  UPROAR_CHECK(verdict(name, appended) == client);
  appended.back() += element.find('=') == std::string::npos ? ", 10.0.0.2" : ",for=10.0.0.2";
  UPROAR_CHECK(verdict(name, appended) == client);
}

}  // namespace
}  // namespace uproar::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar::http;
  if (size < 1) return 0;
  const bool is_standard = data[0] % 2 == 0;
  const std::string_view name = is_standard ? "Forwarded" : "X-Forwarded-For";
  std::vector<std::string> values;
  for (std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1); !rest.empty();) {
    const std::string_view value = trimmed(split_off(rest, '\n'));
    if (is_field_value(value))
      values.emplace_back(value);  // the parser of requests lets no other pass
  }
  const std::string whole = verdict(name, values);

  // One list, one line for each of its elements.
  std::vector<std::string> dealt;
  bool has_quotes = false;
  for (const std::string& value : values) {
    has_quotes = has_quotes || value.find('"') != std::string::npos;
    std::string_view rest = value;
    do dealt.emplace_back(trimmed(split_off(rest, ',')));
    while (!rest.empty());
  }
  const bool has_commas_between = !is_standard || !has_quotes;
  if (has_commas_between && dealt.size() <= kForwardedLinesMax &&
      values.size() <= kForwardedLinesMax)
    UPROAR_CHECK(verdict(name, dealt) == whole);

  if (is_standard) {
    check_last_word(name, values, "for=203.0.113.7", "203.0.113.7");
    check_last_word(name, values, R"(by=_x;for="[2001:db8::1]:4711";proto=https)", "2001:db8::1");
  } else {
    check_last_word(name, values, "203.0.113.7", "203.0.113.7");
    check_last_word(name, values, "2001:db8::1", "2001:db8::1");
  }
  return 0;
}
