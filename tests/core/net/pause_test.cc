// Backpressure on one connection: while it is paused nothing more is delivered or received, and
// afterwards everything comes in its order.

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string said(int count, int from = 0) {
  std::string out;
  for (int i = from; i < from + count; ++i) out += client_frame(1, std::to_string(i));
  return out;
}

TEST(Pause, WhatWasReceivedWaitsAndComesInOrder) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.handler.when_message = [&](ConnectionId from, std::string_view text) {
    if (text == "1") shard.net.pause(from);
  };
  shard.io.peer_says(id.slot, said(4) + client_frame(9, ""));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("text:0", "text:1"));
  EXPECT_EQ(shard.handler.pings, 0);

  shard.net.resume(id);
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("text:0", "text:1", "text:2", "text:3"));
  EXPECT_EQ(shard.handler.pings, 1);
}

TEST(Pause, WhatIsSaidLaterStaysInTheKernel) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.net.pause(id);
  shard.settle();
  shard.io.peer_says(id.slot, said(100));
  shard.settle();
  EXPECT_EQ(shard.io.socket(id.slot).inbound, said(100));
  EXPECT_THAT(shard.handler.messages, IsEmpty());

  shard.net.resume(id);
  shard.settle();
  EXPECT_THAT(shard.handler.messages, SizeIs(100));
  EXPECT_EQ(shard.handler.messages.back(), "text:99");
}

TEST(Pause, HeldFramesOfSeveralPausesKeepTheirOrder) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.handler.when_message = [&](ConnectionId from, std::string_view) { shard.net.pause(from); };
  shard.io.peer_says(id.slot, said(3));
  for (int i = 0; i < 6; ++i) {
    shard.settle();
    if (i == 1) shard.io.peer_says(id.slot, said(3, 3));
    ASSERT_THAT(shard.handler.messages, SizeIs(static_cast<std::size_t>(i) + 1));
    EXPECT_EQ(shard.handler.messages.back(), "text:" + std::to_string(i));
    shard.net.resume(id);
  }
}

TEST(Pause, AResumeBeforeTheCancelIsDoneLosesNothing) {
  SimShard shard;
  const ConnectionId id = shard.open();
  for (int i = 0; i < 5; ++i) {
    shard.net.pause(id);
    shard.net.resume(id);
    shard.net.pause(id);
    shard.turn();
    shard.net.resume(id);
    shard.io.peer_says(id.slot, said(1, i));
    shard.settle();
  }
  EXPECT_THAT(shard.handler.messages,
              ElementsAre("text:0", "text:1", "text:2", "text:3", "text:4"));
  EXPECT_THAT(shard.io.closed(), IsEmpty());
}

TEST(Pause, IsNoSilenceOfThePeer) {
  SimShard shard;
  const ConnectionId id = shard.open();
  const NetOptions& options = shard.net.options();
  shard.io.peer_says(id.slot, client_frame(1, "half", false));
  shard.settle();
  shard.net.pause(id);
  shard.pass_ms(options.idle_timeout_ms + options.fragment_deadline_ms + 1'000);
  EXPECT_TRUE(shard.net.is_open(id));
  EXPECT_THAT(server_frames(shard.io.socket(id.slot).wire), IsEmpty()) << "no ping either";

  shard.net.resume(id);
  shard.settle();
  shard.pass_ms(options.fragment_deadline_ms + 1'000);  // which goes on with the resume
  EXPECT_FALSE(shard.net.is_open(id));
}

TEST(Pause, IsFollowedByPingsAndTheIdleTimeout) {
  SimShard shard;
  const ConnectionId id = shard.open();
  const NetOptions& options = shard.net.options();
  shard.net.pause(id);
  shard.pass_ms(options.ping_interval_ms + 1'000);  // its timer runs out without a word
  shard.net.resume(id);
  shard.settle();
  shard.pass_ms(options.ping_interval_ms + 1'000);
  const auto frames = server_frames(shard.io.socket(id.slot).wire);
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_EQ(frames[0].opcode, 9);
  shard.pass_ms(options.idle_timeout_ms);
  EXPECT_FALSE(shard.net.is_open(id));
  EXPECT_EQ(shard.net.counters().idle_timeouts.value(), 1U);
}

TEST(Pause, EndsWithTheCloseThatTheServerStarts) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.net.pause(id);
  shard.settle();
  shard.net.close(id, ws::CloseCode::kGoingAway, "bye");
  shard.io.peer_says(id.slot, said(2) + client_frame(8, std::string("\x03\xe9", 2)));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, IsEmpty()) << "said after our close frame";
  ASSERT_THAT(shard.handler.causes, SizeIs(1));
  EXPECT_TRUE(shard.handler.causes[0].clean);
}

TEST(Pause, AGoodbyeBehindWaitingMessagesIsACleanEnd) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.handler.when_message = [&](ConnectionId from, std::string_view text) {
    if (text == "0") shard.net.pause(from);
  };
  shard.io.peer_says(id.slot, said(2) + client_frame(8, std::string("\x03\xe8", 2)));
  shard.io.peer_ends(id.slot);
  shard.settle();
  EXPECT_THAT(shard.handler.closed, IsEmpty());

  shard.net.resume(id);
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("text:0", "text:1"));
  ASSERT_THAT(shard.handler.causes, SizeIs(1));
  EXPECT_TRUE(shard.handler.causes[0].clean);
}

