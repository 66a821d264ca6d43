#include "bench/client/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

namespace uproar::bench {
namespace {

using std::chrono::milliseconds;

constexpr int kStartSeconds = 30;

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

}  // namespace

void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

void pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    std::fprintf(stderr, "cannot pin to core %d: figures will be noisier\n", core);
  }
}

pid_t fork_child(int core) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) die("fork failed");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    pin_to_core(core);
  }
  return child;
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

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

CpuTime settled_cpu_time(pid_t pid) {
  CpuTime last = cpu_time(pid);
  for (int i = 0; i < 50; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
    const CpuTime next = cpu_time(pid);
    if (next.total_ns == last.total_ns) return next;
    last = next;
  }
  return last;
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

std::vector<std::string> largest_mappings(pid_t pid, std::size_t count) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps");
  std::vector<std::pair<std::uint64_t, std::string>> mappings;
  std::string line;
  std::string header;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string first;
    fields >> first;
    if (!first.ends_with(':')) {
      header = line;
    } else if (first == "Rss:") {
      std::uint64_t kib = 0;
      fields >> kib;
      mappings.emplace_back(kib, header);
    }
  }
  std::sort(mappings.rbegin(), mappings.rend());
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(count, mappings.size()); ++i) {
    out.push_back(std::to_string(mappings[i].first) + " KiB  " + mappings[i].second);
  }
  return out;
}

ScratchFolder::ScratchFolder(const std::string& parent) {
  std::string name = parent + "/uproar-bench-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) die("cannot make a folder under " + parent);
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ServerProcess::ServerProcess(Options options) : options_(std::move(options)) {
  make_key();
  const std::string log = options_.folder + "/server.log";
  std::error_code ignored;
  std::filesystem::remove(log, ignored);
  std::vector<std::string> arguments = options_.prefix;
  for (const std::string& argument :
       {options_.binary, std::string("serve"), std::string("--listen"), std::string("127.0.0.1:0"),
        std::string("--shards"), std::string("1"), std::string("--data"), options_.folder + "/data",
        std::string("--auth-secret-file"), options_.folder + "/auth.key"}) {
    arguments.push_back(argument);
  }
  arguments.insert(arguments.end(), options_.flags.begin(), options_.flags.end());
  pid_ = fork_child(options_.core);
  if (pid_ == 0) {
    const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  wait_until_listening();
}

ServerProcess::~ServerProcess() {
  stop();
}

void ServerProcess::make_key() {
  const std::string path = options_.folder + "/auth.key";
  key_ = read_file(path);
  if (!key_.empty()) return;
  std::random_device random;
  for (int i = 0; i < 48; ++i) key_ += "0123456789abcdef"[random() & 15U];
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0 || ::write(fd, key_.data(), key_.size()) != static_cast<ssize_t>(key_.size())) {
    die("cannot write " + path);
  }
  ::close(fd);
}

std::string ServerProcess::log_text() const {
  return read_file(options_.folder + "/server.log");
}

void ServerProcess::wait_until_listening() {
  constexpr std::string_view kLine = "listening on http://127.0.0.1:";
  for (int i = 0; i < kStartSeconds * 100; ++i) {
    const std::string log = log_text();
    if (const auto at = log.find(kLine);
        at != std::string::npos && log.find('\n', at) != std::string::npos) {
      port_ =
          static_cast<std::uint16_t>(std::strtoul(log.c_str() + at + kLine.size(), nullptr, 10));
      return;
    }
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      die("the server did not start:\n" + log);
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  die("the server did not start in time:\n" + log_text());
}

void ServerProcess::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  std::this_thread::sleep_for(milliseconds(100));
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 500; ++i) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  std::fprintf(stderr, "the server did not stop on SIGTERM\n");
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace uproar::bench
