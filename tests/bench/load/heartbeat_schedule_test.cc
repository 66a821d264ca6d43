#include "bench/load/heartbeat_schedule.h"

#include <vector>

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::vector<std::uint32_t> due(HeartbeatSchedule& schedule, std::int64_t now_ns) {
  std::vector<std::uint32_t> out;
  while (const auto client = schedule.next(now_ns)) out.push_back(*client);
  return out;
}

using Clients = std::vector<std::uint32_t>;

TEST(HeartbeatSchedule, EachClientSpeaksAtItsOwnTimeOfAnInterval) {
  HeartbeatSchedule schedule(4, 2, 7 * kSecond);
  EXPECT_EQ(due(schedule, 7 * kSecond), Clients{0});
  EXPECT_EQ(due(schedule, 7 * kSecond + kSecond / 2 - 1), Clients{});
  EXPECT_EQ(due(schedule, 7 * kSecond + kSecond / 2), Clients{1});
  EXPECT_EQ(due(schedule, 8 * kSecond + kSecond / 2), (Clients{2, 3}));
  EXPECT_EQ(due(schedule, 9 * kSecond), Clients{0});
}

TEST(HeartbeatSchedule, AQuarterOfAMillionAreATrickle) {
  HeartbeatSchedule schedule(250'000, 30, 0);
  std::size_t spoken = 0;
  for (std::int64_t ms = 1; ms <= 30'000; ++ms) {
    const std::size_t now = due(schedule, ms * 1'000'000).size();
    ASSERT_LE(now, 10U) << "250,000 in 30,000 ms are 8.3 in one";
    spoken += now;
  }
  EXPECT_NEAR(static_cast<double>(spoken), 250'000, 1) << "each once";
}

TEST(HeartbeatSchedule, WithoutAnIntervalNobodySpeaks) {
  HeartbeatSchedule schedule(4, 0, 0);
  EXPECT_FALSE(schedule.next(0).has_value());
  EXPECT_FALSE(schedule.next(3600 * kSecond).has_value());
}

}  // namespace
}  // namespace uproar::bench
