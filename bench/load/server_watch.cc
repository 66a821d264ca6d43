#include "bench/load/server_watch.h"

#include <utility>

namespace uproar::bench {

void ServerWatch::note(const char* what, pid_t pid) {
  if (fault_.empty()) fault_ = std::string(what) + " of process " + std::to_string(pid);
}

CpuTime ServerWatch::cpu() {
  CpuTime sum;
  for (const pid_t pid : pids_) {
    const auto reading = cpu_time(pid);
    if (!reading) {
      note("cannot read the CPU time", pid);
      continue;
    }
    sum.shard_ns += reading->shard_ns;
    sum.total_ns += reading->total_ns;
  }
  return sum;
}

CpuTime ServerWatch::used(const CpuTime& before, const CpuTime& after) {
  if (after.total_ns < before.total_ns || after.shard_ns < before.shard_ns) {
    if (fault_.empty()) fault_ = "a thread or a process ended, or all: less CPU time than before";
    return {};
  }
  return {.shard_ns = after.shard_ns - before.shard_ns,
          .total_ns = after.total_ns - before.total_ns};
}

Memory ServerWatch::memory() {
  Memory sum;
  for (const pid_t pid : pids_) {
    const auto reading = memory_of(pid);
    if (!reading) {
      note("cannot read the memory", pid);
      continue;
    }
    sum.rss_bytes += reading->rss_bytes;
    sum.pss_bytes += reading->pss_bytes;
    sum.anonymous_bytes += reading->anonymous_bytes;
  }
  return sum;
}

bool MemoryRest::is_reached_by(const Memory& reading) {
  const std::uint64_t last = std::exchange(last_rss_bytes_, reading.rss_bytes);
  const std::uint64_t moved =
      last > reading.rss_bytes ? last - reading.rss_bytes : reading.rss_bytes - last;
  ++readings_;
  return readings_ >= kReadingsMax || (readings_ >= kReadingsMin && moved < kStillBytes);
}

}  // namespace uproar::bench
