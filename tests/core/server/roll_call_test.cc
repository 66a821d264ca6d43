// Nodes that work on the same store and were never heard over the bus: when a start is refused, and what is told later. Time is a
// reactor that the test turns; the store answers when the test says so.
#include "core/server/roll_call.h"

#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/server/limits.h"
#include "tests/core/server/hand_store.h"
#include "tests/storage/manual_reactor.h"

namespace uproar::server {
namespace {

using storage::NodeDigest;
using storage::NodeRecord;

class RollCallTest : public testing::Test {
 protected:
  // The store says that these are at work, as often as it is asked, until all calls have been made.
  void all_calls(const std::vector<std::uint64_t>& at_work) {
    for (std::uint32_t i = 0; i < kRollCallsMax; ++i) next(at_work);
  }
  void next(const std::vector<std::uint64_t>& at_work) {
    reactor.advance(kRollCallEveryMs);
    store.answer(at_work);
  }
  [[nodiscard]] std::int64_t unheard() const { return roll_call->counters().unheard.value(); }

  storage::ManualReactor reactor;
  HandStore store;
  std::vector<NodeRecord> listed = {record_of(1), record_of(2), record_of(3)};
  bool is_bus_up = true;
  int calls = 0;
  std::unique_ptr<RollCall> roll_call = std::make_unique<RollCall>(
      RollCall::Ports{.reactor = reactor,
                      .store = store,
                      .listed = [this]() -> const std::vector<NodeRecord>& { return listed; },
                      .is_bus_up = [this] { return is_bus_up; },
                      .call = [this] { ++calls; }},
      node_of(1));
};

TEST_F(RollCallTest, IsOverAtOnceForTheFirstNode) {
  EXPECT_FALSE(roll_call->is_over()) << "the store has not said who is there";
  store.answer({1});
  EXPECT_TRUE(roll_call->is_over());
  EXPECT_EQ(calls, 0);
}

TEST_F(RollCallTest, CallsUntilEverybodyWasHeard) {
  store.answer({1, 2, 3, 3});
  EXPECT_EQ(calls, 1);
  roll_call->heard(node_of(2));
  next({1, 2, 3});
  EXPECT_EQ(calls, 2);
  EXPECT_FALSE(roll_call->is_over());
  roll_call->heard(node_of(3));
  next({1, 2, 3});
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(roll_call->is_over());
  EXPECT_EQ(unheard(), 0);
  reactor.advance(100 * kRollCallEveryMs);
  EXPECT_TRUE(store.asked.empty()) << "nobody is asked without need";
}

TEST_F(RollCallTest, NobodyIsCalledWhoWasHeardBefore) {
  roll_call->heard(node_of(2));
  store.answer({1, 2});
  EXPECT_TRUE(roll_call->is_over());
  EXPECT_EQ(calls, 0);
}

TEST_F(RollCallTest, AStartIsRefusedWhenNobodyAtWorkAnswers) {
  store.answer({1, 3});
  for (std::uint32_t i = 1; i < kRollCallsMax; ++i) {
    next({1, 3});
    ASSERT_EQ(roll_call->strangers(), "");
  }
  next({1, 3});
  EXPECT_EQ(roll_call->strangers(), "node n3 at ws://n");
  EXPECT_FALSE(roll_call->is_over());
  // Whoever has not ended for that may go on once it was only the way to the bus.
  roll_call->heard(node_of(3));
  store.answer({1, 3});
  EXPECT_EQ(roll_call->strangers(), "");
  EXPECT_TRUE(roll_call->is_over());
}

TEST_F(RollCallTest, AlsoWhenTheListHasNoneOfThem) {
  store.answer({1, 4});
  all_calls({1, 4});
  EXPECT_EQ(roll_call->strangers(), "a node that the list does not have");
}

TEST_F(RollCallTest, OneThatHasJustDiedHoldsUpNoStart) {
  store.answer({1, 2});
  next({1, 2});
  next({1});
  EXPECT_TRUE(roll_call->is_over());
  EXPECT_EQ(unheard(), 0);
}

TEST_F(RollCallTest, OneOfSeveralThatIsNotHeardIsCutOff) {
  store.answer({1, 2, 3});
  roll_call->heard(node_of(2));
  all_calls({1, 2, 3});
  EXPECT_EQ(roll_call->strangers(), "");
  EXPECT_TRUE(roll_call->is_over());
  EXPECT_EQ(unheard(), 1);
  roll_call->heard(node_of(3));
  store.answer({1, 2, 3});
  EXPECT_EQ(unheard(), 0);
}

TEST_F(RollCallTest, CallsThatNobodyCanHearDoNotCount) {
  is_bus_up = false;
  store.answer({1, 2});
  reactor.advance(100 * kRollCallEveryMs);
  EXPECT_TRUE(store.asked.empty()) << "nobody is asked meanwhile";
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(roll_call->is_over());
  is_bus_up = true;
  roll_call->begin_anew();
  store.answer({1, 2});
  EXPECT_EQ(calls, 1);
}

TEST_F(RollCallTest, WhoeverWasHeardIsCalledAgainWhenTheBusIsBack) {
  roll_call->heard(node_of(2));
  store.answer({1, 2});
  ASSERT_TRUE(roll_call->is_over());
  roll_call->begin_anew();
  store.answer({1, 2});
  all_calls({1, 2});
  EXPECT_EQ(unheard(), 1) << "this node's name of the bus leads to another one now";
}

TEST_F(RollCallTest, OneThatComesInTheMiddleIsCalledAsOftenAsTheOthers) {
  store.answer({1, 2});
  for (std::uint32_t i = 1; i < kRollCallsMax; ++i) next({1, 2});
  next({1, 2, 3});
  EXPECT_EQ(unheard(), 0);
  EXPECT_EQ(roll_call->strangers(), "");
  roll_call->heard(node_of(3));
  next({1, 2, 3});
  EXPECT_TRUE(roll_call->is_over());
  EXPECT_EQ(unheard(), 1);
}

TEST_F(RollCallTest, OneThatIsHeardCountsThoughOwnSessionsAreGone) {
  roll_call->heard(node_of(2));
  store.answer({2, 3});
  all_calls({2, 3});
  EXPECT_TRUE(roll_call->is_over());
}

TEST_F(RollCallTest, AStoreThatCannotSayIsAskedAgain) {
  store.fail();
  EXPECT_FALSE(roll_call->is_over());
  reactor.advance(kAskNodesAtWorkAgainMs - 1);
  EXPECT_TRUE(store.asked.empty());
  reactor.advance(1);
  store.answer({1});
  EXPECT_TRUE(roll_call->is_over());
}

TEST_F(RollCallTest, OneThatComesLaterAndIsNotHeardIsCounted) {
  store.answer({1});
  roll_call->look();
  store.answer({1, 2});
  all_calls({1, 2});
  EXPECT_EQ(unheard(), 1);
  EXPECT_EQ(roll_call->strangers(), "") << "this node has started";
  roll_call->look();
  store.answer({1});
  EXPECT_EQ(unheard(), 0);
}

TEST_F(RollCallTest, AnAnswerFromBeforeItWasToldToLookDoesNotEndIt) {
  roll_call->look();
  store.answer({1});
  EXPECT_FALSE(roll_call->is_over());
  store.answer({1});
  EXPECT_TRUE(roll_call->is_over());
}

TEST_F(RollCallTest, AnAnswerAfterItsEndIsDropped) {
  auto late = store.take();
  roll_call.reset();
  late(std::vector<NodeDigest>{});
}

}  // namespace
}  // namespace uproar::server
