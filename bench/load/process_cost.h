#pragma once

// What another process costs according to the kernel.

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace uproar::bench {

struct CpuTime {
  std::uint64_t shard_ns = 0;  // threads named shard-*; for other programs the same as total
  std::uint64_t total_ns = 0;  // all threads, those that have ended and io_uring's workers included
};

// Time on a processor so far: the process's CPU clock, and /proc/PID/task/*/schedstat for the shards. Nanoseconds, behind by a
// tick while threads run. None: there is no such process.
[[nodiscard]] std::optional<CpuTime> cpu_time(pid_t pid);

struct Memory {
  std::uint64_t rss_bytes = 0;
  std::uint64_t pss_bytes = 0;
  std::uint64_t anonymous_bytes = 0;
};
// /proc/PID/smaps_rollup. None: it cannot be read.
[[nodiscard]] std::optional<Memory> memory_of(pid_t pid);

}  // namespace uproar::bench
