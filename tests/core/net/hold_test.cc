// hold(), release() and unsubscribe(kDrop): what stands between "ready" and a client's first sync.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct HoldTest : ::testing::Test {
  SimShard shard;
  ConnectionId a = shard.open();

  void subscribe(std::uint64_t n) {
    EXPECT_NE(shard.net.subscribe(a, topic(n)), SubscribeOutcome::kGone);
  }
  void publish(std::uint64_t n, std::string_view payload,
               DeliveryClass cls = DeliveryClass::kMessage) {
    EXPECT_EQ(shard.net.publish(topic(n), text(payload), cls), PublishOutcome::kQueued);
  }
};

TEST_F(HoldTest, KeepsMessagesAndPassesTheRest) {
  subscribe(1);
  shard.net.hold(a);
  publish(1, "kept");
  publish(1, "typing", DeliveryClass::kEphemeral);
  shard.net.send(a, text("direct"), DeliveryClass::kMessage);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("typing", "direct"));
  EXPECT_TRUE(shard.net.is_held(a));
  publish(1, "kept too");
  shard.net.release(a);
  publish(1, "live");
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("typing", "direct", "kept", "kept too", "live"));
  EXPECT_FALSE(shard.net.is_held(a));
}

TEST_F(HoldTest, KeepsAndForgetsWhatIsPublishedToItAloneWithTheRest) {
  subscribe(1);
  subscribe(2);
  shard.net.hold(a);
  const auto publish_to_a = [&](std::uint64_t n, std::string_view payload) {
    EXPECT_EQ(shard.net.publish_to(a, topic(n), text(payload)), SendOutcome::kQueued);
  };
  publish(1, "1a");
  publish_to_a(1, "1b");
  publish_to_a(2, "2a");
  publish(1, "1c");
  shard.settle();
  EXPECT_THAT(shard.heard(a), IsEmpty());
  shard.net.forget_held(a, topic(2));
  shard.net.release(a);
  publish_to_a(2, "2b");
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("1a", "1b", "1c", "2b"));
}

TEST_F(HoldTest, WhatWasPublishedBeforeTheHoldIsSent) {
  subscribe(1);
  publish(1, "before");
  shard.net.hold(a);
  publish(1, "after");
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("before"));
}

TEST_F(HoldTest, BegunAnewForgetsWhatWasKept) {
  subscribe(1);
  shard.net.hold(a);
  publish(1, "kept");
  shard.settle();
  publish(1, "not yet taken");
  shard.net.hold(a);
  publish(1, "kept after");
  shard.net.release(a);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("kept after"));
}

TEST_F(HoldTest, DroppingATopicForgetsItsHeldFramesAlone) {
  subscribe(1);
  subscribe(2);
  shard.net.hold(a);
  publish(1, "1a");
  publish(2, "2a");
  shard.settle();
  publish(1, "1b");
  publish(2, "2b");
  EXPECT_EQ(shard.net.unsubscribe(a, topic(1), PendingFrames::kDrop), UnsubscribeOutcome::kLast);
  subscribe(1);
  publish(1, "1c");
  shard.net.release(a);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ::testing::UnorderedElementsAre("2a", "2b", "1c"));
}

TEST_F(HoldTest, ForgetsFramesOfATopicThatWasLeftSince) {
  subscribe(1);
  subscribe(2);
  shard.net.hold(a);
  publish(1, "1a");
  publish(2, "2a");
  EXPECT_EQ(shard.net.unsubscribe(a, topic(1), PendingFrames::kDeliver), UnsubscribeOutcome::kLast);
  shard.settle();  // and the topic's place may go to another
  subscribe(3);
  publish(3, "3a");
  shard.net.forget_held(a, topic(1));
  shard.net.release(a);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ::testing::UnorderedElementsAre("2a", "3a"));
}

TEST_F(HoldTest, DropForgetsWhatTheSocketHasNotTaken) {
  subscribe(1);
  subscribe(2);
  shard.io.socket(a.slot).room = 3;  // a frame of 4 bytes does not fit whole
  publish(1, "11");
  shard.settle();
  publish(1, "12");
  publish(2, "21");
  publish(1, "13");
  shard.settle();
  publish(1, "14");
  EXPECT_EQ(shard.net.unsubscribe(a, topic(1), PendingFrames::kDrop), UnsubscribeOutcome::kLast);
  shard.io.peer_reads(a.slot, SIZE_MAX);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("11", "21")) << "a frame that was begun is finished";
}

TEST_F(HoldTest, DropWhileASendIsUnderWayFinishesOnlyTheFrameThatWasBegun) {
  subscribe(1);
  shard.io.socket(a.slot).room = 6;
  publish(1, "aa");
  publish(1, "bb");
  publish(1, "cc");
  shard.turn();  // queued as one send, nothing has told yet that it came back short
  EXPECT_EQ(shard.net.unsubscribe(a, topic(1), PendingFrames::kDrop), UnsubscribeOutcome::kLast);
  shard.io.submit();
  shard.io.peer_reads(a.slot, SIZE_MAX);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("aa", "bb"));
}

TEST_F(HoldTest, DeliverSendsWhatIsOwedBeforeAnythingLater) {
  subscribe(1);
  publish(1, "owed");
  EXPECT_EQ(shard.net.unsubscribe(a, topic(1), PendingFrames::kDeliver), UnsubscribeOutcome::kLast);
  shard.net.send(a, text("left"), DeliveryClass::kMessage);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("owed", "left"));
}

TEST(Hold, AnOverflowReleasesByItself) {
  NetOptions options;
  options.held_frames_max = 3;
  SimShard shard(options);
  const ConnectionId a = shard.open();
  EXPECT_EQ(shard.net.subscribe(a, topic(1)), SubscribeOutcome::kFirst);
  shard.net.hold(a);
  for (int i = 0; i < 5; ++i)
    shard.net.publish(topic(1), text(std::to_string(i)), DeliveryClass::kMessage);
  shard.settle();
  EXPECT_FALSE(shard.net.is_held(a));
  EXPECT_EQ(shard.net.counters().holds_overflowed.value(), 1U);
  EXPECT_THAT(shard.heard(a), ElementsAre("0", "1", "2", "3", "4"));
}

TEST(Hold, ClosingAHeldConnectionLosesTheHoldAndNothingElse) {
  SimShard shard;
  const ConnectionId a = shard.open();
  EXPECT_EQ(shard.net.subscribe(a, topic(1)), SubscribeOutcome::kFirst);
  shard.net.hold(a);
  shard.net.publish(topic(1), text("x"), DeliveryClass::kMessage);
  shard.io.peer_ends(a.slot);
  shard.settle();
  EXPECT_THAT(shard.handler.closed, ElementsAre(a));
  EXPECT_EQ(shard.net.counters().egress_bytes.value(), 0);
}

}  // namespace
}  // namespace uproar::net
