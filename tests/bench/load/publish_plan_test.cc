#include "bench/load/publish_plan.h"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

constexpr std::int64_t kMs = 1'000'000;

Scenario hall_and_pairs() {
  Scenario scenario;
  scenario.traffic.push_back({.name = "hall", .members = 10, .publishers = 2, .in_flight = 1});
  scenario.traffic.push_back(
      {.name = "pairs", .rooms = 2, .publishers = 2, .publishes_per_second = 100});
  return scenario;
}

TEST(PublishPlan, GoesRoundTheRoomsThenRoundTheirPublishers) {
  PublishPlan plan(hall_and_pairs());
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (int i = 0; i < 5; ++i) {
    const auto turn = plan.next(1, 7);
    EXPECT_EQ(turn.due_ns, 7);
    pairs.emplace_back(turn.room, turn.publisher);
  }
  EXPECT_EQ(pairs, (decltype(pairs){{1, 0}, {2, 0}, {1, 1}, {2, 1}, {1, 0}}));
  EXPECT_EQ(plan.next(0, 0).publisher, 0U);
  EXPECT_EQ(plan.next(0, 0).publisher, 1U) << "each traffic has its own round";
}

// Otherwise the tool's own delay would be left out of the latencies.
TEST(PublishPlan, WhatIsAskedForLateIsStillDueAtItsTime) {
  PublishPlan plan(hall_and_pairs());
  EXPECT_FALSE(plan.due(1, 1000 * kMs)) << "not begun";
  plan.begin(1000 * kMs);
  std::vector<std::int64_t> due;
  while (const auto turn = plan.due(1, 1035 * kMs)) due.push_back(turn->due_ns / kMs);
  EXPECT_EQ(due, (std::vector<std::int64_t>{1000, 1010, 1020, 1030}));
  EXPECT_FALSE(plan.due(1, 1039 * kMs));
  EXPECT_TRUE(plan.due(1, 1041 * kMs));
}

TEST(PublishPlan, AClosedLoopIsNeverDue) {
  PublishPlan plan(hall_and_pairs());
  plan.begin(0);
  EXPECT_FALSE(plan.due(0, 3'600'000 * kMs));
}

}  // namespace
}  // namespace uproar::bench
