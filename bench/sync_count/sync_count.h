#pragma once

// The file in which a preloaded sync_count notes each fsync() and fdatasync() of a process: when it began, by CLOCK_MONOTONIC.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace uproar::bench {

inline constexpr const char* kSyncCountVariable = "SYNC_COUNT_FILE";  // the file's path
// 4,096 a second for four minutes; 8 MiB, of which only what is written takes space. Later ones are counted without their time.
inline constexpr std::size_t kSyncTimesMax = std::size_t{1} << 20;

struct SyncCountFile {
  std::atomic<std::uint64_t> count;
  std::atomic<std::int64_t> begun_ns[kSyncTimesMax];
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "two processes share it");
static_assert(sizeof(SyncCountFile) == (1 + kSyncTimesMax) * 8, "bench/runner/syncs.py reads it");

}  // namespace uproar::bench
