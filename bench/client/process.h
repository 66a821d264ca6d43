#pragma once

// The server as a child process, and what a process costs according to the kernel.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace uproar::bench {

// Ends the program: a load tool has no use for half a run.
[[noreturn]] void die(const std::string& what);

void pin_to_core(int core);
// fork() whose child runs on `core` alone and dies with its parent. 0 in the child; a fork that fails ends the program.
[[nodiscard]] pid_t fork_child(int core);
// Soft limit of descriptors up to the hard one; returns it.
std::uint64_t raise_descriptor_limit();

[[nodiscard]] std::int64_t monotonic_ns();

struct CpuTime {
  std::uint64_t shard_ns = 0;  // threads named shard-*; for other programs the same as total
  std::uint64_t total_ns = 0;  // all threads, io_uring workers included
  friend CpuTime operator-(const CpuTime& a, const CpuTime& b) {
    return {a.shard_ns - b.shard_ns, a.total_ns - b.total_ns};
  }
};

// Time on a processor so far, /proc/PID/task/*/schedstat: nanoseconds, exact while the threads sleep, else behind by a tick.
[[nodiscard]] CpuTime cpu_time(pid_t pid);
// The same, once they sleep: two readings a millisecond apart that agree (or 50 ms have passed).
[[nodiscard]] CpuTime settled_cpu_time(pid_t pid);

struct Memory {
  std::uint64_t rss_bytes = 0;
  std::uint64_t pss_bytes = 0;
  std::uint64_t anonymous_bytes = 0;
};
[[nodiscard]] Memory memory_of(pid_t pid);  // /proc/PID/smaps_rollup

// The largest mappings by Rss, "Rss KiB  name", for telling where memory goes.
[[nodiscard]] std::vector<std::string> largest_mappings(pid_t pid, std::size_t count);

// A folder that is removed with all its contents.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& parent);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ServerProcess {
 public:
  struct Options {
    std::string binary;
    std::string folder;                    // exists; holds data/, auth.key, server.log
    int core = 0;                          // the process may run nowhere else
    std::vector<std::string> flags = {};   // further ones
    std::vector<std::string> prefix = {};  // e.g. {"strace", "-cf"}: run under it
  };

  explicit ServerProcess(Options options);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] std::string log_text() const;
  void stop();  // SIGTERM, twice, then waits

 private:
  void make_key();
  void wait_until_listening();

  Options options_;
  std::string key_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace uproar::bench
