#pragma once

// Readings of the server's processes, and whether they can be believed.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/load/process_cost.h"

namespace uproar::bench {

// Keeps what went wrong: a server that ended half-way must not look cheap.
class ServerWatch {
 public:
  // Readings are sums over all of them. None: nobody is watched, and all readings are 0.
  explicit ServerWatch(std::vector<pid_t> pids) : pids_(std::move(pids)) {}

  [[nodiscard]] bool is_watching() const { return !pids_.empty(); }
  [[nodiscard]] CpuTime cpu();
  // Between two readings; 0 and a fault when there is less than before.
  [[nodiscard]] CpuTime used(const CpuTime& before, const CpuTime& after);
  [[nodiscard]] Memory memory();
  // Of the first reading that failed; empty: all were had.
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  void note(const char* what, pid_t pid);

  std::vector<pid_t> pids_;
  std::string fault_;
};

// Whether a process's memory has come to rest: at least five readings, the last two nearly alike.
class MemoryRest {
 public:
  static constexpr int kReadingsMin = 5;
  static constexpr int kReadingsMax = 31;  // it is taken as it is then
  static constexpr std::uint64_t kStillBytes = 64 * 1024;

  [[nodiscard]] bool is_reached_by(const Memory& reading);

 private:
  int readings_ = 0;
  std::uint64_t last_rss_bytes_ = 0;
};

}  // namespace uproar::bench
