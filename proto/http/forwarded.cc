#include "proto/http/forwarded.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "proto/base/parse_number.h"
#include "proto/http/chars.h"
#include "proto/http/limits.h"

namespace uproar::http {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// One element of a list.
struct Hop {
  enum class Kind : std::uint8_t { kAddress, kHidden, kMalformed };
  Kind kind = Kind::kMalformed;
  IpAddress address;
};
constexpr Hop kMalformedHop{.kind = Hop::Kind::kMalformed, .address = {}};
constexpr Hop kHiddenHop{.kind = Hop::Kind::kHidden, .address = {}};

Hop hop_of(const std::optional<IpAddress>& address) {
  if (!address) return kMalformedHop;
  if (address->is_unspecified()) return kHiddenHop;
  return {.kind = Hop::Kind::kAddress, .address = *address};
}

// "_name" of RFC 7239 §6.3.
bool is_obfuscated(std::string_view text) {
  return text.size() > 1 && text.front() == '_' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_in(c, kTokenChar) && std::string_view("!#$%&'*+^`|~").find(c) == kNone;
         });
}

bool is_port(std::string_view text) {
  return parse_number<std::uint16_t>(text).has_value() || is_obfuscated(text);
}

// A node of RFC 7239 §6; besides what that allows, an IPv6 address without brackets, as X-Forwarded-For has it.
Hop parse_node(std::string_view text) {
  if (const auto bare = IpAddress::parse(text)) return hop_of(bare);
  std::string_view name = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == kNone) return kMalformedHop;
    name = text.substr(1, bracket - 1);
    if (name.find(':') == kNone) return kMalformedHop;
    const std::string_view rest = text.substr(bracket + 1);
    has_port = !rest.empty();
    if (has_port && rest.front() != ':') return kMalformedHop;
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != kNone;
    name = text.substr(0, colon);
    if (has_port) port = text.substr(colon + 1);
  }
  if (has_port && !is_port(port)) return kMalformedHop;
  if (equals_ignoring_case(name, "unknown") || is_obfuscated(name)) return kHiddenHop;
  return hop_of(IpAddress::parse(name));
}

// Whether the character at `at` stands behind an odd number of backslashes.
bool is_escaped(std::string_view text, std::size_t at) {
  std::size_t backslashes = 0;
  while (backslashes < at && text[at - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

// Where the quoted-string that ends at `closing` begins; kNone when it does not.
std::size_t opening_quote(std::string_view text, std::size_t closing) {
  if (is_escaped(text, closing)) return kNone;
  for (std::size_t i = closing; i > 0;) {
    --i;
    if (text[i] == '"' && !is_escaped(text, i)) return i;
  }
  return kNone;
}

// Takes the part after the last separator that is in no quoted-string; the list keeps what stands before it. Read from
// the end, so that nothing to the left can change it: an open quote there is closed by no quote here. nullopt: quotes
// that do not pair.
std::optional<std::string_view> split_off_last(std::string_view& list, char separator) {
  std::size_t begin = list.size();
  while (begin > 0 && list[begin - 1] != separator) {
    --begin;
    if (list[begin] != '"') continue;
    begin = opening_quote(list, begin);
    if (begin == kNone) return std::nullopt;
  }
  const std::string_view part = list.substr(begin);
  list = list.substr(0, begin == 0 ? 0 : begin - 1);
  return part;
}

// A value as it is meant: a quoted-string without its quotes and escapes. Lives in `buffer` then. nullopt: too long for
// any node, or neither token nor quoted-string. Ports and brackets are let pass without quotes, as several proxies send
// them.
using NodeBuffer = std::array<char, 64>;
std::optional<std::string_view> unquoted(std::string_view value, NodeBuffer& buffer) {
  if (!value.starts_with('"')) {
    const bool is_bare = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
      return is_in(c, kTokenChar) || c == ':' || c == '[' || c == ']';
    });
    return is_bare ? std::optional(value) : std::nullopt;
  }
  if (value.size() < 2 || !value.ends_with('"')) return std::nullopt;
  if (opening_quote(value, value.size() - 1) != 0) return std::nullopt;
  value = value.substr(1, value.size() - 2);
  std::size_t size = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\') ++i;
    if (size == buffer.size()) return std::nullopt;
    buffer[size++] = value[i];
  }
  return std::string_view(buffer.data(), size);
}

