// What one client may use of a shard, and that nobody else pays for it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/net/limits.h"
#include "proto/ws/deflate.h"
#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kHonest = "127.0.0.7";
constexpr const char* kGreedy = "127.0.0.8";
constexpr Uuid kAlice{.high = 1, .low = 1};
constexpr Uuid kMallory{.high = 1, .low = 2};

constexpr std::string_view kUpgradeWithDeflate =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

// A whole compressed text message.
std::string compressed_frame(std::string_view payload) {
  ws::Deflater deflater;
  constexpr int kRsv1Text = 0x41;
  return client_frame(kRsv1Text, as_text(deflater.compress_payload(as_bytes(payload))));
}

std::string many(std::string_view frame, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += frame;
  return out;
}

// Code of the close frame that the peer was sent; 0 without one.
int close_code(SimShard& shard, std::uint32_t slot) {
  for (const ServerFrame& frame : server_frames(shard.io.socket(slot).wire)) {
    if (frame.opcode != 8) continue;
    return static_cast<unsigned char>(frame.payload[0]) << 8 |
           static_cast<unsigned char>(frame.payload[1]);
  }
  return 0;
}

NetOptions with_sessions() {
  NetOptions options;
  options.has_sessions = true;
  options.deflate = true;
  options.sessionless_message_bytes_max = 4096;
  return options;
}

// --- Work -----------------------------------------------------------------------------------------------------------

TEST(Share, AFloodHasItsPartOfATurnAndTheRestWaitsBehindTheOthers) {
  SimShard shard;
  const ConnectionId greedy = shard.open_from(kGreedy);
  const ConnectionId honest = shard.open_from(kHonest);
  const std::string frame = client_frame(1, "spam!");
  const std::size_t per_turn = kClientTurnUnits / (frame.size() * kReceivedByteUnits) + 1;
  shard.io.peer_says(greedy.slot, many(frame, 5 * per_turn));
  shard.io.peer_says(honest.slot, client_frame(1, "hello"));
  shard.turn();
  EXPECT_LE(shard.handler.messages.size(), 2 * per_turn + 2) << "what came, and one part more";
  EXPECT_THAT(shard.handler.messages, Contains("text:hello"));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, SizeIs(5 * per_turn + 1)) << "nothing is lost";
  EXPECT_GT(shard.net.counters().work_deferred.value(), 2U);
  EXPECT_THAT(shard.io.closed(), IsEmpty());
}

TEST(Share, InflatedBytesCountAsWork) {
  NetOptions options;
  options.deflate = true;
  SimShard shard(options);
  const ConnectionId greedy = shard.upgrade(shard.connect_from(kGreedy), kUpgradeWithDeflate);
  const std::string bomb = compressed_frame(std::string(options.message_bytes_max, 'a'));
  ASSERT_LT(bomb.size(), 512U);
  constexpr std::size_t kBombs = 40;
  shard.io.peer_says(greedy.slot, many(bomb, kBombs));
  std::size_t most = 0;
  for (bool busy = true; busy || shard.handler.messages.size() < kBombs;) {
    const std::size_t before = shard.handler.messages.size();
    busy = shard.turn();
    most = std::max(most, shard.handler.messages.size() - before);
  }
  EXPECT_LE(most, 2 * (kClientTurnUnits / options.message_bytes_max + 1));
}

TEST(Share, WhoOwesIsNotReadUntilItIsPaid) {
  NetOptions options;
  options.address_work = WorkShare::of(100'000, 50'000);
  SimShard shard(options);
  const ConnectionId greedy = shard.open_from(kGreedy);
  const ConnectionId honest = shard.open_from(kHonest);
  shard.pass_ms(1'000);  // the upgrade is paid
  const std::string frame = client_frame(1, std::string(242, 'x'));
  ASSERT_EQ(frame.size(), 250U);  // 1,000 units, of which 50 are there
  shard.io.peer_says(greedy.slot, many(frame, 200));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, SizeIs(51)) << "the last one is begun while nothing is owed";
  EXPECT_EQ(shard.net.counters().work_throttled.value(), 1U);
  EXPECT_EQ(shard.net.counters().reading_paused.value(), 1U);

  shard.io.peer_says(honest.slot, client_frame(1, "hello"));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, Contains("text:hello")) << "nobody else waits";

  shard.pass_ms(100);
  EXPECT_THAT(shard.handler.messages, SizeIs(62)) << "10 more are paid in 100 ms";
  for (int i = 0; i < 20; ++i) shard.pass_ms(100);
  EXPECT_THAT(shard.handler.messages, SizeIs(201)) << "none is lost";
  EXPECT_THAT(shard.io.closed(), IsEmpty());
}

