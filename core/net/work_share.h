#pragma once

// How much of a shard one client may use: a token bucket in units of work (limits.h), kept as times.

#include <cstdint>

namespace uproar::net {

struct WorkShare {
  std::uint64_t ns_per_1024_units = 0;  // 0: no bound
  std::int64_t burst_ns = 0;

  // `units_per_s` for ever, and `burst_units` at once. 0 units a second: no bound.
  [[nodiscard]] static constexpr WorkShare of(std::uint64_t units_per_s,
                                              std::uint64_t burst_units) {
    if (units_per_s == 0) return {};
    return {.ns_per_1024_units = 1024ULL * 1'000'000'000 / units_per_s,
            .burst_ns = static_cast<std::int64_t>(burst_units * 1'000 / units_per_s * 1'000'000)};
  }
  [[nodiscard]] constexpr std::int64_t price_ns(std::uint64_t units) const {
    return static_cast<std::int64_t>(units * ns_per_1024_units / 1024);
  }
};

}  // namespace uproar::net
