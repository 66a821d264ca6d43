#pragma once

#include <cstdint>

namespace uproar {

// When one of many comes back who are sent away together: at `least_ms`, or up to `width_ms` later, as `random` (any 32
// bits) says. Coming back as they went, they would be turned away together again.
[[nodiscard]] constexpr std::uint32_t spread_ms(std::uint32_t least_ms, std::uint32_t width_ms,
                                                std::uint32_t random) {
  return least_ms +
         static_cast<std::uint32_t>((std::uint64_t{random} * (std::uint64_t{width_ms} + 1)) >> 32);
}

}  // namespace uproar
