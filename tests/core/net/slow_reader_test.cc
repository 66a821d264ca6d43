// What a reader loses that does not read (docs/contract.md, D7): typing first, then presence, then receipts, never a
// message without being told so, and nobody else is delayed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/net/egress_queue.h"
#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::SizeIs;
using ::testing::StartsWith;

NetOptions small_queues() {
  NetOptions options;
  options.egress_ephemeral_bytes_max = 1000;
  options.egress_presence_bytes_max = 2000;
  options.egress_receipt_bytes_max = 3000;
  options.egress_bytes_max = 5000;
  options.egress_low_water_bytes = 500;
  return options;
}

struct SlowReader : ::testing::Test {
  SimShard shard{small_queues()};
  ConnectionId slow = shard.open();

  void block() { shard.io.socket(slow.slot).room = 0; }
  SendOutcome send(DeliveryClass cls, char letter = 'm') {
    return shard.net.send(slow, text(std::string(66, letter)),
                          cls);  // 68 bytes and 32 for the entry: 100
  }
};

TEST_F(SlowReader, LosesTypingFirstThenPresenceThenReceiptsAndIsClosedBeforeItLosesAMessage) {
  block();
  const NetCounters& counters = shard.net.counters();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(send(DeliveryClass::kEphemeral, 'e'), SendOutcome::kQueued);
    shard.settle();
  }
  EXPECT_EQ(send(DeliveryClass::kEphemeral, 'e'), SendOutcome::kDropped);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(send(DeliveryClass::kPresence, 'p'), SendOutcome::kQueued);
  EXPECT_EQ(send(DeliveryClass::kPresence, 'p'), SendOutcome::kDropped);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(send(DeliveryClass::kReceipt, 'r'), SendOutcome::kQueued);
  EXPECT_EQ(send(DeliveryClass::kReceipt, 'r'), SendOutcome::kDropped);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(send(DeliveryClass::kMessage), SendOutcome::kQueued);
  EXPECT_EQ(counters.dropped_ephemeral.value(), 1U) << "full to the brim, nothing shed yet";

  EXPECT_EQ(send(DeliveryClass::kMessage), SendOutcome::kQueued);
  EXPECT_EQ(counters.dropped_ephemeral.value(), 11U) << "queued typing makes room";
  EXPECT_EQ(counters.dropped_presence.value(), 1U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(send(DeliveryClass::kMessage), SendOutcome::kQueued);
  EXPECT_EQ(counters.dropped_presence.value(), 11U);
  EXPECT_EQ(counters.dropped_receipt.value(), 1U);
  for (int i = 0; i < 19; ++i) EXPECT_EQ(send(DeliveryClass::kMessage), SendOutcome::kQueued);
  EXPECT_EQ(counters.dropped_receipt.value(), 11U);
  EXPECT_EQ(send(DeliveryClass::kMessage), SendOutcome::kSlowReader);
  shard.settle();
  EXPECT_EQ(counters.closed_slow.value(), 1U);
  EXPECT_FALSE(shard.net.is_open(slow));

  shard.io.peer_reads(slow.slot, SIZE_MAX);
  shard.settle();
  const auto frames = server_frames(shard.io.socket(slow.slot).wire);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames.back().opcode, 8);
  EXPECT_THAT(frames.back().payload, StartsWith("\x10\x69"));  // 4201
}

TEST_F(SlowReader, AFrameThatIsPartlySentIsFinishedBefore4201) {
  shard.io.socket(slow.slot).room = 10;
  EXPECT_EQ(send(DeliveryClass::kMessage, 'a'), SendOutcome::kQueued);
  shard.settle();
  while (send(DeliveryClass::kMessage) == SendOutcome::kQueued) {
  }
  shard.io.peer_reads(slow.slot, SIZE_MAX);
  shard.settle();
  std::string rest;
  const auto frames = server_frames(shard.io.socket(slow.slot).wire, &rest);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].payload, std::string(66, 'a'));
  EXPECT_THAT(frames[1].payload, StartsWith("\x10\x69"));
  EXPECT_TRUE(rest.empty());
}

TEST_F(SlowReader, ADeadReaderIsCutOffAfterTheCloseDeadline) {
  block();
  while (send(DeliveryClass::kMessage) == SendOutcome::kQueued) {
  }
  shard.settle();
  EXPECT_TRUE(shard.handler.closed.empty());
  shard.pass_ms(shard.net.options().close_deadline_ms + 10);
  EXPECT_THAT(shard.handler.closed, ::testing::ElementsAre(slow));
  EXPECT_EQ(shard.handler.causes[0].code, ws::CloseCode::kSlowReader);
  EXPECT_EQ(shard.net.counters().egress_bytes.value(), 0);
}

TEST_F(SlowReader, DelaysNobodyElse) {
  const ConnectionId quick = shard.open();
  for (const ConnectionId id : {slow, quick})
    EXPECT_NE(shard.net.subscribe(id, topic(1)), SubscribeOutcome::kGone);
  block();
  for (int i = 0; i < 200; ++i) {
    shard.net.publish(topic(1), text(std::to_string(i)), DeliveryClass::kMessage);
    shard.turn();
    shard.io.submit();
    shard.turn();
    ASSERT_EQ(shard.heard(quick).size(), static_cast<std::size_t>(i) + 1);
  }
  EXPECT_FALSE(shard.net.is_open(slow));
  EXPECT_LE(shard.io.socket(slow.slot).sends, 10U)
      << "a blocked socket is left alone until it can be written";
}

