#pragma once

// The opening handshake, server side (RFC 6455 §4.2): checks a request, writes the 101 response.
// Pure: the caller says what stood in the request, line by line, in whatever form its HTTP parser
// has it.
//
//   HandshakeRequest request("GET", 1, 1);
//   for (each header) request.add_header(name, value);
//   if (const auto error = request.check(); error != HandshakeError::kNone) {
//     … answer refusal(error) …
//   }
//   const auto deflate = request.negotiate_deflate();
//   out = request.response(subprotocol, deflate);

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/ws/deflate_offer.h"
#include "proto/ws/limits.h"

namespace uproar::ws {

enum class HandshakeError : std::uint8_t {
  kNone = 0,
  kMethodNotGet,
  kHttpVersionTooLow,  // below 1.1
  kHostMissing,
  kHostRepeated,
  kUpgradeMissing,     // no `websocket` in Upgrade
  kConnectionMissing,  // no `Upgrade` token in Connection
  kVersionNot13,       // missing or another number: 426, and say which we speak
  kVersionRepeated,
  kKeyMissing,
  kKeyRepeated,
  kKeyInvalid,  // not the base64 of 16 bytes
  kHasBody,     // announced by Content-Length or Transfer-Encoding
  kLast = kHasBody,
};

struct HandshakeRefusal {
  int status;               // HTTP
  std::string_view reason;  // static text for the body
  // One more header line without CRLF, or empty. Whoever answers 426 also says "Upgrade: websocket",
  // as RFC 9110 §15.5.22 asks of every 426.
  std::string_view header;
};
// REQUIRES: error != kNone.
[[nodiscard]] HandshakeRefusal refusal(HandshakeError error);

// What the rules look at, gathered from the header lines. Views are borrowed: they live as long as
// the caller's request bytes.
class HandshakeRequest {
 public:
  HandshakeRequest(std::string_view method, int version_major, int version_minor);

  // Every header line in order; names in any case, values without surrounding whitespace. Those of
  // no interest are ignored.
  void add_header(std::string_view name, std::string_view value);

  // An Upgrade header names `websocket`. Requests without it are plain HTTP, not bad handshakes.
  [[nodiscard]] bool wants_websocket() const { return upgrade_websocket_; }

  // The first rule that is broken, in the order of the enum.
  [[nodiscard]] HandshakeError check() const;

  [[nodiscard]] std::optional<DeflateAgreement> negotiate_deflate() const;

  // Sec-WebSocket-Key as sent. REQUIRES: check() == kNone.
  [[nodiscard]] std::string_view key() const { return key_; }

  // The whole 101 response. REQUIRES: check() == kNone; `subprotocol` is empty or one
  // that the client offered.
  [[nodiscard]] std::string response(std::string_view subprotocol,
                                     const std::optional<DeflateAgreement>& deflate) const;

 private:
  bool get_;
  bool http_1_1_;
  bool upgrade_websocket_ = false;
  bool connection_upgrade_ = false;
  bool has_body_ = false;
  std::uint8_t host_count_ = 0;  // counts stop at 2: repeated is repeated
  std::uint8_t key_count_ = 0;
  std::uint8_t version_count_ = 0;
  std::uint8_t extension_lines_ = 0;
  std::string_view key_;
  std::string_view version_;
  std::array<std::string_view, kHandshakeListLinesMax> extensions_;
};

// Sec-WebSocket-Accept for a key: base64(sha1(key + GUID)), 28 characters (RFC 6455 §4.2.2).
[[nodiscard]] std::string accept_key(std::string_view key);

}  // namespace uproar::ws