// forwarded-element of RFC 7239 §4: name=value pairs between semicolons, of which "for" is asked.
Hop parse_element(std::string_view element) {
  Hop found = kHiddenHop;
  bool has_for = false;
  while (!element.empty()) {
    const auto part = split_off_last(element, ';');
    if (!part) return kMalformedHop;
    const std::string_view pair = trimmed(*part);
    if (pair.empty()) continue;
    const std::size_t sign = pair.find('=');
    if (sign == kNone || !is_token(pair.substr(0, sign))) return kMalformedHop;
    if (!equals_ignoring_case(pair.substr(0, sign), "for")) continue;
    if (std::exchange(has_for, true)) return kMalformedHop;  // two readers would differ on it
    NodeBuffer buffer{};
    const auto value = unquoted(pair.substr(sign + 1), buffer);
    found = value ? parse_node(*value) : kMalformedHop;
  }
  return found;
}

Hop parse_x_forwarded(std::string_view element) {
  return parse_node(element);
}

std::optional<std::string_view> split_at_last_comma(std::string_view& list, char separator) {
  const std::size_t at = list.rfind(separator);
  const std::string_view part = at == kNone ? list : list.substr(at + 1);
  list = list.substr(0, at == kNone ? 0 : at);
  return part;
}

// The one of the two headers.
struct Dialect {
  std::string_view name;
  std::optional<std::string_view> (*split_off)(std::string_view& list, char separator);
  Hop (*parse)(std::string_view element);
};
constexpr Dialect kForwarded{"Forwarded", split_off_last, parse_element};
constexpr Dialect kXForwardedFor{"X-Forwarded-For", split_at_last_comma, parse_x_forwarded};

// Whom the header names; nullopt when it is not there, or empty.
Result<std::optional<IpAddress>, ForwardedError> client_of(const Dialect& dialect,
                                                           const Headers& headers,
                                                           const IpAddress& peer,
                                                           std::span<const IpNetwork> trusted) {
  std::array<std::string_view, kForwardedLinesMax> lines;
  std::size_t count = 0;
  for (const Header header : headers) {
    if (!equals_ignoring_case(header.name, dialect.name)) continue;
    if (count == lines.size()) return Err{ForwardedError::kTooLong};
    lines[count++] = header.value;
  }
  std::optional<IpAddress> client;
  std::size_t hops = 0;
  while (count > 0) {
    std::string_view list = lines[--count];
    while (!list.empty()) {
      const auto part = dialect.split_off(list, ',');
      if (!part) return Err{ForwardedError::kMalformed};
      const std::string_view element = trimmed(*part);
      if (element.empty()) continue;  // RFC 9110 §5.6.1
      if (hops++ == kForwardedHopsMax) return Err{ForwardedError::kTooLong};
      const Hop hop = dialect.parse(element);
      if (hop.kind == Hop::Kind::kMalformed) return Err{ForwardedError::kMalformed};
      if (hop.kind == Hop::Kind::kHidden) return client ? client : std::optional(peer);
      client = hop.address;
      if (!is_in(trusted, *client)) return client;
    }
  }
  return client;
}

}  // namespace

std::string_view forwarded_error_text(ForwardedError error) {
  switch (error) {
    case ForwardedError::kMalformed:
      return "Forwarded or X-Forwarded-For, as the proxy sent it, names no address";
    case ForwardedError::kTooLong:
      return "Forwarded or X-Forwarded-For names too many proxies";
    case ForwardedError::kConflict:
      return "Forwarded and X-Forwarded-For name different clients: the proxy must remove the one "
             "that it does not write";
  }
  return {};
}

Result<IpAddress, ForwardedError> forwarded_client(const Headers& headers, const IpAddress& peer,
                                                   std::span<const IpNetwork> trusted) {
  const auto standard = client_of(kForwarded, headers, peer, trusted);
  if (!standard.ok()) return Err{standard.error()};
  const auto usual = client_of(kXForwardedFor, headers, peer, trusted);
  if (!usual.ok()) return Err{usual.error()};
  if (standard.value() && usual.value() && standard.value() != usual.value())
    return Err{ForwardedError::kConflict};
  if (standard.value()) return *standard.value();
  return usual.value().value_or(peer);
}

}  // namespace uproar::http
