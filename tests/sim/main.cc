// sim: runs seeds of the simulator, tells which one fails and how to see it again.

#include <sys/personality.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "core/server/log.h"
#include "tests/sim/run.h"

namespace uproar::sim {
namespace {

struct Arguments {
  std::uint64_t seeds = 1000;
  std::uint64_t from = 1;
  std::string plant;
  bool tells = false;
  bool is_quiet = false;
};

// A check that fails ends the process: say which seed it was.
volatile std::uint64_t g_seed = 0;
void on_crash(int signal) {
  char line[160];
  const int size = std::snprintf(line, sizeof line,
                                 "\nseed %llu ends by signal %d; again, told step by step:\n  "
                                 "tools/dev sim --seeds 1 --from %llu --tell\n",
                                 static_cast<unsigned long long>(g_seed), signal,
                                 static_cast<unsigned long long>(g_seed));
  (void)!::write(STDERR_FILENO, line, static_cast<std::size_t>(size));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

const PlantInfo* find_plant(const std::string& name) {
  for (const PlantInfo& info : all_plants()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

int run(const Arguments& arguments) {
  Plant plant = Plant::kNone;
  if (!arguments.plant.empty()) {
    const PlantInfo* info = find_plant(arguments.plant);
    if (info == nullptr) {
      std::fprintf(stderr, "sim: no bug is called '%s'; there are:\n", arguments.plant.c_str());
      for (const PlantInfo& each : all_plants())
        std::fprintf(stderr, "  %-28.*s %.*s\n", static_cast<int>(each.name.size()),
                     each.name.data(), static_cast<int>(each.what.size()), each.what.data());
      return 2;
    }
    plant = info->plant;
  }
  server::start_log(arguments.tells ? "info" : "off");
  const bool shows_progress =
      ::isatty(STDERR_FILENO) == 1 && !arguments.tells && !arguments.is_quiet;
  for (const int signal : {SIGABRT, SIGSEGV}) std::signal(signal, on_crash);
  const auto began = std::chrono::steady_clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  RunResult sum;
  double shown_s = 0;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
    const std::uint64_t seed = arguments.from + i;
    g_seed = seed;
    const RunResult result = play(seed, plant);
    sum.checked += result.checked;
    sum.steps += result.steps;
    sum.virtual_us += result.virtual_us;
    for (const auto& [what, times] : result.met) sum.met[what] += times;
    if (!result.violations.empty()) {
      if (shows_progress) std::fputs("\r\033[K", stderr);
      for (const std::string& violation : result.violations)
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), violation.c_str());
      std::printf(
          "after %llu seeds; again, told step by step:\n  tools/dev sim --seeds 1 --from %llu "
          "--tell%s%s\n",
          static_cast<unsigned long long>(i + 1), static_cast<unsigned long long>(seed),
          arguments.plant.empty() ? "" : " --plant ", arguments.plant.c_str());
      return 1;
    }
    if (shows_progress && elapsed_s() - shown_s > 0.2) {
      shown_s = elapsed_s();
      std::fprintf(stderr, "\r%llu of %llu seeds, %.0f a second\033[K",
                   static_cast<unsigned long long>(i + 1),
                   static_cast<unsigned long long>(arguments.seeds),
                   static_cast<double>(i + 1) / shown_s);
    }
    if (arguments.seeds == 1)
      std::printf("trace %016llx\n", static_cast<unsigned long long>(result.trace));
  }
  if (shows_progress) std::fputs("\r\033[K", stderr);
  const double wall_s = elapsed_s();
  const double virtual_s = static_cast<double>(sum.virtual_us) / 1e6;
  std::printf(
      "%llu seeds from %llu, 0 violations: %llu events judged, %.1f s, %.1f seeds/s, %.0f virtual "
      "s, %.0f times real time\n",
      static_cast<unsigned long long>(arguments.seeds),
      static_cast<unsigned long long>(arguments.from), static_cast<unsigned long long>(sum.checked),
      wall_s, static_cast<double>(arguments.seeds) / wall_s, virtual_s, virtual_s / wall_s);
  std::string line;
  for (const auto& [what, times] : sum.met)
    line += (line.empty() ? "" : ", ") + what + " " + std::to_string(times);
  std::printf("met: %s\n", line.c_str());
  return 0;
}

// The tables of abseil order themselves by where the program lies in memory: a seed is only the same again where it lies
// in the same place.
void stand_still(char** arguments) {
  const int persona = ::personality(0xffffffff);
  if (persona < 0 || (persona & ADDR_NO_RANDOMIZE) != 0) return;
  if (::personality(static_cast<unsigned long>(persona) | ADDR_NO_RANDOMIZE) < 0) return;
  ::execv("/proc/self/exe", arguments);  // refused: a replay may differ
}

}  // namespace
}  // namespace uproar::sim

int main(int count, char** values) {
  uproar::sim::stand_still(values);
  uproar::sim::Arguments arguments;
  CLI::App app(
      "Runs whole nodes on virtual time, one seed after the other, until one breaks a promise of "
      "docs/contract.md.");
  app.add_option("--seeds", arguments.seeds, "how many")->capture_default_str();
  app.add_option("--from", arguments.from, "the first")->capture_default_str();
  app.add_option("--plant", arguments.plant,
                 "with this bug in it, which must be found; any other word lists them");
  app.add_flag("--tell", arguments.tells, "what happens, step by step, on stderr");
  app.add_flag("--quiet", arguments.is_quiet, "no progress on the terminal");
  CLI11_PARSE(app, count, values);
  if (arguments.tells) ::setenv("UPROAR_SIM_LOG", "1", 1);
  return uproar::sim::run(arguments);
}
