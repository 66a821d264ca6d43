#include "bench/load/ack_ledger.h"

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

TEST(AckLedger, AnAcknowledgementFindsItsOwnPublish) {
  AckLedger acks;
  acks.published(7, {.due_ns = 70, .traffic = 1});
  acks.published(8, {.due_ns = 80, .traffic = 2});
  const auto publish = acks.acknowledged(R"(8,"message_id":"x"})");
  ASSERT_TRUE(publish);
  EXPECT_EQ(publish->due_ns, 80);
  EXPECT_EQ(publish->traffic, 2U);
  EXPECT_EQ(acks.waiting(), 1U);
  EXPECT_EQ(acks.strange(), 0U);
}

// However many were published meanwhile: a late one must not be taken for that of a newer publish.
TEST(AckLedger, ALateOneHasTheTimeOfItsOwnPublish) {
  AckLedger acks;
  for (std::uint64_t n = 0; n < 200'000; ++n)
    acks.published(n, {.due_ns = static_cast<std::int64_t>(n) + 1});
  for (const std::uint64_t n : {0U, 65'536U, 131'072U}) {
    const auto publish = acks.acknowledged(std::to_string(n));
    ASSERT_TRUE(publish) << n;
    EXPECT_EQ(publish->due_ns, static_cast<std::int64_t>(n) + 1);
  }
  EXPECT_EQ(acks.waiting(), 199'997U) << "the others are missing";
}

TEST(AckLedger, WhatNothingWaitsForIsStrange) {
  AckLedger acks;
  acks.published(0, {.due_ns = 1});
  for (const char* text : {"", "x", "1", "\"0\"", "99999999999999999999"})
    EXPECT_FALSE(acks.acknowledged(text)) << text;
  EXPECT_EQ(acks.strange(), 5U);
  EXPECT_TRUE(acks.acknowledged("0,")) << "none of these was taken for number 0";
  EXPECT_FALSE(acks.acknowledged("0,")) << "each is acknowledged once";
  EXPECT_EQ(acks.strange(), 6U);
}

}  // namespace
}  // namespace uproar::bench
