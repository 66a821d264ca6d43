#pragma once

// What a client sends (RFC 6455 section 5.2): final frames, masked with one constant key, as the server unmasks any alike.

#include <cstdint>
#include <string>
#include <string_view>

namespace uproar::bench {

inline constexpr std::uint8_t kFinText = 0x81;
inline constexpr std::uint8_t kFinBinary = 0x82;
inline constexpr std::uint8_t kFinPing = 0x89;
inline constexpr std::uint8_t kFinPong = 0x8A;

// Appends a frame; `first_byte` is FIN and the opcode.
void append_masked_frame(std::string& out, std::uint8_t first_byte, std::string_view payload);

}  // namespace uproar::bench
