#include "bench/load/measurement.h"

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

constexpr std::int64_t kMs = 1'000'000;

// Measured from 1,000 to 2,000 ms.
class MeasurementOfASecond : public ::testing::Test {
 protected:
  void begin() { measurement_.begin(1000 * kMs); }
  void end() { measurement_.end(2000 * kMs); }
  void delivered(std::int64_t due_ms, std::int64_t now_ms, bool complete = true) {
    measurement_.delivered(0,
                           {.verdict = DeliveryLedger::Verdict::kDelivered,
                            .due_ns = due_ms * kMs,
                            .complete = complete},
                           now_ms * kMs);
  }
  const TrafficResult& hall() const { return measurement_.traffic()[0]; }

  Measurement measurement_{{"hall", "pairs"}};
};

// The server stalls across the end: this is what the worst latencies are made of.
TEST_F(MeasurementOfASecond, WhatWasDueBeforeTheEndCountsHoweverLateItComes) {
  begin();
  delivered(1500, 1501);
  end();
  delivered(1990, 5000);
  EXPECT_EQ(hall().delivery.count(), 2U);
  EXPECT_EQ(hall().delivery.max_ns(), 3010U * kMs);
  EXPECT_EQ(hall().late, 1U);
  EXPECT_EQ(hall().deliveries, 1U) << "the rate is of what came in the measured time";
  EXPECT_EQ(measurement_.deliveries(), 1U);
}

TEST_F(MeasurementOfASecond, WhatWasDueInTheWarmUpCountsForTheRateAlone) {
  delivered(800, 900);
  begin();
  delivered(900, 1500);
  end();
  EXPECT_EQ(hall().delivery.count(), 0U);
  EXPECT_EQ(hall().late, 0U);
  EXPECT_EQ(hall().deliveries, 1U);
}

TEST_F(MeasurementOfASecond, WhatIsDueAtTheEndOrLaterCountsForNothing) {
  begin();
  end();
  delivered(2000, 2001);
  EXPECT_EQ(hall().delivery.count(), 0U);
  EXPECT_EQ(hall().deliveries, 0U);
}

TEST_F(MeasurementOfASecond, AcknowledgementsAreJudgedAlike) {
  begin();
  measurement_.acknowledged(1, 900 * kMs, 1100 * kMs);
  measurement_.acknowledged(1, 1200 * kMs, 1210 * kMs);
  end();
  measurement_.acknowledged(1, 1900 * kMs, 2900 * kMs);
  const TrafficResult& pairs = measurement_.traffic()[1];
  EXPECT_EQ(pairs.acked, 2U);
  EXPECT_EQ(pairs.ack.count(), 2U);
  EXPECT_EQ(pairs.ack.max_ns(), 1000U * kMs);
  EXPECT_EQ(hall().ack.count(), 0U);
}

TEST_F(MeasurementOfASecond, APublishIsLateOnceAndNotForEachOfItsReaders) {
  begin();
  delivered(1000, 1100, false);
  delivered(1000, 1101);
  delivered(1000, 1050);
  EXPECT_EQ(hall().late, 1U) << "50 ms are in time";
}

TEST_F(MeasurementOfASecond, OnlyWhatWasDeliveredCounts) {
  begin();
  for (const auto verdict : {DeliveryLedger::Verdict::kRepeated, DeliveryLedger::Verdict::kGap,
                             DeliveryLedger::Verdict::kUnknown})
    measurement_.delivered(0, {.verdict = verdict, .due_ns = 1100 * kMs}, 1200 * kMs);
  EXPECT_EQ(hall().deliveries, 0U);
  EXPECT_EQ(hall().delivery.count(), 0U);
}

TEST_F(MeasurementOfASecond, PublishesAreThoseSentMeanwhile) {
  measurement_.published(0);
  begin();
  EXPECT_TRUE(measurement_.is_under_way());
  measurement_.published(0);
  end();
  EXPECT_FALSE(measurement_.is_under_way());
  measurement_.published(0);
  EXPECT_EQ(hall().publishes, 1U);
}

}  // namespace
}  // namespace uproar::bench
