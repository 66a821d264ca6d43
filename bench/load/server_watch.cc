#include "bench/load/server_watch.h"

#include <utility>

namespace uproar::bench {

void ServerWatch::note(const char* what) {
  if (fault_.empty()) fault_ = std::string(what) + " of process " + std::to_string(pid_);
}

CpuTime ServerWatch::cpu() {
  if (!is_watching()) return {};
  const auto reading = cpu_time(pid_);
  if (!reading) note("cannot read the CPU time");
  return reading.value_or(CpuTime{});
}

CpuTime ServerWatch::used(const CpuTime& before, const CpuTime& after) {
  if (after.total_ns < before.total_ns || after.shard_ns < before.shard_ns) {
    note("a thread ended, or all: less CPU time than before");
    return {};
  }
  return {.shard_ns = after.shard_ns - before.shard_ns,
          .total_ns = after.total_ns - before.total_ns};
}

Memory ServerWatch::memory() {
  if (!is_watching()) return {};
  const auto reading = memory_of(pid_);
  if (!reading) note("cannot read the memory");
  return reading.value_or(Memory{});
}

bool MemoryRest::is_reached_by(const Memory& reading) {
  const std::uint64_t last = std::exchange(last_rss_bytes_, reading.rss_bytes);
  const std::uint64_t moved =
      last > reading.rss_bytes ? last - reading.rss_bytes : reading.rss_bytes - last;
  ++readings_;
  return readings_ >= kReadingsMax || (readings_ >= kReadingsMin && moved < kStillBytes);
}

}  // namespace uproar::bench
