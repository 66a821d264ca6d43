// Lanes side by side over stores that answer when told: who waits for whom, and what an outage of one costs the others.

#include "storage/commit_lanes.h"

#include <array>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/chat/ownership.h"
#include "tests/storage/manual_reactor.h"
#include "tests/storage/scripted_store.h"

namespace uproar::storage {
namespace {

using testing::Each;
using testing::ElementsAre;

ConversationId conversation(std::uint64_t n) {
  return ConversationId(Uuid{0x0190'0000'0000'7000, 0x8000'0000'0000'0000 + n * 0x9E37'79B9});
}

class CommitLanesTest : public testing::Test {
 protected:
  CommitLanesTest() { log.set_listener(listener); }
  StageResult stage(Ticket ticket, ConversationId where) {
    return log.stage(
        {.ticket = ticket, .conversation = where, .body = AppendMessage{.content = "x"}});
  }
  // The lane that the conversation's commits go to.
  std::size_t lane_of(ConversationId where) {
    const auto [it, is_new] = lanes_.try_emplace(where, 0);
    if (!is_new) return it->second;
    EXPECT_EQ(stage(1'000'000 + lanes_.size(), where), StageResult::kStaged);
    reactor.run_until_idle();
    it->second = stores[0].waiting.empty() ? 1 : 0;
    stores[it->second].succeed();
    listener = {};
    return it->second;
  }
  ConversationId one_of_lane(std::size_t lane) {
    for (std::uint64_t n = 0;; ++n) {
      if (lane_of(conversation(n)) == lane) return conversation(n);
    }
  }

  ManualReactor reactor;
  std::array<ScriptedStore, 2> stores;
  Listener listener;
  CommitLanes log{{stores.data(), &stores[1]}, reactor, BatchWriter::Options()};

 private:
  std::map<ConversationId, std::size_t> lanes_;
};

TEST_F(CommitLanesTest, DealsConversationsOutEvenly) {
  std::array<int, 2> dealt{};
  for (std::uint64_t n = 0; n < 1000; ++n) ++dealt[lane_of(conversation(n))];
  EXPECT_THAT(dealt, Each(testing::AllOf(testing::Gt(420), testing::Lt(580))));
}

TEST_F(CommitLanesTest, TheOwnerOfAConversationSaysNothingOfItsLane) {
  std::array<int, 2> dealt{};  // of those that the first of two shards owns
  for (std::uint64_t n = 0; n < 1000; ++n) {
    if (chat::owner_of(conversation(n), 2) == 0) ++dealt[lane_of(conversation(n))];
  }
  EXPECT_THAT(dealt, Each(testing::Gt(180)));
}

TEST_F(CommitLanesTest, OneLaneCommitsWhileTheOtherWaits) {
  const ConversationId slow = one_of_lane(0), fast = one_of_lane(1);
  ASSERT_EQ(stage(1, slow), StageResult::kStaged);
  ASSERT_EQ(stage(2, fast), StageResult::kStaged);
  reactor.run_until_idle();
  ASSERT_EQ(stage(3, slow), StageResult::kStaged);
  stores[1].succeed();
  EXPECT_THAT(listener.committed, ElementsAre(2));
  ASSERT_EQ(stage(4, fast), StageResult::kStaged);
  reactor.run_until_idle();
  stores[1].succeed();
  EXPECT_THAT(listener.committed, ElementsAre(2, 4));
  EXPECT_FALSE(log.is_idle());
  stores[0].succeed();
  stores[0].succeed();
  EXPECT_THAT(listener.committed, ElementsAre(2, 4, 1, 3)) << "in stage order for a conversation";
  EXPECT_TRUE(log.is_idle());
  EXPECT_EQ(log.counters().waiting_rows.value(), 0);
}

TEST_F(CommitLanesTest, AnOutageOfOneLaneStopsItsConversationsAlone) {
  const ConversationId lost = one_of_lane(0), fine = one_of_lane(1);
  ASSERT_EQ(stage(1, lost), StageResult::kStaged);
  reactor.run_until_idle();
  ASSERT_EQ(stage(2, lost), StageResult::kStaged);
  stores[0].fail();
  EXPECT_THAT(listener.failed, ElementsAre(1, 2)) << "and what waited behind it";
  EXPECT_FALSE(log.works());
  EXPECT_EQ(log.counters().circuit_open.value(), 1);
  EXPECT_EQ(log.counters().waiting_rows.value(), 0);
  EXPECT_EQ(stage(3, lost), StageResult::kUnavailable);
  ASSERT_EQ(stage(4, fine), StageResult::kStaged);
  reactor.run_until_idle();
  stores[1].succeed();
  EXPECT_THAT(listener.committed, ElementsAre(4));

  stores[0].recovered();
  ASSERT_EQ(stage(5, lost), StageResult::kStaged);
  reactor.run_until_idle();
  stores[0].succeed();
  EXPECT_TRUE(log.works());
  EXPECT_EQ(log.counters().circuit_open.value(), 0);
}

TEST_F(CommitLanesTest, TellsWhenToComeBackFromTheLaneThatRefused) {
  const ConversationId lost = one_of_lane(1), fine = one_of_lane(0);
  for (int tries = 0; tries < 2; ++tries) {  // the second failure doubles the wait
    ASSERT_EQ(stage(tries, lost), StageResult::kStaged);
    reactor.run_until_idle();
    stores[1].fail();
    if (tries == 0) reactor.advance(kRetryAfterMsMin);
  }
  ASSERT_EQ(stage(10, lost), StageResult::kUnavailable);
  EXPECT_EQ(log.retry_after_ms(), 2 * kRetryAfterMsMin);
  ASSERT_EQ(stage(11, fine), StageResult::kStaged);
}

}  // namespace
}  // namespace uproar::storage
