#include "core/gateway/revocations.h"

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000;

// The clocks go together, unless the wall clock has `jumped`.
Now at(std::int64_t wall_us, std::int64_t jumped_us = 0) {
  return {.monotonic_us = wall_us - kStart - jumped_us, .wall_us = wall_us};
}
SessionId session(std::uint64_t number) {
  return SessionId(Uuid{.high = 2, .low = number});
}

TEST(Revocations, AreKnownFromTheMomentTheyAreAdded) {
  Revocations revocations;
  EXPECT_FALSE(revocations.contains(session(1)));
  EXPECT_TRUE(revocations.add(session(1), kStart));
  EXPECT_FALSE(revocations.add(session(1), kStart + 1)) << "known already";
  EXPECT_TRUE(revocations.contains(session(1)));
  EXPECT_FALSE(revocations.contains(session(2)));
}

TEST(Revocations, AreRememberedForTheLifeOfAnAccessTokenAndNoLonger) {
  Revocations revocations;
  revocations.add(session(1), kStart);
  revocations.trim(at(kStart + kAccessTokenLifeUs - 1));
  EXPECT_TRUE(revocations.contains(session(1)))
      << "a token made just before the logout is still unexpired";
  revocations.trim(at(kStart + kAccessTokenLifeUs));
  EXPECT_FALSE(revocations.contains(session(1)));
}

TEST(Revocations, AreForgottenOldestFirst) {
  Revocations revocations;
  revocations.add(session(1), kStart);
  revocations.add(session(2), kStart + 60'000'000);
  revocations.trim(at(kStart + kAccessTokenLifeUs));
  EXPECT_FALSE(revocations.contains(session(1)));
  EXPECT_TRUE(revocations.contains(session(2)));
}

TEST(
    Revocations,
    ToldTwiceAreStillForgottenOnce) {  // told by the shard of the logout, and read from the store at start
  Revocations revocations;
  revocations.add(session(1), kStart);
  revocations.add(session(1), kStart + 10);
  revocations.trim(at(kStart + kAccessTokenLifeUs));
  EXPECT_FALSE(revocations.contains(session(1)));
  revocations.trim(at(kStart + 2 * kAccessTokenLifeUs));
  revocations.add(session(1), kStart + 2 * kAccessTokenLifeUs);
  EXPECT_TRUE(revocations.contains(session(1)));
}

TEST(Revocations, OutliveAClockThatJumpsForwardAndBack) {
  constexpr std::int64_t kHour = 3'600'000'000;
  Revocations revocations;
  revocations.trim(at(kStart));
  revocations.add(session(1), kStart);
  revocations.trim(at(kStart + kHour, kHour));
  revocations.trim(at(kStart + 1));
  EXPECT_TRUE(revocations.contains(session(1))) << "its token is good again";
  revocations.trim(at(kStart + kAccessTokenLifeUs));
  EXPECT_FALSE(revocations.contains(session(1)));
}

TEST(Revocations, MadeAheadOfTimeStayUntilTheirTokensExpire) {
  constexpr std::int64_t kHour = 3'600'000'000;
  Revocations revocations;
  revocations.trim(at(kStart + kHour, kHour));
  revocations.add(session(1), kStart + kHour);
  revocations.trim(at(kStart + kAccessTokenLifeUs));
  EXPECT_TRUE(revocations.contains(session(1)))
      << "the clock was set back; the token is not used up";
  revocations.trim(at(kStart + kHour + kAccessTokenLifeUs));
  EXPECT_FALSE(revocations.contains(session(1)));
}

TEST(Revocations, BeyondTheLimitLoseTheOldest) {
  Revocations revocations;
  for (std::uint64_t i = 0; i < kRevokedMax + 10; ++i) revocations.add(session(i), kStart);
  EXPECT_EQ(revocations.counters().forgotten_early.value(), 10U);
  for (std::uint64_t i = 0; i < 10; ++i) EXPECT_FALSE(revocations.contains(session(i))) << i;
  EXPECT_TRUE(revocations.contains(session(10)));
  EXPECT_TRUE(revocations.contains(session(kRevokedMax + 9)));
  revocations.trim(at(kStart + kAccessTokenLifeUs));
  EXPECT_EQ(revocations.counters().forgotten_early.value(), 10U) << "in time is not early";
}

}  // namespace
}  // namespace uproar::gateway
