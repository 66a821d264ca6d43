#include "core/chat/request_buckets.h"

#include <gtest/gtest.h>

namespace uproar::chat {
namespace {

constexpr std::uint32_t kPerS = 100;
constexpr std::uint32_t kBurst = 400;
constexpr std::int64_t kNowUs = 1'000'000'000;

UserId user(std::uint64_t number) {
  return UserId(Uuid{.high = number, .low = 0});
}

TEST(RequestBuckets, NobodySpendsWhatIsOfSomebodyElse) {
  RequestBuckets buckets;
  constexpr std::uint64_t kUsers = 20'000;
  for (std::uint64_t i = 0; i < kUsers; ++i) {
    RateBucket& bucket = buckets.of(user(i), kNowUs);
    ASSERT_EQ(bucket.wait_us(kBurst, kPerS, kBurst, kNowUs), 0) << i;
    bucket.take(kBurst, kPerS, kNowUs);
  }
  for (std::uint64_t i = 0; i < kUsers; ++i)
    ASSERT_GT(buckets.of(user(i), kNowUs).wait_us(1, kPerS, kBurst, kNowUs), 0) << i;
}

TEST(RequestBuckets, AreForgottenOnceTheyAreFullAgain) {
  RequestBuckets buckets;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const std::int64_t now_us = kNowUs + static_cast<std::int64_t>(i) * 10'000;
    buckets.of(user(i), now_us).take(1, kPerS, now_us);
  }
  EXPECT_LE(buckets.size(), kRequestBucketsSweptAbove);
}

TEST(RequestBuckets, WhoHasUsedMostIsKeptWhereThereIsNoRoom) {
  RequestBuckets buckets;
  buckets.of(user(0), kNowUs).take(kBurst, kPerS, kNowUs);
  for (std::uint64_t i = 1; i < 3 * kRequestBucketsMax; ++i) {
    buckets.of(user(i), kNowUs).take(1 + i % 8, kPerS, kNowUs);
    ASSERT_LE(buckets.size(), kRequestBucketsMax) << i;
  }
  EXPECT_GT(buckets.of(user(0), kNowUs).wait_us(1, kPerS, kBurst, kNowUs), 0);
}

}  // namespace
}  // namespace uproar::chat
