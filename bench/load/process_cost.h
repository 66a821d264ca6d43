#pragma once

// What another process costs according to the kernel.

#include <sys/types.h>

#include <cstdint>

namespace uproar::bench {

struct CpuTime {
  std::uint64_t shard_ns = 0;  // threads named shard-*; for other programs the same as total
  std::uint64_t total_ns = 0;  // all threads, io_uring workers included
  friend CpuTime operator-(const CpuTime& a, const CpuTime& b) {
    return {a.shard_ns - b.shard_ns, a.total_ns - b.total_ns};
  }
};

// Time on a processor so far, /proc/PID/task/*/schedstat: nanoseconds, exact while the threads sleep, else behind by a tick.
[[nodiscard]] CpuTime cpu_time(pid_t pid);

struct Memory {
  std::uint64_t rss_bytes = 0;
  std::uint64_t pss_bytes = 0;
  std::uint64_t anonymous_bytes = 0;
};
[[nodiscard]] Memory memory_of(pid_t pid);  // /proc/PID/smaps_rollup

}  // namespace uproar::bench
