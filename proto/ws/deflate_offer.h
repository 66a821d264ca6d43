#pragma once

// Negotiation of permessage-deflate (RFC 7692 §7.1), the server's side. Header values in, the
// answer's value out.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace uproar::ws {

// What both sides agreed on. No context is ever taken over in either direction, so neither
// compressing nor inflating needs memory between messages.
struct DeflateAgreement {
  std::uint8_t server_max_window_bits = 15;  // 9..15: the longest window that this client reads
  bool window_was_asked = false;  // the offer named server_max_window_bits, so the answer does too
};

// Takes the first acceptable offer of permessage-deflate in the Sec-WebSocket-Extensions values, in
// order; nullopt: none. An offer is declined when a parameter is unknown, repeated or malformed, or
// asks for server_max_window_bits=8, which zlib cannot write. Other extensions are passed over.
[[nodiscard]] std::optional<DeflateAgreement> negotiate_deflate(
    std::span<const std::string_view> extension_values);

// The value of the Sec-WebSocket-Extensions header in the 101 response.
[[nodiscard]] std::string extension_answer(const DeflateAgreement& agreement);

}  // namespace uproar::ws
