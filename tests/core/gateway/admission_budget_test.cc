// A storm of clients that all come at once and obey: how long until all are in, and how even that is.

#include "core/gateway/admission_budget.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

Now at_ms(std::int64_t ms) {
  return {.monotonic_us = 86'400'000'000 + ms * 1000, .wall_us = 0};
}

TEST(AdmissionBudget, LetsOneSecondsWorthInAtOnceAndThenASteadyPace) {
  AdmissionBudget budget(100);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(budget.admit(at_ms(0), 0), 0U) << i;
  EXPECT_NE(budget.admit(at_ms(0), 0), 0U);
  EXPECT_NE(budget.admit(at_ms(9), 0), 0U);
  EXPECT_EQ(budget.admit(at_ms(10), 0), 0U);
  EXPECT_NE(budget.admit(at_ms(10), 0), 0U);
}

TEST(AdmissionBudget, WhoOnlyLooksTakesNothing) {
  AdmissionBudget budget(100);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(budget.wait_ms(at_ms(0), 0), 0U) << i;
  for (int i = 0; i < 100; ++i) budget.take(at_ms(0));
  EXPECT_NE(budget.wait_ms(at_ms(0), 0), 0U);
  EXPECT_EQ(budget.wait_ms(at_ms(10), 0), 0U);
}

// Who was let in on sight may be one too many: the next ones wait for it.
TEST(AdmissionBudget, WhatIsTakenBeyondItIsOwed) {
  AdmissionBudget budget(100);
  for (int i = 0; i < 150; ++i) budget.take(at_ms(0));
  EXPECT_NE(budget.wait_ms(at_ms(500), 0), 0U);
  EXPECT_EQ(budget.wait_ms(at_ms(510), 0), 0U);
}

TEST(AdmissionBudget, WithoutABoundTurnsNobodyAway) {
  AdmissionBudget budget(0);
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(budget.admit(at_ms(0), 0), 0U);
}

TEST(AdmissionBudget, TellsEachAnotherTimeAtThePaceOfTheBudget) {
  AdmissionBudget budget(1000);
  while (budget.admit(at_ms(0), 0) == 0) {
  }
  std::uint32_t last_ms = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t wait_ms = budget.admit(at_ms(0), 0);
    EXPECT_GE(wait_ms, last_ms);
    last_ms = wait_ms;
  }
  EXPECT_NEAR(last_ms, kReturnMsMin + 1000, 2);
}

TEST(AdmissionBudget, StaysWithinItsBoundsWhateverIsRolled) {
  AdmissionBudget budget(1);
  (void)budget.admit(at_ms(0), 0);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint32_t wait_ms = budget.admit(at_ms(0), i * 0x9E3779B9U);
    ASSERT_GE(wait_ms, kReturnMsMin);
    ASSERT_LE(wait_ms, kReturnMsMax + kReturnMsMax / 4);
  }
}

// 15,000 at the same millisecond, 1,000 a second: 14 s if each found its place at the first attempt. Jitter and the places
// of those who come late cost some; nobody is turned away often, and no 100 ms see a wave.
TEST(AdmissionBudget, AStormOfThoseWhoObeyIsInSoonAndEvenly) {
  constexpr int kClients = 15'000;
  AdmissionBudget budget(1000);
  struct Attempt {
    std::int64_t at_ms;
    int number;
    int refusals;
    bool operator>(const Attempt& other) const {
      return at_ms != other.at_ms ? at_ms > other.at_ms : number > other.number;
    }
  };
  std::priority_queue<Attempt, std::vector<Attempt>, std::greater<>> attempts;
  for (int i = 0; i < kClients; ++i) attempts.push({0, i, 0});
  std::map<std::int64_t, int> tries_of_tick;  // 100 ms each
  std::int64_t last_ms = 0;
  int refusals_max = 0;
  std::uint64_t random = 1;
  while (!attempts.empty()) {
    const Attempt attempt = attempts.top();
    attempts.pop();
    if (attempt.refusals > 0) ++tries_of_tick[attempt.at_ms / 100];
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::uint32_t wait_ms = budget.admit(at_ms(attempt.at_ms), random >> 33);
    if (wait_ms == 0) {
      last_ms = attempt.at_ms;
      refusals_max = std::max(refusals_max, attempt.refusals);
      continue;
    }
    attempts.push({attempt.at_ms + wait_ms, attempt.number, attempt.refusals + 1});
  }
  int busiest = 0;
  for (const auto& [tick, tries] : tries_of_tick) busiest = std::max(busiest, tries);
  EXPECT_LE(last_ms, 22'000);
  EXPECT_LE(refusals_max, 4);
  EXPECT_LE(busiest, 200) << "twice the pace";
}

}  // namespace
}  // namespace uproar::gateway
