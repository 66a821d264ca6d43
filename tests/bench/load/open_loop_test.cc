#include "bench/load/open_loop.h"

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(OpenLoop, TheFirstIsDueAtOnceAndEachOtherAtItsTime) {
  const OpenLoop loop{.per_second = 50, .begun_ns = 7 * kMs};
  EXPECT_EQ(loop.due_by(7 * kMs), 1U);
  EXPECT_EQ(loop.due_by(26 * kMs), 1U);
  EXPECT_EQ(loop.due_by(28 * kMs), 2U);
  EXPECT_EQ(loop.due_ns(0), 7 * kMs);
  EXPECT_EQ(loop.due_ns(3), 67 * kMs);
}

// Said later than this, a publish would carry the tool's own delay as if it were the server's.
TEST(OpenLoop, NoPublishWaitsForTheTimeOfTheNext) {
  const OpenLoop loop{.per_second = 200, .begun_ns = 0};
  for (std::uint64_t k = 0; k < 1000; ++k) {
    EXPECT_GE(loop.due_by(loop.due_ns(k) + 1000), k + 1);
    EXPECT_LE(loop.due_by(loop.due_ns(k)), k + 1);
  }
}

}  // namespace
}  // namespace uproar::bench
