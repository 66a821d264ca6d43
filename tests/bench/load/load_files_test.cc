// The files of bench/scenarios and bench/targets: each that is committed can be read, and each mistake is named.

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "bench/load/scenario.h"
#include "bench/load/target.h"

namespace uproar::bench {
namespace {

class LoadFiles : public ::testing::Test {
 protected:
  ~LoadFiles() override { std::filesystem::remove(path_); }

  std::string file(const std::string& text) const {
    std::ofstream(path_) << text;
    return path_;
  }
  std::string scenario_fault(const std::string& text,
                             const std::vector<std::string>& overrides = {}) const {
    const auto scenario = read_scenario(file(text), overrides);
    return scenario ? "" : scenario.error();
  }
  std::string target_fault(const std::string& text) const {
    const auto target = read_target(file(text));
    return target ? "" : target.error();
  }

  const std::string path_ =
      ::testing::TempDir() + "uproar-load-" + std::to_string(::getpid()) + ".toml";
};

constexpr const char* kHall = "name = \"x\"\n[[traffic]]\nname = \"hall\"\nmembers = 10\n";

TEST_F(LoadFiles, WhatIsCommittedCanBeRead) {
  std::size_t read = 0;
  for (const auto& entry : std::filesystem::directory_iterator("bench/scenarios")) {
    if (entry.path().extension() != ".toml") continue;
    const auto scenario = read_scenario(entry.path(), {});
    ASSERT_TRUE(scenario) << scenario.error();
    EXPECT_EQ(scenario->name, entry.path().stem());
    ++read;
  }
  for (const auto& entry : std::filesystem::directory_iterator("bench/targets")) {
    if (entry.path().extension() != ".toml") continue;
    const auto target = read_target(entry.path());
    ASSERT_TRUE(target) << target.error();
    EXPECT_EQ(target->name, entry.path().stem());
    ++read;
  }
  EXPECT_GE(read, 7U);
}

TEST_F(LoadFiles, AnOverrideReachesTheFileATableAndATraffic) {
  const auto scenario = read_scenario(file(std::string(kHall).append("[storm]\nfraction = 0.5\n")),
                                      {"seconds=2.5", "heartbeat_seconds=0.5", "memory_steps=4",
                                       "hall.publishers=3", "storm.opening=7"});
  ASSERT_TRUE(scenario) << scenario.error();
  EXPECT_EQ(scenario->seconds, 2.5);
  EXPECT_EQ(scenario->heartbeat_seconds, 0.5);
  EXPECT_EQ(scenario->memory_steps, 4U);
  EXPECT_EQ(scenario->traffic[0].publishers, 3U);
  EXPECT_EQ(scenario->storm.opening, 7U);
  EXPECT_EQ(scenario->clients(), 10U);
}

TEST_F(LoadFiles, MistakesAreNamedWithFileAndKey) {
  const std::string hall = kHall;
  EXPECT_EQ(scenario_fault(hall + "membres = 3\n"),
            path_ + ": traffic.membres: is not a key of this file");
  EXPECT_EQ(scenario_fault(hall + "rooms = \"one\"\n"),
            path_ + ": traffic.rooms: must be a whole number, 0 or more");
  EXPECT_EQ(scenario_fault(hall + "rooms = -1\n"),
            path_ + ": traffic.rooms: must be a whole number, 0 or more");
  EXPECT_EQ(scenario_fault(hall + "silent = 10\n"),
            path_ + ": traffic.members: must be at least publishers and silent ones together");
  EXPECT_EQ(
      scenario_fault(hall + "payload_bytes = 8\n"),
      path_ + ": traffic.payload_bytes: must be at least 32, the length of the name of a publish");
  EXPECT_EQ(scenario_fault(hall, {"hall.in_flight=1", "hall.publishes_per_second=2"}),
            path_ +
                ": traffic.in_flight: and publishes_per_second exclude each other: closed loop or "
                "open loop");
  const std::string storm = "[storm]\nfraction = 1.0\n";
  EXPECT_EQ(scenario_fault(hall + storm, {"hall.in_flight=1"}),
            path_ +
                ": storm: and publishes that are not stored exclude each other: who is cut would "
                "miss them");
  EXPECT_EQ(scenario_fault(hall + storm, {"hall.in_flight=1", "hall.stored=true"}), "");
  // 100,000 * 42,950 is 2,704 in 32 bits.
  EXPECT_EQ(
      scenario_fault(hall, {"hall.rooms=100000", "hall.members=42950"}),
      path_ + ": traffic: must have at most 1386000 clients, as many as there are source ports");
  EXPECT_EQ(scenario_fault(hall, {"hall.rooms=1000000", "hall.members=1"}),
            path_ + ": traffic: must have at most 999999 rooms");
  EXPECT_EQ(scenario_fault(hall, {"hall.rooms=999999", "hall.members=1"}), "");
  for (const char* seconds : {"0", "inf", "nan", "1e300"})
    EXPECT_NE(scenario_fault(hall, {"seconds=" + std::string(seconds)}), "") << seconds;
  EXPECT_NE(scenario_fault(hall, {"warmup_seconds=1e12"}), "");
  EXPECT_NE(scenario_fault(hall, {"hall.in_flight=0", "hall.publishes_per_second=inf"}), "");
  EXPECT_NE(scenario_fault(hall + "in_flight = 1\n[storm]\n"), "");
  EXPECT_EQ(scenario_fault(hall, {"lobby.rooms=1"}),
            path_ + ": lobby.rooms=1: there is no table of that name");
  EXPECT_EQ(scenario_fault("name = \"x\"\n"), path_ + ": traffic: must have a table: [[traffic]]");
  EXPECT_TRUE(scenario_fault("name = \n").starts_with(path_ + ": line 1: "))
      << scenario_fault("name = \n");
  EXPECT_FALSE(read_scenario("nowhere.toml", {}).ok());
}

TEST_F(LoadFiles, TemplatesAreFilledAndUnknownPlaceholdersNamed) {
  const auto parsed = Template::parse("a$room-$n$data");
  ASSERT_TRUE(parsed);
  PlaceholderValues values;
  values[Placeholder::kRoom] = "R";
  values[Placeholder::kN] = "7";
  std::string out = ">";
  parsed->fill(values, out);
  EXPECT_EQ(out, ">aR-7");
  EXPECT_EQ(target_fault("name = \"x\"\npath = \"/\"\npublish = \"$who\"\n"),
            path_ +
                ": publish: unknown placeholder at '$who'; there are $room, $client, $data, $n, "
                "$token, $size and $cursor");
  EXPECT_EQ(target_fault("name = \"x\"\npath = \"/\"\n"), path_ + ": publish: must not be empty");
}

TEST_F(LoadFiles, ASizeCountsWhatStandsBetweenItsLineAndTheLastLineEnd) {
  const auto parsed = Template::parse("CONNECT {}\r\nPUB $room $size\r\n{\"data\":\"$data\"}\r\n");
  ASSERT_TRUE(parsed);
  PlaceholderValues values;
  values[Placeholder::kRoom] = "R";
  values[Placeholder::kData] = "12345";
  std::string out = "SUB R 1\r\n";
  parsed->fill(values, out);
  EXPECT_EQ(out, "SUB R 1\r\nCONNECT {}\r\nPUB R 16\r\n{\"data\":\"12345\"}\r\n");
  for (const char* endless : {"PUB $size", "PUB $size\r\n", "PUB $size\r\n$data"})
    EXPECT_FALSE(Template::parse(endless).ok()) << endless;
}

}  // namespace
}  // namespace uproar::bench
