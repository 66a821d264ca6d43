// Topics to sockets: who hears what, in which order, in how many sends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(FanOut, EverySubscriberHearsAMessageOnceAndOthersDoNot) {
  SimShard shard;
  const ConnectionId a = shard.open();
  const ConnectionId b = shard.open();
  const ConnectionId c = shard.open();
  EXPECT_EQ(shard.net.subscribe(a, topic(1)), SubscribeOutcome::kFirst);
  EXPECT_EQ(shard.net.subscribe(b, topic(1)), SubscribeOutcome::kAdded);
  EXPECT_EQ(shard.net.subscribe(b, topic(1)), SubscribeOutcome::kAlready);
  EXPECT_EQ(shard.net.subscriber_count(topic(1)), 2U);
  EXPECT_THAT(shard.net.subscribers(topic(1)), UnorderedElementsAre(a, b));
  EXPECT_THAT(shard.net.subscribers(topic(2)), IsEmpty());
  EXPECT_EQ(shard.net.publish(topic(1), text("hi"), DeliveryClass::kMessage),
            PublishOutcome::kQueued);
  EXPECT_EQ(shard.net.publish(topic(2), text("no"), DeliveryClass::kMessage),
            PublishOutcome::kNobody);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("hi"));
  EXPECT_THAT(shard.heard(b), ElementsAre("hi"));
  EXPECT_THAT(shard.heard(c), IsEmpty());
  EXPECT_EQ(shard.net.unsubscribe(a, topic(1), PendingFrames::kDeliver),
            UnsubscribeOutcome::kRemoved);
  EXPECT_EQ(shard.net.unsubscribe(b, topic(1), PendingFrames::kDeliver), UnsubscribeOutcome::kLast);
  EXPECT_EQ(shard.net.unsubscribe(b, topic(1), PendingFrames::kDeliver),
            UnsubscribeOutcome::kNotThere);
}

TEST(FanOut, WhatATurnPublishedLeavesAsOneSendPerMember) {
  SimShard shard;
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(shard.open());
    EXPECT_NE(shard.net.subscribe(ids.back(), topic(1)), SubscribeOutcome::kGone);
  }
  const std::uint64_t before = shard.io.sends;
  for (int i = 0; i < 16; ++i)
    shard.net.publish(topic(1), text(std::to_string(i)), DeliveryClass::kMessage);
  shard.settle();
  EXPECT_EQ(shard.io.sends - before, 10U);
  EXPECT_EQ(shard.heard(ids[7]).size(), 16U);
  EXPECT_EQ(shard.net.counters().frames_queued.value(), 10U) << "only the handshakes took a queue";
}

TEST(FanOut, TheExceptedConnectionMissesThatFrameAndNoOther) {
  SimShard shard;
  const ConnectionId a = shard.open();
  const ConnectionId b = shard.open();
  for (const ConnectionId id : {a, b})
    EXPECT_NE(shard.net.subscribe(id, topic(1)), SubscribeOutcome::kGone);
  shard.net.publish(topic(1), text("1"), DeliveryClass::kMessage);
  shard.net.publish(topic(1), text("2"), DeliveryClass::kMessage, a);
  shard.net.publish(topic(1), text("3"), DeliveryClass::kMessage);
  shard.net.publish(topic(1), text("4"), DeliveryClass::kMessage, a);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("1", "3"));
  EXPECT_THAT(shard.heard(b), ElementsAre("1", "2", "3", "4"));
}

TEST(FanOut, AMemberOfManyRoomsIsSentToOncePerBatchAndHearsAll) {
  SimShard shard;  // SimIo aborts on a second send for one socket between two submits
  const ConnectionId everywhere = shard.open();
  for (std::uint64_t room = 0; room < 20; ++room) {
    EXPECT_EQ(shard.net.subscribe(everywhere, topic(room)), SubscribeOutcome::kFirst);
    const ConnectionId other = shard.open();
    EXPECT_EQ(shard.net.subscribe(other, topic(room)), SubscribeOutcome::kAdded);
  }
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t room = 0; room < 20; ++room) {
      shard.net.publish(topic(room), text(std::to_string(room) + "/" + std::to_string(round)),
                        DeliveryClass::kMessage);
    }
  }
  shard.settle();
  EXPECT_EQ(shard.heard(everywhere).size(), 60U);
}

