// User-space memory per idle, authenticated connection: growth of the server's Rss over the empty server.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/client/arguments.h"
#include "bench/client/process.h"
#include "bench/client/room.h"

namespace uproar::bench {
namespace {

constexpr std::uint32_t kSteps = 4;              // readings on the way, for the slope
constexpr std::uint64_t kDescriptorsApart = 64;  // of either process besides its connections

struct Options {
  std::string server;
  std::uint32_t connections = 18'000;
  std::uint32_t group = 0;      // members of each group; 0: nobody is in a conversation
  std::uint32_t bytes_max = 0;  // fail above it; 0: only report
  std::string json;
  std::string work_folder = "/tmp";
  bool show_log = false;
  std::uint32_t hold_s = 0;  // at the end: time to look at the server
};

std::vector<std::string> server_flags(const Options& options) {
  std::vector<std::string> flags = unlimited_flags();
  flags.insert(flags.end(),
               {"--connections-max", std::to_string(options.connections + kDescriptorsApart)});
  return flags;
}

struct Reading {
  std::uint32_t connections = 0;
  Memory memory;
};

// Until two readings 500 ms apart are within 64 KiB, at most 15 s; answers pings meanwhile.
Memory settled_memory(pid_t pid, ClientPool& pool, Lobby& lobby) {
  Memory last = memory_of(pid);
  for (int i = 0; i < 30; ++i) {
    const std::int64_t until = monotonic_ns() + 500'000'000;
    while (monotonic_ns() < until) {
      if (!pool.poll(lobby)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const Memory next = memory_of(pid);
    const auto moved =
        static_cast<std::int64_t>(next.rss_bytes) - static_cast<std::int64_t>(last.rss_bytes);
    last = next;
    if (i > 2 && std::abs(moved) < 64 * 1024) break;
  }
  return last;
}

// The users' rows and groups must exist before the life of the server that is measured: making them is work whose
// traces (free memory kept, the store's caches) say nothing about being connected.
void provision(const Options& options, const std::string& folder, Users& users) {
  ServerProcess server(
      {.binary = options.server, .folder = folder, .core = 0, .flags = server_flags(options)});
  users = make_users(options.connections, server.key());
  ClientPool pool;
  Lobby lobby;
  sign_in(pool, server.port(), users, lobby, 0, options.connections);
  if (options.group > 0) (void)make_groups(pool, users, lobby, options.group);
}

double per_connection(const Reading& reading, const Reading& from) {
  return (static_cast<double>(reading.memory.rss_bytes) -
          static_cast<double>(from.memory.rss_bytes)) /
         (static_cast<double>(reading.connections) - static_cast<double>(from.connections));
}

void write_json(const Options& options, const std::vector<Reading>& readings, double bytes) {
  std::FILE* out = std::fopen(options.json.c_str(), "w");
  if (out == nullptr) die("cannot write " + options.json);
  std::fprintf(out, "{\"connections\":%u,\"group\":%u,\"bytes_per_connection\":%.1f,\"readings\":[",
               options.connections, options.group, bytes);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const Memory& memory = readings[i].memory;
    std::fprintf(out, "%s{\"connections\":%u,\"rss\":%llu,\"pss\":%llu,\"anonymous\":%llu}",
                 i > 0 ? "," : "", readings[i].connections,
                 static_cast<unsigned long long>(memory.rss_bytes),
                 static_cast<unsigned long long>(memory.pss_bytes),
                 static_cast<unsigned long long>(memory.anonymous_bytes));
  }
  std::fprintf(out, "]}\n");
  std::fclose(out);
}

int run(const Options& options) {
  ScratchFolder folder(options.work_folder);
  Users users;
  provision(options, folder.path(), users);

  ServerProcess server({.binary = options.server,
                        .folder = folder.path(),
                        .core = 0,
                        .flags = server_flags(options)});
  ClientPool pool;
  Lobby lobby;
  std::vector<Reading> readings = {{0, settled_memory(server.pid(), pool, lobby)}};
  for (std::uint32_t step = 1; step <= kSteps; ++step) {
    const std::uint32_t upto =
        options.connections / kSteps * step + (step == kSteps ? options.connections % kSteps : 0);
    sign_in(pool, server.port(), users, lobby, pool.clients(), upto - pool.clients());
    readings.push_back({upto, settled_memory(server.pid(), pool, lobby)});
  }

  const double bytes = per_connection(readings.back(), readings.front());
  std::printf("%s\n", options.group > 0
                          ? ("each a member of a group of " + std::to_string(options.group)).c_str()
                          : "none in a conversation");
  std::printf("%12s %12s %12s %14s %22s\n", "connections", "Rss KiB", "Pss KiB", "anonymous KiB",
              "bytes per connection");
  for (const Reading& reading : readings) {
    std::printf("%12u %12llu %12llu %14llu", reading.connections,
                static_cast<unsigned long long>(reading.memory.rss_bytes / 1024),
                static_cast<unsigned long long>(reading.memory.pss_bytes / 1024),
                static_cast<unsigned long long>(reading.memory.anonymous_bytes / 1024));
    if (reading.connections > 0) std::printf(" %22.0f", per_connection(reading, readings.front()));
    std::printf("\n");
  }
  std::printf("from step to step:");
  for (std::size_t i = 1; i < readings.size(); ++i)
    std::printf(" %.0f", per_connection(readings[i], readings[i - 1]));
  std::printf(" bytes per connection\nlargest mappings:\n");
  for (const std::string& mapping : largest_mappings(server.pid(), 6))
    std::printf("  %s\n", mapping.c_str());
  std::printf("server pid %d\n", server.pid());
  std::fflush(stdout);
  for (std::uint32_t second = 0; second < options.hold_s; ++second) pool.drain(lobby, 1000);
  if (!options.json.empty()) write_json(options, readings, bytes);
  if (options.show_log) {
    pool.close_all();
    server.stop();
    std::printf("%s", server.log_text().c_str());
  }
  const bool good = options.bytes_max == 0 || bytes <= options.bytes_max;
  if (!good) std::printf("above the bound of %u bytes\n", options.bytes_max);
  return good ? 0 : 1;
}

constexpr const char* kUsage =
    "bench_idle_connections --server PATH [--connections 18000] [--group MEMBERS] [--bytes-max N] "
    "[--json FILE]\n"
    "                       [--work-folder /tmp] [--hold SECONDS] [--log] [--quick]\n"
    "--log: the server's log at the end; with MIMALLOC_SHOW_STATS=1 in the environment it ends "
    "with the allocator's account.\n";

Options read_options(int argc, char** argv) {
  Options options;
  Arguments arguments(argc, argv, kUsage);
  if (arguments.flag("--quick")) {
    options.connections = 200;
    options.group = 100;
  }
  options.show_log = arguments.flag("--log");
  arguments.read("--server", options.server);
  arguments.read("--connections", options.connections);
  arguments.read("--group", options.group);
  arguments.read("--bytes-max", options.bytes_max);
  arguments.read("--json", options.json);
  arguments.read("--hold", options.hold_s);
  arguments.read("--work-folder", options.work_folder);
  arguments.finish(!options.server.empty() && options.connections >= kSteps &&
                   options.group <= 1000);
  return options;
}

int main_program(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  const std::uint64_t descriptors = raise_descriptor_limit();
  if (options.connections + kDescriptorsApart > descriptors) {
    die("this process may open " + std::to_string(descriptors) +
        " descriptors: fewer --connections, or a higher ulimit -n");
  }
  pin_to_core(1);
  return run(options);
}

}  // namespace
}  // namespace uproar::bench

int main(int argc, char** argv) {
  return uproar::bench::main_program(argc, argv);
}