TEST(Share, ManyConnectionsThatOweAreNotAllLookedAtForEachThatMayGoOn) {
  constexpr std::uint32_t kConnections = 500;  // each looked at every 10 ms
  NetOptions options;
  options.address_work = WorkShare::of(1'000'000, 50'000);
  SimShard shard(options);
  std::vector<ConnectionId> greedy;
  for (std::uint32_t i = 0; i < kConnections; ++i) {
    greedy.push_back(shard.open_from(kGreedy));
    shard.pass_ms(20);  // the upgrade is paid
  }
  const std::string frame = client_frame(1, std::string(242, 'x'));  // 1 ms of work
  for (const ConnectionId id : greedy) shard.io.peer_says(id.slot, frame);
  shard.settle();
  const std::size_t at_once = shard.handler.messages.size();
  const std::uint64_t looks_before = shard.net.counters().work_throttled.value();
  for (int i = 0; i < 200; ++i) shard.pass_ms(1);
  EXPECT_GT(shard.handler.messages.size(), at_once + 180) << "all that is paid for is used";
  const std::uint64_t looks = shard.net.counters().work_throttled.value() - looks_before;
  EXPECT_LT(looks, 10'500U) << "each of 500 every 10 ms";
  for (int i = 0; i < 500; ++i) shard.pass_ms(1);
  EXPECT_THAT(shard.handler.messages, SizeIs(kConnections)) << "nothing is lost";
}

TEST(Share, OneUserPaysForAllOfTheirConnections) {
  NetOptions options = with_sessions();
  options.user_work = WorkShare::of(100'000, 50'000);
  SimShard shard(options);
  const std::string frame = client_frame(1, std::string(244, 'x'));
  for (int i = 0; i < 5; ++i) {
    const ConnectionId id = shard.open_from(kGreedy);
    shard.net.identify(id, kMallory);
    shard.io.peer_says(id.slot, many(frame, 40));
  }
  const ConnectionId neighbour = shard.open_from(kGreedy);
  shard.net.identify(neighbour, kAlice);
  shard.settle();
  EXPECT_LE(shard.handler.messages.size(), 51U + 4U);
  shard.io.peer_says(neighbour.slot, client_frame(1, "hello"));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, Contains("text:hello")) << "who shares the address only";
}

TEST(Share, WhoComesAgainStillOwes) {
  NetOptions options;
  options.address_work = WorkShare::of(100'000, 50'000);
  SimShard shard(options);
  const ConnectionId first = shard.open_from(kGreedy);
  shard.io.peer_says(first.slot, many(client_frame(1, std::string(244, 'x')), 100));
  shard.settle();
  shard.io.peer_breaks(first.slot);
  shard.settle();
  const std::size_t before = shard.handler.messages.size();
  const std::uint32_t again = shard.connect_from(kGreedy);
  shard.io.peer_says(again, kUpgrade);
  shard.settle();
  EXPECT_THAT(shard.handler.opened, SizeIs(1)) << "its request waits";
  EXPECT_THAT(shard.handler.messages, SizeIs(before));
  shard.pass_ms(1'000);
  EXPECT_THAT(shard.handler.opened, SizeIs(2));
}

TEST(Share, RequestsAreWorkToo) {
  NetOptions options;
  options.address_work = WorkShare::of(100'000, 10 * kRequestUnits);
  SimShard shard(options);
  shard.handler.when_request = [&](ConnectionId id, const http::Request&) {
    shard.net.respond(id, Reply{.body = "x"});
  };
  const std::uint32_t greedy = shard.connect_from(kGreedy);
  shard.io.peer_says(greedy, many("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 100));
  shard.settle();
  EXPECT_LE(shard.handler.requests.size(), 11U);
  for (int i = 0; i < 50; ++i) shard.pass_ms(100);
  EXPECT_THAT(shard.handler.requests, SizeIs(100));
}

TEST(Share, WhatIsAnsweredIsWorkToo) {
  constexpr std::size_t kAnswerBytes = 60'000;
  constexpr std::uint32_t kAnswers = 10;
  NetOptions options;
  options.address_work =
      WorkShare::of(1'000'000, kAnswers * (kRequestUnits + kAnswerBytes / kAnsweredBytesPerUnit));
  SimShard shard(options);
  const std::string body(kAnswerBytes, 'x');
  shard.handler.when_request = [&](ConnectionId id, const http::Request&) {
    shard.net.respond(id, Reply{.body = body});
  };
  const std::uint32_t greedy = shard.connect_from(kGreedy);
  shard.io.peer_says(greedy, many("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3 * kAnswers));
  shard.settle();
  EXPECT_LE(shard.handler.requests.size(), kAnswers + 1);
  for (int i = 0; i < 50; ++i) shard.pass_ms(100);
  EXPECT_THAT(shard.handler.requests, SizeIs(3 * kAnswers));
}

// --- Messages of those who have no session, and of those who are told to go ------------------------------------------

TEST(Share, AMessageBeforeTheSessionIsSmallInflatedToo) {
  SimShard shard(with_sessions());
  const std::string large(5'000, 'a');
  const ConnectionId plain = shard.open_from(kGreedy);
  shard.io.peer_says(plain.slot, client_frame(1, large));
  const ConnectionId deflated = shard.upgrade(shard.connect_from(kGreedy), kUpgradeWithDeflate);
  shard.io.peer_says(deflated.slot, compressed_frame(large));
  shard.settle();
  EXPECT_EQ(close_code(shard, plain.slot), 1009);
  EXPECT_EQ(close_code(shard, deflated.slot), 1009);
  EXPECT_THAT(shard.handler.messages, IsEmpty());

  const ConnectionId alice = shard.upgrade(shard.connect_from(kHonest), kUpgradeWithDeflate);
  shard.io.peer_says(alice.slot, client_frame(1, "small"));
  shard.settle();
  shard.net.identify(alice, kAlice);
  shard.io.peer_says(alice.slot, client_frame(1, large) + compressed_frame(large));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("text:small", "text:" + large, "text:" + large));
}

TEST(Share, AfterOurCloseFrameOnlyThePeersIsReadAndItMayBeAnywhere) {
  NetOptions options;
  options.deflate = true;
  SimShard shard(options);
  const ConnectionId id = shard.upgrade(shard.connect_from(kGreedy), kUpgradeWithDeflate);
  shard.io.peer_says(id.slot, client_frame(1, "half", false));
  shard.settle();
  shard.net.close(id, ws::CloseCode::kNormal);
  const std::string bomb = compressed_frame(std::string(options.message_bytes_max, 'a'));
  shard.io.peer_says(id.slot, client_frame(0, "the other") + many(bomb, 20));
  shard.settle();
  EXPECT_EQ(shard.net.counters().messages_in.value(), 0U);
  EXPECT_EQ(shard.net.counters().protocol_errors.value(), 0U);
  shard.io.peer_says(id.slot, client_frame(8, std::string("\x03\xe8", 2)));
  shard.settle();
  ASSERT_THAT(shard.handler.causes, SizeIs(1));
  EXPECT_TRUE(shard.handler.causes[0].clean);
}

// --- Slots ----------------------------------------------------------------------------------------------------------

TEST(Share, ASlotIsFoundAtTheCostOfTheAddressThatHasMostWithoutASession) {
  NetOptions options;
  options.connections_max = 128;
  SimShard shard(options);
  const std::uint32_t honest = shard.connect_from(kHonest);
  const ConnectionId open = shard.open_from(kGreedy);  // a session: it stays
  std::vector<std::uint32_t> greedy;
  for (int i = 0; i < 500; ++i) greedy.push_back(shard.connect_from(kGreedy));
  EXPECT_THAT(greedy, Each(Not(UINT32_MAX))) << "nobody was refused";
  EXPECT_EQ(shard.net.counters().accept_paused.value(), 0U);
  EXPECT_TRUE(shard.io.socket(honest).in_use);
  EXPECT_TRUE(shard.net.is_open(open));
  EXPECT_EQ(shard.net.counters().made_room.value(), 500U + 2U + spare_slots(128) - 128U);
  EXPECT_NE(shard.connect_from("127.0.0.9"), UINT32_MAX);
  // The oldest went: the newest that came is still there.
  EXPECT_TRUE(shard.io.socket(greedy.back()).in_use);
}

TEST(Share, WithoutASessionOnlyAPartOfTheSlotsCanBeHeld) {
  NetOptions options = with_sessions();
  options.sessionless_max = 10;
  SimShard shard(options);
  const ConnectionId waits = shard.open_from(kHonest);  // has not said who it is
  const ConnectionId alice = shard.open_from(kHonest);
  shard.net.identify(alice, kAlice);
  for (int i = 0; i < 50; ++i) shard.open_from(kGreedy);
  EXPECT_EQ(shard.net.counters().connections.value(), 10 + 1);
  EXPECT_TRUE(shard.net.is_open(waits));
  EXPECT_TRUE(shard.net.is_open(alice));
}

TEST(Share, WhoHasResetTheirConnectionAlreadyGetsNoSlot) {
  SimShard shard;
  EXPECT_EQ(shard.connect(accepted_and_reset_from(kGreedy)), UINT32_MAX);
  EXPECT_EQ(shard.net.counters().accept_errors.value(), 1U);
  EXPECT_EQ(shard.net.counters().accepted.value(), 0U);
}

TEST(Share, AnAddressHasABoundOfItsOwn) {
  NetOptions options;
  options.connections_per_address_max = 3;
  SimShard shard(options);
  std::vector<ConnectionId> open;
  for (int i = 0; i < 3; ++i) open.push_back(shard.open_from(kGreedy));
  EXPECT_EQ(shard.connect_from(kGreedy), UINT32_MAX);
  EXPECT_EQ(shard.net.counters().refused_address_open.value(), 1U);
  EXPECT_NE(shard.connect_from(kHonest), UINT32_MAX);
  shard.io.peer_breaks(open[0].slot);
  shard.settle();
  EXPECT_NE(shard.connect_from(kGreedy), UINT32_MAX) << "one has gone";
}

// --- Memory ---------------------------------------------------------------------------------------------------------

TEST(Share, MemoryIsTakenFromTheUserWhoHoldsMost) {
  NetOptions options = with_sessions();
  options.input_shard_bytes_max = 256 * 1024;
  SimShard shard(options);
  const auto begin_message = [&](const Uuid& user) {
    const ConnectionId id = shard.open_from(kGreedy);
    shard.net.identify(id, user);
    shard.io.peer_says(id.slot, client_frame(1, std::string(30'000, 'x'), false));
    shard.settle();
    return id;
  };
  const ConnectionId alice = begin_message(kAlice);
  std::vector<ConnectionId> mallory;
  for (int i = 0; i < 20; ++i) mallory.push_back(begin_message(kMallory));
  shard.io.peer_says(alice.slot, client_frame(0, "end"));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, SizeIs(1));
  EXPECT_TRUE(shard.net.is_open(alice));
  EXPECT_GT(shard.net.counters().shed_unread.value(), 10U);
  std::size_t open = 0;
  for (const ConnectionId id : mallory) open += shard.net.is_open(id) ? 1 : 0;
  EXPECT_EQ(open + shard.net.counters().shed_unread.value(), mallory.size());
  EXPECT_GE(open, 3U) << "no more than need be";
}

}  // namespace
}  // namespace uproar::net
