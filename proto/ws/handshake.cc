#include "proto/ws/handshake.h"

#include <algorithm>
#include <iterator>

#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/crypto/base64.h"
#include "proto/crypto/digest.h"

namespace uproar::ws {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// `lowered` is written in lower case.
bool same(std::string_view text, std::string_view lowered) {
  return text.size() == lowered.size() && std::equal(text.begin(), text.end(), lowered.begin(),
                                                     [](char a, char b) { return lower(a) == b; });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Next element of a comma-separated list; `rest` moves behind it.
std::string_view next_element(std::string_view& rest) {
  const auto comma = rest.find(',');
  const std::string_view element = trimmed(rest.substr(0, comma));
  rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  return element;
}

bool lists(std::string_view value, std::string_view lowered) {
  while (!value.empty()) {
    if (same(next_element(value), lowered)) return true;
  }
  return false;
}

bool is_base64_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

// Base64 of 16 bytes is 22 characters and "==". The unused bits of the 22nd are not looked at: the
// key is no secret, and clients that fill them are in use.
bool is_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, is_base64_char);
}

void count(std::uint8_t& counter) {
  if (counter < 2) ++counter;
}

void keep(std::array<std::string_view, kHandshakeListLinesMax>& lines, std::uint8_t& used,
          std::string_view value) {
  if (used < lines.size()) lines[used++] = value;
}

struct Row {
  HandshakeError error;
  HandshakeRefusal refusal;
};

using enum HandshakeError;

constexpr Row kTable[] = {
    {kNone, {101, "", ""}},
    {kMethodNotGet, {405, "a WebSocket handshake is a GET", "Allow: GET"}},
    {kHttpVersionTooLow, {400, "a WebSocket handshake needs HTTP/1.1", ""}},
    {kHostMissing, {400, "Host is missing", ""}},
    {kHostRepeated, {400, "Host is repeated", ""}},
    {kUpgradeMissing, {426, "Upgrade: websocket is missing", "Upgrade: websocket"}},
    {kConnectionMissing, {400, "Connection: Upgrade is missing", ""}},
    {kVersionNot13, {426, "Sec-WebSocket-Version must be 13", "Sec-WebSocket-Version: 13"}},
    {kVersionRepeated, {400, "Sec-WebSocket-Version is repeated", ""}},
    {kKeyMissing, {400, "Sec-WebSocket-Key is missing", ""}},
    {kKeyRepeated, {400, "Sec-WebSocket-Key is repeated", ""}},
    {kKeyInvalid, {400, "Sec-WebSocket-Key is not 16 bytes in base64", ""}},
    {kHasBody, {400, "a WebSocket handshake may not have a body", ""}},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kTable); ++i) {
    if (static_cast<std::size_t>(kTable[i].error) != i) return false;
  }
  return std::size(kTable) == static_cast<std::size_t>(kLast) + 1;
}
static_assert(in_order(), "a row is found by its number");

}  // namespace

HandshakeRefusal refusal(HandshakeError error) {
  UPROAR_CHECK(error != kNone);
  return kTable[static_cast<std::size_t>(error)].refusal;
}

HandshakeRequest::HandshakeRequest(std::string_view method, int version_major, int version_minor)
    : get_(method == "GET"),
      http_1_1_(version_major > 1 || (version_major == 1 && version_minor >= 1)) {}

void HandshakeRequest::add_header(std::string_view name, std::string_view value) {
  if (same(name, "host")) {
    count(host_count_);
  } else if (same(name, "upgrade")) {
    upgrade_websocket_ = upgrade_websocket_ || lists(value, "websocket");
  } else if (same(name, "connection")) {
    connection_upgrade_ = connection_upgrade_ || lists(value, "upgrade");
  } else if (same(name, "sec-websocket-key")) {
    count(key_count_);
    key_ = value;
  } else if (same(name, "sec-websocket-version")) {
    count(version_count_);
    version_ = value;
  } else if (same(name, "sec-websocket-extensions")) {
    keep(extensions_, extension_lines_, value);
  } else if (same(name, "content-length")) {
    has_body_ = has_body_ || value.find_first_not_of('0') != std::string_view::npos;
  } else if (same(name, "transfer-encoding")) {
    has_body_ = true;
  }
}

HandshakeError HandshakeRequest::check() const {
  if (!get_) return kMethodNotGet;
  if (!http_1_1_) return kHttpVersionTooLow;
  if (host_count_ == 0) return kHostMissing;
  if (host_count_ > 1) return kHostRepeated;
  if (!upgrade_websocket_) return kUpgradeMissing;
  if (!connection_upgrade_) return kConnectionMissing;
  if (version_count_ > 1) return kVersionRepeated;
  if (version_ != "13") return kVersionNot13;
  if (key_count_ == 0) return kKeyMissing;
  if (key_count_ > 1) return kKeyRepeated;
  if (!is_key(key_)) return kKeyInvalid;
  // Who reads a body behind a GET and who does not disagree about where the first frame begins (RFC
  // 9110 §9.3.1).
  if (has_body_) return kHasBody;
  return kNone;
}

std::optional<DeflateAgreement> HandshakeRequest::negotiate_deflate() const {
  return ws::negotiate_deflate(std::span(extensions_).first(extension_lines_));
}

std::string HandshakeRequest::response(std::string_view subprotocol,
                                       const std::optional<DeflateAgreement>& deflate) const {
  UPROAR_CHECK(check() == kNone);
  std::string out =
      "HTTP/1.1 101 Switching Protocols\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Accept: ";
  out += accept_key(key_);
  out += "\r\n";
  if (!subprotocol.empty()) {
    out += "Sec-WebSocket-Protocol: ";
    out += subprotocol;
    out += "\r\n";
  }
  if (deflate) out += "Sec-WebSocket-Extensions: " + extension_answer(*deflate) + "\r\n";
  out += "\r\n";
  return out;
}

std::string accept_key(std::string_view key) {
  std::string text(key);
  text += kGuid;
  return crypto::base64_encode(crypto::sha1(as_bytes(text)));
}

}  // namespace uproar::ws
