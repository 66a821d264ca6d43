#include "core/runtime/clock.h"

#include <ctime>

namespace uproar::runtime {
namespace {

std::int64_t read_us(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

}  // namespace

Now read_clock() {
  return {.monotonic_us = read_us(CLOCK_MONOTONIC), .wall_us = read_us(CLOCK_REALTIME)};
}

std::int64_t monotonic_us() {
  return read_us(CLOCK_MONOTONIC);
}

}  // namespace uproar::runtime
