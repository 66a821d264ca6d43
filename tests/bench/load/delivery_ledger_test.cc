#include "bench/load/delivery_ledger.h"

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

using Verdict = DeliveryLedger::Verdict;

// Two rooms: clients 0, 1, 2 (0 and 1 publish), then 3 and 4 (4 never reads).
class Ledger : public ::testing::Test {
 protected:
  Verdict hears(std::uint32_t room, std::uint32_t client, std::uint32_t publisher,
                std::uint64_t number) {
    return ledger_.delivered(room, client, {.room = room, .publisher = publisher, .number = number})
        .verdict;
  }
  DeliveryLedger ledger_{{{.members = 3, .readers = 3, .publishers = 2},
                          {.members = 2, .readers = 1, .publishers = 1}}};
};

TEST_F(Ledger, APublishIsCompleteWithItsLastReader) {
  EXPECT_EQ(ledger_.published(0, 0, 17), 0U);
  EXPECT_FALSE(ledger_.delivered(0, 0, {.publisher = 0, .number = 0}).complete);
  EXPECT_FALSE(ledger_.delivered(0, 2, {.publisher = 0, .number = 0}).complete);
  EXPECT_EQ(ledger_.under_way(), 1U);
  EXPECT_EQ(ledger_.missing(), 1U);
  const auto last = ledger_.delivered(0, 1, {.publisher = 0, .number = 0});
  EXPECT_TRUE(last.complete);
  EXPECT_EQ(last.due_ns, 17);
  EXPECT_EQ(ledger_.under_way(), 0U);
  EXPECT_EQ(ledger_.missing(), 0U);
}

TEST_F(Ledger, WhoNeverReadsIsNotWaitedFor) {
  ledger_.published(1, 0, 0);
  EXPECT_TRUE(ledger_.delivered(1, 3, {.room = 1, .publisher = 0, .number = 0}).complete);
}

TEST_F(Ledger, ARepeatIsSeen) {
  ledger_.published(0, 0, 0);
  EXPECT_EQ(hears(0, 1, 0, 0), Verdict::kDelivered);
  EXPECT_EQ(hears(0, 1, 0, 0), Verdict::kRepeated);
  EXPECT_EQ(ledger_.repeated(), 1U);
  EXPECT_EQ(ledger_.missing(), 2U) << "it counts for nobody else";
}

TEST_F(Ledger, WhatWasLeftOutIsLostAndNotWaitedFor) {
  for (int i = 0; i < 3; ++i) ledger_.published(1, 0, 0);
  EXPECT_EQ(hears(1, 3, 0, 2), Verdict::kGap);
  EXPECT_EQ(ledger_.lost(), 2U);
  EXPECT_EQ(ledger_.under_way(), 0U);
}

TEST_F(Ledger, TwoThatAreSwappedAreALossAndARepeat) {
  for (int i = 0; i < 2; ++i) ledger_.published(1, 0, 0);
  EXPECT_EQ(hears(1, 3, 0, 1), Verdict::kGap);
  EXPECT_EQ(hears(1, 3, 0, 0), Verdict::kRepeated);
}

TEST_F(Ledger, PublishersOfARoomAreApart) {
  ledger_.published(0, 0, 0);
  ledger_.published(0, 1, 0);
  EXPECT_EQ(hears(0, 2, 1, 0), Verdict::kDelivered);
  EXPECT_EQ(hears(0, 2, 0, 0), Verdict::kDelivered);
}

TEST_F(Ledger, WhatNobodySaidIsUnknown) {
  ledger_.published(0, 0, 0);
  EXPECT_EQ(hears(0, 1, 0, 1), Verdict::kUnknown);
  EXPECT_EQ(hears(0, 1, 2, 0), Verdict::kUnknown);
  EXPECT_EQ(ledger_.unknown(), 2U);
}

// Both rooms have a publisher 0 that said its number 0: only the name's room tells them apart.
TEST_F(Ledger, WhatReachesAnotherRoomIsUnknownAndCountsForNobody) {
  ledger_.published(0, 0, 0);
  ledger_.published(1, 0, 0);
  EXPECT_EQ(ledger_.delivered(1, 3, {.room = 0, .publisher = 0, .number = 0}).verdict,
            Verdict::kUnknown);
  EXPECT_EQ(ledger_.unknown(), 1U);
  EXPECT_EQ(ledger_.missing(), 4U);
  EXPECT_EQ(hears(1, 3, 0, 0), Verdict::kDelivered);
}

TEST_F(Ledger, TheWindowGrowsWithWhatIsUnderWay) {
  for (std::int64_t i = 0; i < 1000; ++i) ledger_.published(1, 0, i);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto outcome = ledger_.delivered(1, 3, {.room = 1, .publisher = 0, .number = i});
    ASSERT_EQ(outcome.due_ns, static_cast<std::int64_t>(i));
    ASSERT_TRUE(outcome.complete);
  }
  EXPECT_EQ(ledger_.under_way(), 0U);
}

TEST(NamedText, IsFoundWhereverItStands) {
  std::string text = R"({"data":")";
  append_named_text(text, {.room = 999'999, .publisher = 42, .number = 1'234'567'890}, 128);
  EXPECT_EQ(text.size(), 9U + 128U);
  text += "\"}";
  for (std::size_t offset : {std::size_t{0}, std::size_t{9}, text.size(), std::size_t{1} << 40}) {
    PublishName name;
    ASSERT_TRUE(find_name(text, offset, name));
    EXPECT_EQ(offset, 9U);
    EXPECT_EQ(name.room, 999'999U);
    EXPECT_EQ(name.publisher, 42U);
    EXPECT_EQ(name.number, 1'234'567'890U);
  }
}

TEST(NamedText, IsNotFoundWhereItIsCutOrNoNumber) {
  std::size_t offset = 0;
  PublishName name;
  EXPECT_TRUE(find_name("uproar-load-00000000120000000003", offset, name));
  EXPECT_FALSE(find_name("", offset, name));
  EXPECT_FALSE(find_name("uproar-load-0000000012000000000", offset, name));
  EXPECT_FALSE(find_name("uproar-load-00000000x20000000003", offset, name));
}

TEST(NamedText, WhatWasCutShortIsNotWholeAlsoWhereAnotherFollows) {
  std::string text = "event ";
  append_named_text(text, {.number = 7}, 64);
  EXPECT_TRUE(is_whole_text(text, 6, 64));
  EXPECT_FALSE(is_whole_text(text.substr(0, text.size() - 1), 6, 64));
  for (std::size_t cut = 6 + kNumberedTextBytesMin; cut < text.size(); ++cut) {
    const std::string following = text.substr(0, cut) + "\n" + text;
    EXPECT_FALSE(is_whole_text(following, 6, 64)) << cut;
    EXPECT_TRUE(is_whole_text(following, cut + 7, 64)) << cut;
  }
  std::string shortest;
  append_named_text(shortest, {.number = 7}, kNumberedTextBytesMin);
  EXPECT_TRUE(is_whole_text(shortest, 0, kNumberedTextBytesMin)) << "it has no filler";
}

}  // namespace
}  // namespace uproar::bench
