#include "core/server/clock_watch.h"

#include <cstdint>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uproar::server {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000;

Now at(std::int64_t monotonic_s, std::int64_t wall_s) {
  return {.monotonic_us = monotonic_s * kSecond, .wall_us = wall_s * kSecond};
}

TEST(ClockWatch, SeesNothingWhileBothClocksGoTogether) {
  ClockWatch watch;
  EXPECT_EQ(watch.look(at(10, 1'700'000'000)), 0) << "the first look compares with nothing";
  EXPECT_EQ(watch.look(at(11, 1'700'000'001)), 0);
  EXPECT_EQ(watch.look(at(3'611, 1'700'003'601)), 0) << "an hour without a turn";
}

TEST(ClockWatch, SeesEachJumpOnceAndByHowMuch) {
  ClockWatch watch;
  (void)watch.look(at(10, 1'700'000'000));
  EXPECT_EQ(watch.look(at(11, 1'700'003'601)), 3'600 * kSecond);
  EXPECT_EQ(watch.look(at(12, 1'700'003'602)), 0);
  EXPECT_EQ(watch.look(at(13, 1'700'000'003)), -3'600 * kSecond);
  EXPECT_EQ(watch.look(at(14, 1'700'000'004)), 0);
}

TEST(ClockWatch, CallsASmallStepNone) {
  ClockWatch watch;
  (void)watch.look({.monotonic_us = 0, .wall_us = 0});
  EXPECT_EQ(watch.look({.monotonic_us = 0, .wall_us = ClockWatch::kJumpUs - 1}), 0);
  EXPECT_EQ(watch.look({.monotonic_us = 0, .wall_us = 0}), 0);
  EXPECT_EQ(watch.look({.monotonic_us = 0, .wall_us = -ClockWatch::kJumpUs}), -ClockWatch::kJumpUs);
}

TEST(ClockWatch, SaysWhatItDoesAndWhatToTry) {
  for (const std::int64_t jump : {-3'600 * kSecond, 3'600 * kSecond}) {
    EXPECT_THAT(describe_jump(jump), HasSubstr(jump < 0 ? "back by 3600 s" : "forward by 3600 s"));
    EXPECT_THAT(describe_jump(jump), HasSubstr(". Try: look at the time service"));
  }
}

}  // namespace
}  // namespace uproar::server
