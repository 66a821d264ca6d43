#pragma once

// Unpredictable bytes from OpenSSL's generator, fit for keys, tickets and ids. Without them nothing can be
// kept secret, so a generator that fails stops the process.
//
// Not pure: tools, storage and gateways call it; state machines get their randomness as an argument.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "proto/base/bytes.h"

namespace uproar::crypto {

void fill_random(MutableBytes out);

template <std::size_t Bytes>
[[nodiscard]] std::array<std::byte, Bytes> random_bytes() {
  std::array<std::byte, Bytes> out;
  fill_random(out);
  return out;
}

[[nodiscard]] inline std::uint64_t random_u64() {
  return std::bit_cast<std::uint64_t>(random_bytes<sizeof(std::uint64_t)>());
}

}  // namespace uproar::crypto
