#include "bench/load/process_cost.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace uproar::bench {
namespace {

std::uint64_t shards_ns(pid_t pid) {
  std::uint64_t sum = 0;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    std::uint64_t ns = 0;
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name.starts_with("shard-") && std::ifstream(task.path() / "schedstat") >> ns) sum += ns;
  }
  return sum;
}

}  // namespace

std::optional<CpuTime> cpu_time(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    return std::nullopt;
  CpuTime out;
  out.total_ns = static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 +
                 static_cast<std::uint64_t>(used.tv_nsec);
  out.shard_ns = shards_ns(pid);
  if (out.shard_ns == 0) out.shard_ns = out.total_ns;
  return out;
}

std::optional<Memory> memory_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps_rollup");
  Memory out;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string name;
    std::uint64_t kib = 0;
    if (!(fields >> name >> kib)) continue;
    if (name == "Rss:") out.rss_bytes = kib * 1024;
    if (name == "Pss:") out.pss_bytes = kib * 1024;
    if (name == "Anonymous:") out.anonymous_bytes = kib * 1024;
  }
  if (out.rss_bytes == 0) return std::nullopt;
  return out;
}

}  // namespace uproar::bench
