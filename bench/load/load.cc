// uproar_load: plays the clients of a scenario against a server that is already there, checks every delivery, reports.

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

#include "bench/load/load_run.h"
#include "bench/load/program.h"
#include "bench/load/report.h"

namespace uproar::bench {
namespace {

struct Arguments {
  std::string scenario;
  std::string target;
  std::vector<std::uint16_t> ports = {8080};
  std::vector<int> pids;
  int core = -1;
  std::string auth_key_file;
  std::vector<std::string> overrides;
  std::string json;
  std::string world;
  bool only_prepare = false;
  bool may_end = false;
  bool gives_way = false;
};

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line)) die("cannot read " + path);
  return line;
}

// Asked before the run, which may take an hour and would be lost.
bool can_make(const std::filesystem::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  return !std::filesystem::is_directory(path) && ::access(folder.c_str(), W_OK) == 0;
}

// What is not read from a file is made, and written to it.
void prepare(LoadRun& load, const Scenario& scenario, const std::string& path) {
  if (!path.empty() && std::filesystem::exists(path)) {
    auto world = read_world(path, scenario.members());
    if (!world) die(world.error());
    return load.use_world(std::move(*world));
  }
  const World& world = load.make_world();
  if (!path.empty() && !write_world(path, world, scenario.members())) die("cannot write " + path);
}

int run(const Arguments& arguments) {
  const auto scenario = read_scenario(arguments.scenario, arguments.overrides);
  if (!scenario) die(scenario.error());
  const auto target = read_target(arguments.target);
  if (!target) die(target.error());
  for (const Traffic& one : scenario->traffic) {
    if (one.stored && target->publish_stored.empty())
      die(target->name + " stores nothing, and " + scenario->name + " wants stored messages");
    if (scenario->storm.fraction > 0 && one.speaks() && target->resume.empty())
      die(target->name + " does not resume, and who is cut would miss what is said");
  }
  if (target->groups && arguments.auth_key_file.empty())
    die(arguments.target + " signs tokens: give --auth-key-file, the server's auth-secret-file");
  if (!target->groups && !arguments.world.empty())
    die(target->name + " needs nothing made before the run: --world is for targets with groups");
  if (arguments.only_prepare && arguments.world.empty())
    die("--only-prepare needs --world FILE, or nobody could use what it made");
  if (!arguments.json.empty() && !can_make(arguments.json)) die("cannot write " + arguments.json);
  if (arguments.core >= 0) pin_to_core(arguments.core);
  auto load = std::make_unique<LoadRun>(
      *scenario, *target,
      LoadRun::Options{
          .ports = arguments.ports,
          .server_pids = arguments.pids,
          .auth_key = arguments.auth_key_file.empty() ? "" : first_line(arguments.auth_key_file),
          .progress = ::isatty(STDERR_FILENO) == 1,
          .gives_way = arguments.gives_way});
  if (target->groups) prepare(*load, *scenario, arguments.world);
  if (arguments.only_prepare) return 0;
  const RunResult result = load->run();
  print_result(*scenario, *target, result);
  if (!arguments.json.empty() && !write_result(arguments.json, *scenario, *target, result))
    die("cannot write " + arguments.json);
  return result.has_faults() || (result.ended.count > 0 && !arguments.may_end) ? 1 : 0;
}

int main_program(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Plays the clients of a scenario against a server that is already there, on one core.\n"
      "Example: uproar_load bench/scenarios/room-1000.toml --target bench/targets/uproar.toml "
      "--port 8080 \\\n"
      "           --auth-key-file build/data/auth.key --pid $(pidof uproar) --set "
      "hall.in_flight=16 --core 1");
  app.add_option("scenario", arguments.scenario, "what to do: a file of bench/scenarios")
      ->required();
  app.add_option("--target", arguments.target,
                 "how to speak to the server: a file of bench/targets")
      ->required();
  app.add_option("--port", arguments.ports,
                 "on 127.0.0.1; several with commas: clients take them in turn")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--auth-key-file", arguments.auth_key_file, "signs the clients' tokens (Uproar)");
  app.add_option(
         "--pid", arguments.pids,
         "the server's process: its CPU and memory are reported; several with commas: in sum")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--core", arguments.core, "run on this processor only")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--set", arguments.overrides,
                 "KEY=VALUE instead of the scenario's, e.g. seconds=2 or hall.members=500");
  app.add_option(
      "--world", arguments.world,
      "users and conversations: read from this file if it exists, else made and written");
  app.add_flag("--only-prepare", arguments.only_prepare, "make the world and end");
  app.add_flag("--may-end", arguments.may_end,
               "the server may end connections: no fault that makes the exit status 1");
  app.add_flag("--gives-way", arguments.gives_way,
               "sleep while nothing comes, for whoever runs on the same processor; without it this "
               "tool takes a whole one");
  app.add_option("--json", arguments.json, "write the result to this file as well");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return run(arguments);
}

}  // namespace
}  // namespace uproar::bench

int main(int argc, char** argv) {
  return uproar::bench::main_program(argc, argv);
}