TEST(FanOut, ADirectSendComesAfterWhatWasPublishedAndBeforeWhatIsPublishedLater) {
  SimShard shard;
  const ConnectionId a = shard.open();
  EXPECT_EQ(shard.net.subscribe(a, topic(1)), SubscribeOutcome::kFirst);
  shard.net.publish(topic(1), text("1"), DeliveryClass::kMessage);
  EXPECT_EQ(shard.net.send(a, text("2"), DeliveryClass::kMessage), SendOutcome::kQueued);
  shard.net.publish(topic(1), text("3"), DeliveryClass::kMessage);
  EXPECT_EQ(shard.net.send(a, text("4"), DeliveryClass::kMessage), SendOutcome::kQueued);
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("1", "2", "3", "4"));
  shard.net.publish(topic(1), text("5"), DeliveryClass::kMessage);
  shard.net.close(a, ws::CloseCode::kNormal);
  shard.settle();
  EXPECT_EQ(shard.heard(a).at(4), "5") << "a close comes after what was published before it";
}

TEST(FanOut, WhatIsSaidToAMemberAndWhatItHearsAreOneWrite) {
  SimShard shard;
  const ConnectionId a = shard.open();
  const ConnectionId b = shard.open();
  for (const ConnectionId id : {a, b})
    EXPECT_NE(shard.net.subscribe(id, topic(1)), SubscribeOutcome::kGone);
  const auto sends = [&](ConnectionId id) { return shard.io.socket(id.slot).sends; };
  const std::uint32_t before_a = sends(a), before_b = sends(b);
  for (const char* word : {"1", "2"}) {
    EXPECT_EQ(shard.net.send(a, text("to you"), DeliveryClass::kMessage), SendOutcome::kQueued);
    shard.net.publish(topic(1), text(word), DeliveryClass::kMessage);
  }
  shard.settle();
  EXPECT_THAT(shard.heard(a), ElementsAre("to you", "1", "to you", "2"));
  EXPECT_THAT(shard.heard(b), ElementsAre("1", "2"));
  EXPECT_EQ(sends(a) - before_a, 1U);
  EXPECT_EQ(sends(b) - before_b, 1U);
  EXPECT_EQ(shard.net.counters().deliveries.value(), 4U) << "on whichever way they go";
}