TEST(Pause, APeerThatBreaksMeanwhileIsGone) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.net.pause(id);
  shard.settle();
  shard.io.peer_breaks(id.slot);
  shard.net.resume(id);
  shard.settle();
  EXPECT_THAT(shard.handler.closed, ElementsAre(id));
  EXPECT_THAT(shard.io.closed(), Contains(id.slot));
}

TEST(Pause, WhatWaitsStaysWithinTheShardsBudget) {
  NetOptions options;
  options.input_shard_bytes_max = 1024;
  SimShard shard(options);
  const ConnectionId id = shard.open();
  shard.net.pause(id);  // before the cancel of its recv is submitted
  shard.io.peer_says(id.slot, client_frame(1, std::string(4096, 'x')));
  shard.io.poll_world();
  shard.settle();
  EXPECT_EQ(shard.net.counters().shed_unread.value(), 1U);
  const auto frames = server_frames(shard.io.socket(id.slot).wire);
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_EQ(frames[0].opcode, 8);
  EXPECT_EQ(frames[0].payload.substr(0, 2), std::string("\x10\x68")) << "4200: come back later";

  const ConnectionId other = shard.open();  // and the budget is free again
  shard.io.peer_says(other.slot, said(1));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("text:0"));
}

TEST(Pause, PipelinedRequestsBeyondTheBoundWaitInTheKernel) {
  SimShard shard;
  std::vector<ConnectionId> waiting;
  shard.handler.when_request = [&](ConnectionId id, const http::Request&) {
    waiting.push_back(id);
  };
  constexpr int kRequests = 10'000;
  std::string all;
  for (int i = 0; i < kRequests; ++i)
    all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_GT(all.size(), 4 * kPipelinedBytesMax);
  const std::uint32_t slot = shard.connect();
  for (std::size_t at = 0; at < all.size(); at += 16 * 1024) {
    shard.io.peer_says(slot, std::string_view(all).substr(at, 16 * 1024));
    shard.settle();
  }
  EXPECT_GT(shard.io.socket(slot).inbound.size(), all.size() - 3 * kPipelinedBytesMax);
  EXPECT_EQ(shard.net.counters().reading_paused.value(), 1U);

  for (std::size_t i = 0; i < kRequests; ++i) {
    ASSERT_THAT(waiting, SizeIs(i + 1));
    ASSERT_EQ(shard.handler.requests.back(), "GET /" + std::to_string(i) + " ");
    shard.net.respond(waiting.back(), Reply{.body = "x"});
    shard.settle();
  }
  EXPECT_THAT(shard.io.closed(), IsEmpty());
  EXPECT_LT(shard.net.counters().reading_paused.value(), 20U) << "not once an answer";
}

TEST(Pause, AnUpgradeBehindPipelinedRequestsBeginsWithAllThatCameBehindIt) {
  SimShard shard;
  std::vector<ConnectionId> waiting;
  shard.handler.when_request = [&](ConnectionId id, const http::Request&) {
    waiting.push_back(id);
  };
  const std::uint32_t slot = shard.connect();
  const std::string body(kPipelinedBytesMax, 'x');
  shard.io.peer_says(slot, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(kUpgrade) +
                               client_frame(2, body) + said(3));
  shard.settle();
  EXPECT_EQ(shard.net.counters().reading_paused.value(), 1U);
  shard.net.respond(waiting.at(0), Reply{.body = "x"});
  shard.settle();
  ASSERT_THAT(shard.handler.messages, SizeIs(4));
  EXPECT_EQ(shard.handler.messages.back(), "text:2");
  shard.io.peer_says(slot, said(1, 3));
  shard.settle();
  EXPECT_EQ(shard.handler.messages.back(), "text:3");
}

class PauseProperty : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(PauseProperty, EachMessageComesOnceAndInOrder) {
  std::mt19937_64 random(GetParam());
  SimShard shard({}, GetParam());
  shard.io.end_multishots = true;
  shard.io.recv_bytes_max = 0;
  const ConnectionId id = shard.open();
  shard.handler.when_message = [&](ConnectionId from, std::string_view) {
    if (random() % 4 == 0) shard.net.pause(from);
  };
  int count = 0;
  for (int step = 0; step < 500; ++step) {
    switch (random() % 5) {
      case 0:
        shard.io.peer_says(id.slot, said(3, count));
        count += 3;
        break;
      case 1:
        shard.net.pause(id);
        break;
      case 2:
        shard.net.resume(id);
        break;
      case 3:
        shard.io.buffers = random() % 2 == 0 ? 0 : 4096;
        break;
      default:
        shard.turn(random() % 8);
    }
  }
  shard.io.buffers = 4096;
  for (int i = 0; i <= count; ++i) {
    shard.net.resume(id);
    shard.settle();
  }
  ASSERT_THAT(shard.handler.messages, SizeIs(static_cast<std::size_t>(count)));
  for (int i = 0; i < count; ++i)
    ASSERT_EQ(shard.handler.messages[static_cast<std::size_t>(i)], "text:" + std::to_string(i));
}

INSTANTIATE_TEST_SUITE_P(Seeds, PauseProperty, ::testing::Range<std::uint64_t>(1, 101));

}  // namespace
}  // namespace uproar::net
