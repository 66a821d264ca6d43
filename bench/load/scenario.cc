#include "bench/load/scenario.h"

#include <algorithm>

#include "bench/load/delivery_ledger.h"
#include "bench/load/source_ports.h"
#include "bench/load/toml_reader.h"

namespace uproar::bench {
namespace {

constexpr double kSecondsMax = 24 * 3600;
constexpr double kPublishesPerSecondMax = 1e7;

Traffic read_traffic(TomlReader& file) {
  Traffic traffic;
  traffic.name = file.text("name", "traffic");
  traffic.rooms = file.count("rooms", traffic.rooms);
  traffic.members = file.count("members", traffic.members);
  traffic.publishers = file.count("publishers", traffic.publishers);
  traffic.in_flight = file.count("in_flight", traffic.in_flight);
  traffic.publishes_per_second = file.number("publishes_per_second", traffic.publishes_per_second);
  traffic.payload_bytes = file.count("payload_bytes", traffic.payload_bytes);
  traffic.stored = file.boolean("stored", traffic.stored);
  traffic.silent = file.count("silent", traffic.silent);
  if (traffic.rooms == 0) file.fault("rooms", "must be 1 or more");
  if (traffic.members == 0) file.fault("members", "must be 1 or more");
  if (traffic.publishers == 0 || traffic.publishers > kPublishersMax)
    file.fault("publishers", "must be 1 to " + std::to_string(kPublishersMax));
  if (traffic.publishers + std::uint64_t{traffic.silent} > traffic.members)
    file.fault("members", "must be at least publishers and silent ones together");
  if (traffic.payload_bytes < kNumberedTextBytesMin)
    file.fault("payload_bytes", "must be at least " + std::to_string(kNumberedTextBytesMin) +
                                    ", the length of the name of a publish");
  if (!(traffic.publishes_per_second >= 0 &&
        traffic.publishes_per_second <= kPublishesPerSecondMax))
    file.fault("publishes_per_second", "must be 0 to 10,000,000");
  if (traffic.in_flight > 0 && traffic.publishes_per_second > 0)
    file.fault("in_flight",
               "and publishes_per_second exclude each other: closed loop or open loop");
  return traffic;
}

}  // namespace

std::uint32_t Scenario::clients() const {
  std::uint32_t count = 0;
  for (const Traffic& one : traffic) count += one.rooms * one.members;
  return count;
}

std::vector<std::uint32_t> Scenario::members() const {
  std::vector<std::uint32_t> out;
  for (const Traffic& one : traffic) out.insert(out.end(), one.rooms, one.members);
  return out;
}

Result<Scenario, std::string> read_scenario(const std::string& path,
                                            const std::vector<std::string>& overrides) {
  TomlReader file(path);
  for (const std::string& assignment : overrides) file.override_with(assignment);
  Scenario scenario;
  scenario.name = file.text("name");
  scenario.about = file.text("about");
  scenario.seconds = file.number("seconds", scenario.seconds);
  scenario.warmup_seconds = file.number("warmup_seconds", scenario.warmup_seconds);
  scenario.heartbeat_seconds = file.number("heartbeat_seconds", scenario.heartbeat_seconds);
  scenario.memory_steps = file.count("memory_steps", scenario.memory_steps);
  // Also of what is not a number.
  if (!(scenario.seconds > 0 && scenario.seconds <= kSecondsMax))
    file.fault("seconds", "must be above 0 and at most a day");
  if (!(scenario.warmup_seconds >= 0 && scenario.warmup_seconds <= kSecondsMax))
    file.fault("warmup_seconds", "must be 0 to a day");
  if (!(scenario.heartbeat_seconds >= 0 && scenario.heartbeat_seconds <= kSecondsMax))
    file.fault("heartbeat_seconds", "must be 0 to a day");
  file.tables("traffic", [&] { scenario.traffic.push_back(read_traffic(file)); });
  file.table("storm", [&] {
    scenario.storm.fraction = file.number("fraction", 1);
    scenario.storm.opening = file.count("opening", scenario.storm.opening);
    if (scenario.storm.fraction > 1) file.fault("fraction", "must be at most 1");
    if (scenario.storm.opening == 0) file.fault("opening", "must be 1 or more");
  });
  std::uint64_t clients = 0;
  std::uint64_t rooms = 0;
  for (const Traffic& one : scenario.traffic) {
    clients += std::uint64_t{one.rooms} * one.members;
    rooms += one.rooms;
  }
  if (clients > kClientsMax)
    file.fault("traffic", "must have at most " + std::to_string(kClientsMax) +
                              " clients, as many as there are source ports");
  if (rooms > kRoomsMax)
    file.fault("traffic", "must have at most " + std::to_string(kRoomsMax) + " rooms");
  const bool is_missed =
      std::any_of(scenario.traffic.begin(), scenario.traffic.end(),
                  [](const Traffic& one) { return one.speaks() && !one.stored; });
  if (scenario.storm.fraction > 0 && is_missed)
    file.fault("storm",
               "and publishes that are not stored exclude each other: who is cut would miss them");
  if (scenario.name.empty()) file.fault("name", "must not be empty");
  if (scenario.traffic.empty()) file.fault("traffic", "must have a table: [[traffic]]");
  if (auto fault = file.finish(); !fault.empty()) return Err{std::move(fault)};
  return scenario;
}

}  // namespace uproar::bench
