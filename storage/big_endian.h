#pragma once

// Numbers in network byte order, for the few fixed layouts that nodes exchange.

#include <cstddef>

namespace uproar::storage {

template <class Unsigned>
void write_big_endian(Unsigned value, std::byte* out) {
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
    out[i] = static_cast<std::byte>(value >> (8 * (sizeof(Unsigned) - 1 - i)));
}

template <class Unsigned>
[[nodiscard]] Unsigned read_big_endian(const std::byte* in) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
    value = static_cast<Unsigned>((value << 8) | static_cast<Unsigned>(in[i]));
  return value;
}

}  // namespace uproar::storage
