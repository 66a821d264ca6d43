#include "core/gateway/rate_buckets.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

Now at(std::int64_t us) {
  return {.monotonic_us = us, .wall_us = 0};
}

constexpr std::int64_t a_minute(std::uint32_t tokens) {
  return 60 * kSecondUs / tokens;
}

// Every test begins a day after boot: nothing may depend on the clock being near zero.
constexpr std::int64_t kStart = 86'400 * kSecondUs;

TEST(RateBuckets, GrantsTheBurstAtOnceAndThenNamesTheExactWait) {
  RateBuckets buckets(
      {.burst = 10, .us_per_token = a_minute(10), .buckets_max = 100});  // one token in six seconds
  for (int i = 0; i < 10; ++i) EXPECT_EQ(buckets.take(1, at(kStart)), 0U) << i;
  EXPECT_EQ(buckets.take(1, at(kStart)), 6000U);
  EXPECT_EQ(buckets.take(1, at(kStart + 1)), 6000U)
      << "a begun millisecond counts whole: 5,999.999";
  EXPECT_EQ(buckets.take(1, at(kStart + 1000)), 5999U);
  EXPECT_EQ(buckets.take(1, at(kStart + 6 * kSecondUs - 1)), 1U);
}

TEST(RateBuckets, WaitingAsLongAsToldIsEnoughAndOneMicrosecondLessIsNot) {
  for (const std::uint32_t per_minute : {1U, 7U, 10U, 60U, 1'000U, 1'000'000U}) {
    RateBuckets buckets({.burst = 3, .us_per_token = a_minute(per_minute), .buckets_max = 100});
    for (int i = 0; i < 3; ++i) ASSERT_EQ(buckets.take(1, at(kStart)), 0U);
    const std::int64_t us_per_token = 60 * kSecondUs / per_minute;
    EXPECT_NE(buckets.take(1, at(kStart + us_per_token - 1)), 0U) << per_minute;
    const std::uint32_t wait_ms = buckets.take(1, at(kStart));
    EXPECT_EQ(buckets.take(1, at(kStart + wait_ms * 1000LL)), 0U) << per_minute;
  }
}

TEST(RateBuckets, ARefusalCostsNothing) {
  RateBuckets buckets({.burst = 1, .us_per_token = a_minute(60), .buckets_max = 100});
  EXPECT_EQ(buckets.take(1, at(kStart)), 0U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(buckets.take(1, at(kStart)), 1000U);
  EXPECT_EQ(buckets.take(1, at(kStart + kSecondUs)), 0U);
}

TEST(RateBuckets, RefillsOneTokenAtATimeAndNeverBeyondTheBurst) {
  RateBuckets buckets({.burst = 4, .us_per_token = a_minute(60), .buckets_max = 100});
  for (int i = 0; i < 4; ++i) ASSERT_EQ(buckets.take(1, at(kStart)), 0U);
  const std::int64_t later = kStart + 2 * kSecondUs;
  EXPECT_EQ(buckets.take(1, at(later)), 0U);
  EXPECT_EQ(buckets.take(1, at(later)), 0U);
  EXPECT_EQ(buckets.take(1, at(later)), 1000U) << "two seconds are two tokens";
  const std::int64_t much_later = kStart + 3600 * kSecondUs;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(buckets.take(1, at(much_later)), 0U);
  EXPECT_NE(buckets.take(1, at(much_later)), 0U) << "an hour is no more than a burst";
}

TEST(RateBuckets, KeysDoNotShareTokens) {
  RateBuckets buckets({.burst = 1, .us_per_token = a_minute(60), .buckets_max = 100});
  EXPECT_EQ(buckets.take(1, at(kStart)), 0U);
  EXPECT_EQ(buckets.take(2, at(kStart)), 0U);
  EXPECT_NE(buckets.take(1, at(kStart)), 0U);
  EXPECT_NE(buckets.take(2, at(kStart)), 0U);
}

TEST(RateBuckets, TheTableStaysBoundedUnderAFloodOfNewKeys) {
  RateBuckets buckets({.burst = 2, .us_per_token = a_minute(1), .buckets_max = 64});
  for (std::uint64_t key = 0; key < 100'000; ++key) {
    ASSERT_EQ(buckets.take(key, at(kStart)), 0U);
    ASSERT_LE(buckets.size(), 64U);
  }
}

TEST(RateBuckets, AtItsLimitTheTableForgetsTheOldestAndKeepsTheNewest) {
  RateBuckets buckets({.burst = 1, .us_per_token = a_minute(1), .buckets_max = 4});
  for (std::uint64_t key = 1; key <= 5; ++key) ASSERT_EQ(buckets.take(key, at(kStart)), 0U);
  EXPECT_NE(buckets.take(5, at(kStart)), 0U) << "the last one is still known to be empty";
}

TEST(RateBuckets, BucketsThatAreFullAgainAreForgotten) {
  RateBuckets buckets({.burst = 1, .us_per_token = a_minute(60), .buckets_max = 1000});
  for (std::uint64_t key = 0; key < 100; ++key) (void)buckets.take(key, at(kStart));
  EXPECT_EQ(buckets.size(), 100U);
  // Each call looks at two, so half as many calls clear them all; one bucket is left, the caller's own.
  for (int i = 0; i < 51; ++i) (void)buckets.take(1'000, at(kStart + 10 * kSecondUs));
  EXPECT_EQ(buckets.size(), 1U);
}

TEST(RateBuckets, AnEmptyBucketIsNotForgottenWhileThereIsRoom) {
  RateBuckets buckets({.burst = 1, .us_per_token = a_minute(1), .buckets_max = 1000});
  ASSERT_EQ(buckets.take(7, at(kStart)), 0U);
  for (std::uint64_t key = 100; key < 600; ++key) (void)buckets.take(key, at(kStart + kSecondUs));
  EXPECT_NE(buckets.take(7, at(kStart + 59 * kSecondUs)), 0U);
  EXPECT_EQ(buckets.take(7, at(kStart + 60 * kSecondUs)), 0U);
}

TEST(RateBuckets, TakesSeveralAndGivesBackWhatCostNothing) {
  RateBuckets buckets({.burst = 10, .us_per_token = kSecondUs, .buckets_max = 100});
  EXPECT_EQ(buckets.take(1, at(kStart), 10), 0U);
  EXPECT_EQ(buckets.take(1, at(kStart), 3), 3000U);
  buckets.give_back(1, 2);
  EXPECT_EQ(buckets.take(1, at(kStart), 3), 1000U);
  EXPECT_EQ(buckets.take(1, at(kStart), 2), 0U);
  buckets.give_back(7, 5);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(buckets.take(7, at(kStart)), 0U) << i;
  EXPECT_NE(buckets.take(7, at(kStart)), 0U) << "nobody gets more than the burst";
}

TEST(RateBuckets, GivingBackMoreThanWasTakenFillsNoMoreThanTheBucket) {
  RateBuckets buckets({.burst = 2, .us_per_token = kSecondUs, .buckets_max = 100});
  EXPECT_EQ(buckets.take(1, at(kStart)), 0U);
  buckets.give_back(1, 100);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(buckets.take(1, at(kStart)), 0U) << i;
  EXPECT_NE(buckets.take(1, at(kStart)), 0U);
}

TEST(RateBuckets, WithoutALimitEverythingIsGrantedAndNothingRemembered) {
  RateBuckets buckets({.burst = 0, .us_per_token = 0, .buckets_max = 100});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(buckets.take(1, at(kStart)), 0U);
  EXPECT_EQ(buckets.size(), 0U);
}

}  // namespace
}  // namespace uproar::gateway
