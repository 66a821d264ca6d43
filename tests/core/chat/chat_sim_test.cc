// Seeded simulations: shards, a store that is slow, fails and loses answers, FIFO links, clients that come, talk, retry,
// vanish and resume, in any interleaving. A failing seed reproduces itself: UPROAR_SIM_SEED=<n> runs one alone,
// UPROAR_SIM_SEEDS=<n> runs more of them.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "tests/core/chat/simulation.h"

namespace uproar::chat::testing {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run_seeds(std::uint32_t shards, std::uint64_t seeds, int steps, std::uint32_t nodes = 1) {
  const std::uint64_t only = number_from("UPROAR_SIM_SEED", 0);
  seeds = number_from("UPROAR_SIM_SEEDS", seeds);
  SimulationResult sum;
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : seeds); ++seed) {
    const SimulationResult result = Simulation(shards, seed, Plant::kNone, {}, nodes).run(steps);
    const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
    ASSERT_TRUE(result.violations.empty())
        << result.violations.front() << "\nseed " << seed << ", " << nodes << " nodes of " << shards
        << " shards; step by step: UPROAR_SIM_SEED=" << seed
        << " UPROAR_SIM_LOG=1 core_chat_sim_test --gtest_filter='" << test->test_suite_name() << '.'
        << test->name() << "'";
    sum.checked += result.checked;
    sum.repairs += result.repairs;
    sum.evicted += result.evicted;
    sum.pages += result.pages;
    sum.from_nodes += result.from_nodes;
    sum.held += result.held;
    sum.looks += result.looks;
    sum.deaths += result.deaths;
  }
  // The interesting things did happen.
  if (only == 0) {
    EXPECT_GT(sum.checked, seeds * 50);
    EXPECT_GT(sum.repairs, 0U);
    EXPECT_TRUE(nodes > 1 || sum.evicted > 0);
    EXPECT_GT(sum.pages, seeds);
    if (nodes > 1) {
      EXPECT_GT(sum.from_nodes, seeds * 20);
      EXPECT_GT(sum.held, seeds);
      EXPECT_GT(sum.looks, seeds);
      EXPECT_GT(sum.deaths, seeds / 4);
    }
  }
  ::testing::Test::RecordProperty("events_checked", static_cast<int>(sum.checked));
  ::testing::Test::RecordProperty("repairs", static_cast<int>(sum.repairs));
}

TEST(ChatSimulation, one_shard_keeps_its_promises) {
  run_seeds(1, 1000, 3000);
}
TEST(ChatSimulation, three_shards_keep_their_promises) {
  run_seeds(3, 1500, 4000);
}

TEST(ChatSimulation, two_nodes_keep_their_promises) {
  run_seeds(1, 500, 5000, 2);
}
TEST(ChatSimulation, three_nodes_of_two_shards_keep_their_promises) {
  run_seeds(2, 1000, 6000, 3);
}

TEST(ChatSimulation, the_same_seed_gives_the_same_trace) {
  for (const std::uint32_t shards : {1U, 3U}) {
    const SimulationResult first = Simulation(shards, 42).run(3000);
    const SimulationResult second = Simulation(shards, 42).run(3000);
    EXPECT_EQ(first.hash, second.hash);
    EXPECT_NE(first.hash, Simulation(shards, 43).run(3000).hash);
  }
}

struct Planted {
  Plant plant;
  const char* name;
};
class PlantedBug : public ::testing::TestWithParam<Planted> {
 protected:
  // `play(seed)`: a simulation with the bug in it.
  template <class Play>
  void expect_found(Play play) {
    for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
      const SimulationResult result = play(seed);
      if (result.violations.empty()) continue;
      RecordProperty("seed", static_cast<int>(seed));
      RecordProperty("violation", result.violations.front());
      return;
    }
    FAIL() << "no seed shows it";
  }
};
TEST_P(PlantedBug, is_found_by_the_oracle) {
  expect_found([](std::uint64_t seed) { return Simulation(3, seed, GetParam().plant).run(4000); });
}
INSTANTIATE_TEST_SUITE_P(Worlds, PlantedBug,
                         ::testing::Values(Planted{Plant::kAckBeforeCommit, "ack_before_commit"},
                                           Planted{Plant::kLosePublish, "lost_publish"},
                                           Planted{Plant::kRepeatPublish, "repeated_publish"},
                                           Planted{Plant::kOvertake, "overtaking_parcels"},
                                           Planted{Plant::kKeepDropped, "held_frames_kept"},
                                           Planted{Plant::kSkipPage, "lost_page"},
                                           Planted{Plant::kForgetInterest, "forgotten_interest"},
                                           Planted{Plant::kShiftCursor, "shifted_cursor"},
                                           Planted{Plant::kCutIsWhole, "cut_page_taken_for_last"},
                                           Planted{Plant::kForgetRead, "forgotten_read_mark"},
                                           Planted{Plant::kLateLeaving, "late_leaving"},
                                           Planted{Plant::kHideNotLive, "not_live_untold"}),
                         [](const auto& param) { return std::string(param.param.name); });

// The same with a bus between nodes that is wrong on purpose, or a domain that ignores what it says.
class PlantedBugOfNodes : public PlantedBug {};
TEST_P(PlantedBugOfNodes, is_found_by_the_oracle) {
  expect_found(
      [](std::uint64_t seed) { return Simulation(1, seed, GetParam().plant, {}, 3).run(5000); });
}
INSTANTIATE_TEST_SUITE_P(
    Worlds, PlantedBugOfNodes,
    ::testing::Values(Planted{Plant::kAckBeforeCommit, "ack_before_commit"},
                      Planted{Plant::kEarlyPublish, "published_before_commit"},
                      Planted{Plant::kLoseSilently, "bus_loses_in_silence"},
                      Planted{Plant::kRepeatRelay, "double_delivery"},
                      Planted{Plant::kRelayAsItComes, "order_of_arrival"},
                      Planted{Plant::kIgnoreListening, "listening_not_verified"},
                      Planted{Plant::kIgnoreGap, "gap_ignored"},
                      Planted{Plant::kLoseRepair, "lost_repair"},
                      Planted{Plant::kForgetLostPublish, "lost_publish_never_mentioned"},
                      Planted{Plant::kForgetHints, "joining_not_told"},
                      Planted{Plant::kHideNotLive, "not_live_untold"},
                      Planted{Plant::kDeadStayOnline, "dead_stay_online"},
                      Planted{Plant::kLosePresence, "lost_presence"},
                      Planted{Plant::kOldPresenceWins, "old_presence_wins"},
                      Planted{Plant::kOneLeftAllLeft, "one_left_all_left"}),
    [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace uproar::chat::testing
