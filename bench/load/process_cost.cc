#include "bench/load/process_cost.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace uproar::bench {

CpuTime cpu_time(pid_t pid) {
  CpuTime out;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    std::uint64_t ns = 0;
    std::string name;
    if (!(std::ifstream(task.path() / "schedstat") >> ns)) continue;  // ended meanwhile
    std::ifstream(task.path() / "comm") >> name;
    out.total_ns += ns;
    if (name.starts_with("shard-")) out.shard_ns += ns;
  }
  if (out.shard_ns == 0) out.shard_ns = out.total_ns;
  return out;
}

Memory memory_of(pid_t pid) {
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
  return out;
}

}  // namespace uproar::bench