TEST(FanOut, CompressedFramesGoToThoseWhoAgreed) {
  NetOptions options;
  options.deflate = true;
  SimShard shard(options);
  const ConnectionId plain = shard.open();
  const std::uint32_t slot = shard.connect();
  std::string request(kUpgrade);
  request.insert(request.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  shard.io.peer_says(slot, request);
  shard.settle();
  const ConnectionId deflate = shard.handler.opened.back();
  EXPECT_TRUE(shard.net.negotiated_deflate(deflate));
  shard.io.socket(slot).wire.clear();
  for (const ConnectionId id : {plain, deflate})
    EXPECT_NE(shard.net.subscribe(id, topic(1)), SubscribeOutcome::kGone);
  const EncodedMessage both{.plain = ws::text_frame("plain"), .deflated = ws::text_frame("small")};
  shard.net.publish(topic(1), both, DeliveryClass::kMessage);
  shard.net.publish(topic(1), text("only plain"), DeliveryClass::kMessage);
  shard.net.send(deflate, both, DeliveryClass::kMessage);
  shard.settle();
  EXPECT_THAT(shard.heard(plain), ElementsAre("plain", "only plain"));
  EXPECT_THAT(shard.heard(deflate), ElementsAre("small", "only plain", "small"));
}

TEST(FanOut, ALargeRoomTakesTurnsWithASmallOne) {
  NetOptions options;
  options.connections_max = 3000;
  SimShard shard(options);
  std::vector<ConnectionId> many;
  for (int i = 0; i < 2000; ++i) {
    many.push_back(shard.open());
    EXPECT_NE(shard.net.subscribe(many.back(), topic(1)), SubscribeOutcome::kGone);
  }
  const ConnectionId small = shard.open();
  EXPECT_EQ(shard.net.subscribe(small, topic(2)), SubscribeOutcome::kFirst);
  shard.net.publish(topic(1), text("to 2,000"), DeliveryClass::kMessage);
  const std::uint64_t before = shard.net.counters().sends.value();
  while (shard.net.counters().sends.value() < before + kNewTopicSends) EXPECT_TRUE(shard.turn());
  shard.net.publish(topic(2), text("to one"), DeliveryClass::kMessage);
  EXPECT_TRUE(shard.turn());
  shard.io.submit();
  EXPECT_THAT(shard.heard(small), ElementsAre("to one")) << "a new topic goes first";
  shard.settle();
  for (const ConnectionId id : many) EXPECT_EQ(shard.heard(id).size(), 1U);
}

TEST(FanOut, ARunThatIsFullIsSpilledAndLosesNoMessage) {
  NetOptions options;
  options.egress_bytes_max = 64U << 20U;
  SimShard shard(options);
  const ConnectionId a = shard.open();
  EXPECT_EQ(shard.net.subscribe(a, topic(1)), SubscribeOutcome::kFirst);
  const std::uint32_t messages = kRunFramesMax * 2 + 10;
  for (std::uint32_t i = 0; i < messages; ++i) {
    shard.net.publish(topic(1), text(std::to_string(i)), DeliveryClass::kMessage);
  }
  EXPECT_GE(shard.net.counters().runs_spilled.value(), 1U);
  shard.settle();
  const auto heard = shard.heard(a);
  ASSERT_EQ(heard.size(), messages);
  for (std::uint32_t i = 0; i < messages; ++i) EXPECT_EQ(heard[i], std::to_string(i));
}

TEST(FanOut, ClosingLeavesAllTopics) {
  SimShard shard;
  const ConnectionId a = shard.open();
  const ConnectionId b = shard.open();
  EXPECT_EQ(shard.net.subscribe(a, topic(1)), SubscribeOutcome::kFirst);
  EXPECT_EQ(shard.net.subscribe(a, topic(2)), SubscribeOutcome::kFirst);
  EXPECT_EQ(shard.net.subscribe(b, topic(2)), SubscribeOutcome::kAdded);
  shard.net.close(a, ws::CloseCode::kNormal);
  EXPECT_EQ(shard.net.subscriber_count(topic(1)), 0U);
  EXPECT_EQ(shard.net.subscriber_count(topic(2)), 1U);
}

TEST(FanOut, TopicsOfOneConnectionAreBounded) {
  SimShard shard;
  const ConnectionId a = shard.open();
  for (std::uint32_t i = 0; i < kTopicsPerConnectionMax; ++i) {
    EXPECT_EQ(shard.net.subscribe(a, topic(i)), SubscribeOutcome::kFirst);
  }
  EXPECT_EQ(shard.net.subscribe(a, topic(kTopicsPerConnectionMax)), SubscribeOutcome::kTooMany);
}

TEST(FanOut, AHandlerMayPublishFromEveryCallback) {
  SimShard shard;
  const ConnectionId a = shard.open();
  const ConnectionId b = shard.open();
  EXPECT_EQ(shard.net.subscribe(a, topic(1)), SubscribeOutcome::kFirst);
  EXPECT_EQ(shard.net.subscribe(b, topic(1)), SubscribeOutcome::kAdded);
  shard.handler.when_message = [&](ConnectionId id, std::string_view payload) {
    shard.net.publish(topic(1), text(payload), DeliveryClass::kMessage, id);
    shard.net.send(id, text("ack"), DeliveryClass::kMessage);
    if (payload == "bye") shard.net.close(id, ws::CloseCode::kNormal);
  };
  shard.io.peer_says(a.slot,
                     client_frame(1, "one") + client_frame(1, "bye") + client_frame(1, "unheard"));
  shard.settle();
  EXPECT_THAT(shard.heard(b), ElementsAre("one", "bye"));
  EXPECT_EQ(shard.heard(a).size(), 3U) << "two acks and a close frame";
}

}  // namespace
}  // namespace uproar::net
