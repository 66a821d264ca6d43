#pragma once

// Hot path: per frame. Allocations: 0, copies: 0.
// Masking of RFC 6455 §5.3: byte i of the payload is XORed with byte i mod 4 of the mask. Masking
// is its own inverse.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace uproar::ws {

// Four mask bytes in the order of the wire, as loaded from memory. Byte 0 applies to the next
// payload byte.
using Mask = std::uint32_t;

// The mask as it stands `bytes` payload bytes later: lets a payload be unmasked in pieces of any
// length.
constexpr Mask advance_mask(Mask mask, std::size_t bytes) {
  const int bits = static_cast<int>(bytes % 4) * 8;
  return std::endian::native == std::endian::little ? std::rotr(mask, bits) : std::rotl(mask, bits);
}

// Unmasks in place; any alignment, any length. Never touches a byte outside `bytes`.
void unmask(std::span<std::byte> bytes, Mask mask);

}  // namespace uproar::ws