TEST_F(SlowReader, GetsEverythingThatWaitedInOneGatherWrite) {
  EXPECT_EQ(shard.net.subscribe(slow, topic(1)), SubscribeOutcome::kFirst);
  block();
  for (int i = 0; i < 20; ++i) {
    shard.net.publish(topic(1), text(std::to_string(i)), DeliveryClass::kMessage);
    shard.settle();
  }
  const std::uint32_t before = shard.io.socket(slow.slot).sends;
  shard.io.peer_reads(slow.slot, SIZE_MAX);
  shard.settle();
  EXPECT_EQ(shard.io.socket(slow.slot).sends, before + 1);
  EXPECT_EQ(shard.heard(slow).size(), 20U);
}

TEST_F(SlowReader, HearsAboutRoomWhenItsQueueHasDrained) {
  block();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(send(DeliveryClass::kMessage), SendOutcome::kQueued);
  shard.settle();
  EXPECT_EQ(shard.net.egress_bytes(slow), 8U * 68U);
  EXPECT_TRUE(shard.handler.drained.empty());
  shard.io.peer_reads(slow.slot, SIZE_MAX);
  shard.settle();
  EXPECT_THAT(shard.handler.drained, ::testing::ElementsAre(slow));
  EXPECT_EQ(shard.net.egress_bytes(slow), 0U);
}

TEST(ShardEgress, TheBudgetOfTheWholeShardIsGivenBackByWhoHoldsMost) {
  NetOptions options;
  options.egress_shard_bytes_max = 20'000;
  SimShard shard(options);
  const ConnectionId honest = shard.open_from("127.0.0.7");
  std::vector<ConnectionId> greedy;
  for (int i = 0; i < 4; ++i) greedy.push_back(shard.open_from("127.0.0.8"));
  const EncodedMessage message = text(std::string(466, 'a'));  // 500 bytes with its entry
  shard.io.socket(honest.slot).room = 0;
  for (const ConnectionId id : greedy) {
    shard.io.socket(id.slot).room = 0;
    shard.net.subscribe(id, topic(1));
  }
  ASSERT_EQ(shard.net.send(honest, message, DeliveryClass::kMessage), SendOutcome::kQueued);
  for (int i = 0; i < 9; ++i) {
    shard.net.publish(topic(1), message, DeliveryClass::kMessage);
    shard.settle();
  }
  EXPECT_EQ(shard.net.counters().shed_shard_egress.value(), 0U);
  // Three more that the honest reader cannot take: room is made, by the others.
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(shard.net.send(honest, message, DeliveryClass::kMessage), SendOutcome::kQueued);
  EXPECT_EQ(shard.net.counters().shed_shard_egress.value(), 1U) << "no more than need be";
  shard.settle();
  EXPECT_TRUE(shard.net.is_open(honest));
  shard.io.peer_reads(honest.slot, SIZE_MAX);
  shard.settle();
  EXPECT_THAT(shard.heard(honest), SizeIs(4));
  std::size_t closed = 0;
  for (const ConnectionId id : greedy) {
    shard.io.peer_reads(id.slot, SIZE_MAX);
    shard.settle();
    const std::string last = shard.heard(id).back();
    closed += last.starts_with("\x10\x69") ? 1 : 0;  // 4201: sync again
  }
  EXPECT_EQ(closed, 1U);
}

// The reader who is closed may be one of those whom a topic is being sent to.
TEST(ShardEgress, RoomIsMadeInTheMiddleOfAFanOut) {
  NetOptions options;
  options.egress_shard_bytes_max = 20'000;
  SimShard shard(options);
  std::vector<ConnectionId> members;
  for (int i = 0; i < 60; ++i) {
    members.push_back(shard.open());
    shard.io.socket(members.back().slot).room = 0;
    shard.net.subscribe(members.back(), topic(1));
  }
  for (int i = 0; i < 5; ++i) {
    shard.net.publish(topic(1), text(std::string(466, 'a')), DeliveryClass::kMessage);
    shard.settle();
  }
  EXPECT_LE(shard.net.counters().egress_bytes.value(), 20'000 + 60 * 64) << "and close frames";
  std::size_t open = 0;
  for (const ConnectionId id : members) open += shard.net.is_open(id) ? 1 : 0;
  EXPECT_EQ(open + shard.net.counters().shed_shard_egress.value(), members.size());
  EXPECT_GT(open, 0U);
}

TEST(EgressQueue, AMessageLargerThanTheQueueWaitsAlone) {
  NetOptions options = small_queues();
  NetCounters counters;
  EgressBudget budget;
  EgressQueue queue;
  EXPECT_EQ(queue.admit(100'000, DeliveryClass::kMessage, options, budget, counters),
            Admission::kTake);
  queue.push(SharedBytes::allocate(100'000), 0, DeliveryClass::kMessage, 0, budget);
  EXPECT_EQ(queue.admit(1, DeliveryClass::kMessage, options, budget, counters), Admission::kSlow);
  queue.clear(budget);
  EXPECT_EQ(budget.used, 0U);
}

}  // namespace
}  // namespace uproar::net
