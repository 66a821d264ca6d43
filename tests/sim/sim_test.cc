// Whole nodes on virtual time: some seeds of what `tools/dev sim` runs more of, and planted bugs, each of which must be
// found.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/quiet_log.h"
#include "tests/sim/run.h"

namespace uproar::sim {
namespace {

std::uint64_t seeds_or(std::uint64_t otherwise) {
  const char* text = std::getenv("UPROAR_SIM_SEEDS");
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class WholeNodes : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { quiet_log(); }
};

TEST_F(WholeNodes, KeepTheirPromises) {
  const std::uint64_t seeds = seeds_or(500);
  RunResult sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const RunResult result = play(seed);
    ASSERT_TRUE(result.violations.empty())
        << result.violations.front()
        << "\nagain, told step by step: tools/dev sim --seeds 1 --from " << seed << " --tell";
    sum.checked += result.checked;
    for (const auto& [what, times] : result.met) sum.met[what] += times;
  }
  EXPECT_GT(sum.checked, seeds * 100);
  if (seeds < 200) return;  // a sample need not meet all of it
  // The interesting things did happen.
  for (const char* what : {"a node dies",
                           "resumes",
                           "repairs",
                           "sync pages",
                           "sends cut short",
                           "receives without a buffer",
                           "conversations forgotten",
                           "heard nothing for too long",
                           "receipts dropped",
                           "events of other nodes",
                           "events before their turn",
                           "looks at the store",
                           "no room for a joining",
                           "a node is cut off",
                           "the bus restarts",
                           "the presence store forgets",
                           "presence of other nodes",
                           "a node dies that is cut off",
                           "second looks",
                           "a node leaves",
                           "a node leaves that is cut off from the bus"}) {
    EXPECT_GT(sum.met[what], seeds / 100) << what;
  }
}

TEST_F(WholeNodes, OfTheSameSeedLiveTheSameLife) {
  const RunResult first = play(42);
  EXPECT_EQ(first.trace, play(42).trace);
  EXPECT_NE(first.trace, play(43).trace);
}

// One at a time is said again: that all are answered takes longer than the peace lasts.
TEST_F(WholeNodes, AnswerAlsoThoseWhoHaveMuchToAsk) {
  sim::Run run(1);
  run.owe_answers(300);
  const RunResult result = run.go();
  EXPECT_TRUE(result.violations.empty()) << result.violations.front();
}

class PlantedBugOfWholeNodes : public WholeNodes,
                               public ::testing::WithParamInterface<PlantInfo> {};

TEST_P(PlantedBugOfWholeNodes, IsFound) {
  constexpr std::uint64_t kSeedsMax = 1'000;
  for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    const RunResult result = play(seed, GetParam().plant);
    if (result.violations.empty()) continue;
    RecordProperty("seed", static_cast<int>(seed));
    RecordProperty("violation", result.violations.front());
    return;
  }
  FAIL() << "no seed shows it: " << GetParam().what;
}
INSTANTIATE_TEST_SUITE_P(Plants, PlantedBugOfWholeNodes,
                         ::testing::ValuesIn(all_plants().begin(), all_plants().end()),
                         [](const auto& plant) { return std::string(plant.param.name); });

}  // namespace
}  // namespace uproar::sim
