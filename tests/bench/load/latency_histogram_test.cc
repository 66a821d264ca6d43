#include "bench/load/latency_histogram.h"

#include <cmath>

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

TEST(LatencyHistogram, IsExactBelow64AndWithinA64thAbove) {
  for (std::uint64_t ns :
       {0ULL, 1ULL, 63ULL, 64ULL, 100ULL, 12'345ULL, 1'000'000ULL, 987'654'321'000ULL}) {
    LatencyHistogram histogram;
    histogram.record(ns);
    histogram.record(ns + ns / 2 + 1'000);  // so that the maximum does not cut the answer
    const auto seen = static_cast<double>(histogram.quantile_ns(0.5));
    EXPECT_GE(seen, static_cast<double>(ns));
    EXPECT_LE(seen, static_cast<double>(ns) * (1 + 1.0 / 64)) << ns;
  }
}

TEST(LatencyHistogram, EachBucketEndsWhereTheNextBegins) {
  for (std::size_t i = 0; i + 1 < LatencyHistogram::kBuckets; ++i) {
    const std::uint64_t end = LatencyHistogram::upper_bound(i);
    ASSERT_EQ(LatencyHistogram::bucket_of(end), i);
    ASSERT_EQ(LatencyHistogram::bucket_of(end + 1), i + 1);
  }
}

TEST(LatencyHistogram, QuantilesOfOneToAThousand) {
  LatencyHistogram histogram;
  for (std::uint64_t us = 1; us <= 1000; ++us) histogram.record(us * 1000);
  EXPECT_NEAR(static_cast<double>(histogram.quantile_ns(0.5)), 500e3, 500e3 / 64);
  EXPECT_NEAR(static_cast<double>(histogram.quantile_ns(0.99)), 990e3, 990e3 / 64);
  EXPECT_EQ(histogram.quantile_ns(1), 1'000'000U);
  EXPECT_EQ(histogram.max_ns(), 1'000'000U);
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), 500'500);
  EXPECT_EQ(histogram.count(), 1000U);
}

// At least q of all values: rounded down, ten of them would have the p99 of the second greatest.
TEST(LatencyHistogram, AQuantileOfFewIsNotRoundedDown) {
  LatencyHistogram histogram;
  for (std::uint64_t i = 1; i <= 9; ++i) histogram.record(i);
  histogram.record(60);
  EXPECT_EQ(histogram.quantile_ns(0.99), 60U);
  EXPECT_EQ(histogram.quantile_ns(0.9), 9U);
  EXPECT_EQ(histogram.quantile_ns(0.91), 60U);
  EXPECT_EQ(histogram.quantile_ns(0.7), 7U)
      << "a product a little above a whole number is that number";
  EXPECT_EQ(histogram.quantile_ns(0), 1U);
}

TEST(LatencyHistogram, SaysNothingOfNothing) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.quantile_ns(0.99), 0U);
  EXPECT_EQ(histogram.mean_ns(), 0);
}

}  // namespace
}  // namespace uproar::bench
