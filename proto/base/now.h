#pragma once

// Time as a value: read once per loop turn by whoever drives, passed in everywhere else. Only core/runtime and
// tools read a clock, so every timeout below them can be tested without sleeping.

#include <cstdint>

namespace uproar {

struct Now {
  std::int64_t monotonic_us = 0;  // CLOCK_MONOTONIC; never steps back; for deadlines
  std::int64_t wall_us = 0;       // Unix time in microseconds; may step; for what people read

  [[nodiscard]] std::int64_t wall_ms() const { return wall_us / 1000; }
};

}  // namespace uproar
