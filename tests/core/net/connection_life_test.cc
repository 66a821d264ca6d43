// How connections begin and end, over a simulated ring that checks the order of requests itself (sim_io.h).

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/net/listener.h"
#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string close_body(int code, std::string_view reason = {}) {
  std::string out{static_cast<char>(code >> 8), static_cast<char>(code)};
  return out.append(reason);
}

TEST(ConnectionLife, UpgradesEchoesAndKnowsItsContext) {
  SimShard shard;
  shard.handler.when_message = [&](ConnectionId id, std::string_view payload) {
    EXPECT_EQ(shard.net.send(id, ws::text_frame(payload), DeliveryClass::kMessage),
              SendOutcome::kQueued);
  };
  const ConnectionId id = shard.open();
  EXPECT_EQ(shard.net.context(id), 77U);
  shard.io.peer_says(id.slot, client_frame(1, "hello"));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("text:hello"));
  EXPECT_THAT(shard.heard(id), ElementsAre("hello"));
}

TEST(ConnectionLife, TakesAMessageThatCameInTheSamePacketAsTheHandshake) {
  SimShard shard;
  const std::uint32_t slot = shard.connect();
  shard.io.peer_says(slot, std::string(kUpgrade) + client_frame(2, "early"));
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("binary:early"));
}

TEST(ConnectionLife, TheServerEndsTcpFirstAfterThePeersCloseFrame) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.io.peer_says(id.slot, client_frame(8, close_body(1000, "bye")));
  shard.settle();
  const auto frames = server_frames(shard.io.socket(id.slot).wire);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].opcode, 8);
  EXPECT_EQ(frames[0].payload, close_body(1000));
  EXPECT_TRUE(shard.io.socket(id.slot).fin_sent);
  EXPECT_THAT(shard.io.closed(), ElementsAre(id.slot));
  ASSERT_THAT(shard.handler.closed, ElementsAre(id));
  EXPECT_TRUE(shard.handler.causes[0].clean);
  EXPECT_EQ(shard.handler.causes[0].code, ws::CloseCode::kNormal);
  EXPECT_FALSE(shard.net.is_open(id));
}

TEST(ConnectionLife, WhoClosesHasLeftBeforeTheySeeOurCloseFrame) {
  SimShard shard;
  const ConnectionId id = shard.open(), ended_by_us = shard.open();
  std::vector<ConnectionId> left;
  shard.handler.when_left = [&](ConnectionId who) {
    EXPECT_TRUE(shard.io.socket(who.slot).wire.empty());
    EXPECT_TRUE(shard.handler.closed.empty());
    left.push_back(who);
  };
  shard.io.peer_says(id.slot, client_frame(8, close_body(1000)));
  shard.settle();
  EXPECT_THAT(left, ElementsAre(id));
  shard.net.close(ended_by_us, ws::CloseCode::kForbidden, "no");
  shard.settle();
  shard.io.peer_says(ended_by_us.slot, client_frame(8, close_body(4003)));
  shard.settle();
  EXPECT_THAT(left, ElementsAre(id)) << "the other did not choose to";
}

TEST(ConnectionLife, OurCloseWaitsForThePeersAnswerButNotForever) {
  SimShard shard;
  const ConnectionId answers = shard.open();
  const ConnectionId silent = shard.open();
  shard.net.close(answers, ws::CloseCode::kForbidden, "no");
  shard.net.close(silent, ws::CloseCode::kForbidden, "no");
  shard.settle();
  EXPECT_TRUE(shard.io.closed().empty());
  EXPECT_FALSE(shard.io.socket(answers.slot).fin_sent);

  shard.io.peer_says(answers.slot, client_frame(8, close_body(4003)));
  shard.settle();
  EXPECT_THAT(shard.handler.closed, ElementsAre(answers));
  shard.pass_ms(shard.net.options().close_deadline_ms - 10);
  EXPECT_EQ(shard.handler.closed.size(), 1U);
  shard.pass_ms(20);
  EXPECT_THAT(shard.handler.closed, ElementsAre(answers, silent));
  EXPECT_TRUE(shard.handler.causes[0].clean);
  EXPECT_FALSE(shard.handler.causes[1].clean);
  EXPECT_EQ(shard.net.counters().deadline_close.value(), 1U);
}

TEST(ConnectionLife, MessagesAfterOurCloseFrameAreNotHandedUp) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.net.close(id, ws::CloseCode::kNormal);
  shard.io.peer_says(id.slot, client_frame(1, "late") + client_frame(8, close_body(1000)));
  shard.settle();
  EXPECT_TRUE(shard.handler.messages.empty());
  EXPECT_THAT(shard.handler.closed, ElementsAre(id));
}

TEST(ConnectionLife, ABrokenRuleGetsItsCodeThenFinThenALinger) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.io.peer_says(id.slot, std::string("\x81\x05hello", 7));  // unmasked
  shard.settle();
  const auto frames = server_frames(shard.io.socket(id.slot).wire);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_THAT(frames[0].payload, StartsWith(close_body(1002)));
  EXPECT_TRUE(shard.io.socket(id.slot).fin_sent);
  EXPECT_TRUE(shard.io.closed().empty())
      << "the peer may still be sending: a close now would reset our close frame";
  shard.io.peer_says(id.slot, "more that nobody reads");
  shard.io.peer_ends(id.slot);
  shard.settle();
  EXPECT_THAT(shard.io.closed(), ElementsAre(id.slot));
}

TEST(ConnectionLife, TcpThatJustEndsIsAbnormal) {
  SimShard shard;
  const ConnectionId id = shard.open();
  EXPECT_EQ(shard.net.subscribe(id, topic(1)), SubscribeOutcome::kFirst);
  shard.io.peer_ends(id.slot);
  shard.settle();
  ASSERT_THAT(shard.handler.closed, ElementsAre(id));
  EXPECT_FALSE(shard.handler.causes[0].clean);
  EXPECT_EQ(shard.handler.causes[0].code, ws::CloseCode::kAbnormal);
  EXPECT_EQ(shard.net.subscriber_count(topic(1)), 0U);
}

TEST(ConnectionLife, AReusedSlotHasAnotherGenerationAndStaleIdsDoNothing) {
  SimShard shard;
  const ConnectionId first = shard.open();
  shard.io.peer_ends(first.slot);
  shard.settle();
  const ConnectionId second = shard.open();
  EXPECT_EQ(first.slot, second.slot);
  EXPECT_NE(first.generation, second.generation);
  EXPECT_EQ(shard.net.send(first, ws::text_frame("x"), DeliveryClass::kMessage),
            SendOutcome::kGone);
  EXPECT_EQ(shard.net.subscribe(first, topic(1)), SubscribeOutcome::kGone);
  EXPECT_EQ(shard.net.unsubscribe(first, topic(1), PendingFrames::kDrop),
            UnsubscribeOutcome::kNotThere);
  EXPECT_EQ(shard.net.context(first), 0U);
  shard.net.close(first, ws::CloseCode::kNormal);
  shard.net.hold(first);
  shard.net.release(first);
  EXPECT_FALSE(shard.net.respond(first, Reply{}));
  shard.settle();
  EXPECT_TRUE(shard.net.is_open(second));
  EXPECT_TRUE(shard.heard(second).empty());
}

TEST(ConnectionLife, ACompletionOfAnEarlierGenerationIsOnlyCounted) {
  SimShard shard;
  const ConnectionId id = shard.open();
  const std::uint64_t before = shard.net.counters().stale_completions.value();
  for (const auto kind :
       {runtime::OpKind::kRecv, runtime::OpKind::kSend, runtime::OpKind::kWritable}) {
    shard.net.on_completion(
        {.key = {.kind = kind, .generation = id.generation + 1, .slot = id.slot},
         .result = -ECONNRESET,
         .more = false,
         .buffer = {}});
  }
  EXPECT_EQ(shard.net.counters().stale_completions.value(), before + 3);
  EXPECT_TRUE(shard.net.is_open(id));
}

TEST(ConnectionLife, PingsAreAnsweredAndAFloodIsClosedWith1008) {
  NetOptions options;
  options.control_frames_per_second_max = 5;
  SimShard shard(options);
  const ConnectionId id = shard.open();
  for (int i = 0; i < 5; ++i) shard.io.peer_says(id.slot, client_frame(9, "p" + std::to_string(i)));
  shard.settle();
  EXPECT_THAT(shard.heard(id), ElementsAre("p0", "p1", "p2", "p3", "p4"));
  EXPECT_EQ(shard.handler.pings, 5);
  shard.io.peer_says(id.slot, client_frame(9, "one more"));
  shard.settle();
  EXPECT_THAT(shard.heard(id).back(), StartsWith(close_body(1008)));
  EXPECT_EQ(shard.net.counters().control_floods.value(), 1U);
}

TEST(ConnectionLife, DeadlinesAreAbsolute) {
  SimShard shard;
  const std::uint32_t slow_head = shard.connect();
  const std::uint32_t mute = shard.connect();
  const ConnectionId slow_message = shard.open();
  const std::string frame = client_frame(1, std::string(200, 'x'));
  std::size_t sent_head = 0;
  std::size_t sent_frame = 0;
  // A byte every second keeps no deadline away.
  for (int second = 0; second < 29; ++second) {
    shard.io.peer_says(slow_head, kUpgrade.substr(sent_head++, 1));
    shard.io.peer_says(slow_message.slot, frame.substr(sent_frame++, 1));
    shard.pass_ms(1000);
    if (second == 8) {
      EXPECT_FALSE(shard.io.socket(slow_head).fin_sent);
    }
  }
  EXPECT_THAT(shard.io.socket(slow_head).wire, StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(shard.io.socket(mute).wire.empty()) << "nothing was begun: nothing is answered";
  EXPECT_TRUE(shard.io.socket(mute).fin_sent);
  EXPECT_TRUE(shard.net.is_open(slow_message));
  shard.pass_ms(3000);
  EXPECT_FALSE(shard.net.is_open(slow_message));
  EXPECT_EQ(shard.net.counters().deadline_fragment.value(), 1U);
  EXPECT_EQ(shard.net.counters().deadline_handshake.value(), 2U);
}

TEST(ConnectionLife, ASilentPeerIsPingedThenClosedWith4208) {
  SimShard shard;
  const ConnectionId dead = shard.open();
  const ConnectionId alive = shard.open();
  for (int i = 0; i < 100; ++i) {
    shard.pass_ms(1000);
    for (const auto& frame : server_frames(shard.io.socket(alive.slot).wire)) {
      if (frame.opcode == 9) shard.io.peer_says(alive.slot, client_frame(10, frame.payload));
    }
    shard.io.socket(alive.slot).wire.clear();
  }
  EXPECT_EQ(server_frames(shard.io.socket(dead.slot).wire).at(0).opcode, 9);
  shard.pass_ms(30'000);
  EXPECT_FALSE(shard.net.is_open(dead));
  EXPECT_TRUE(shard.net.is_open(alive));
  EXPECT_EQ(shard.net.counters().idle_timeouts.value(), 1U);
  EXPECT_THAT(shard.heard(dead).back(), StartsWith(close_body(4208)));
}

TEST(ConnectionLife, RunningOutOfReceiveBuffersIsNoErrorOfThePeer) {
  SimShard shard;
  const ConnectionId id = shard.open();
  shard.io.buffers = 0;
  shard.io.peer_says(id.slot, client_frame(1, "patience"));
  for (int i = 0; i < 10; ++i) shard.turn();
  EXPECT_TRUE(shard.handler.messages.empty());
  EXPECT_EQ(shard.net.counters().recv_starved.value(), 1U) << "re-arming at once would spin";
  shard.io.buffers = 10;
  shard.settle();
  EXPECT_THAT(shard.handler.messages, ElementsAre("text:patience"));
}

TEST(ConnectionLife, AcceptingStopsAtTheHighWaterMarkAndGoesOnAfterACloses) {
  NetOptions options;
  options.connections_max = 3;
  SimShard shard(options);
  const ConnectionId first = shard.open();
  shard.open();
  shard.open();
  EXPECT_FALSE(shard.io.accepting());
  EXPECT_EQ(shard.net.counters().accept_paused.value(), 1U);
  shard.io.peer_ends(first.slot);
  shard.settle();
  EXPECT_TRUE(shard.io.accepting());
  shard.open();
}

TEST(ConnectionLife, OutOfDescriptorsIsCountedAndTriedAgainLater) {
  SimShard shard;
  shard.io.accept_fails(EMFILE);
  shard.settle();
  EXPECT_FALSE(shard.io.accepting());
  EXPECT_EQ(shard.net.counters().accept_exhausted.value(), 1U);
  ASSERT_TRUE(shard.net.next_deadline().has_value());
  EXPECT_LE(*shard.net.next_deadline(), shard.now.monotonic_us + 100'000);
  shard.pass_ms(150);
  EXPECT_TRUE(shard.io.accepting());
  shard.io.refuse_adopts = true;
  EXPECT_TRUE(shard.io.peer_connects());
  shard.settle();
  EXPECT_EQ(shard.net.counters().adopt_refused.value(), 1U);
  EXPECT_EQ(shard.net.counters().connections.value(), 0);
}

TEST(ConnectionLife, DrainStopsAcceptingAndCloses4300SpreadOut) {
  SimShard shard;
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(shard.open());
  shard.net.drain(2);
  shard.settle();
  EXPECT_FALSE(shard.io.accepting());
  const auto closing = [&] {
    return std::count_if(ids.begin(), ids.end(),
                         [&](ConnectionId id) { return !shard.net.is_open(id); });
  };
  EXPECT_EQ(closing(), 1);
  shard.pass_ms(2000);
  EXPECT_EQ(closing(), 5);
  shard.pass_ms(3000);
  EXPECT_EQ(closing(), 10);
  EXPECT_THAT(shard.heard(ids[9]).back(), StartsWith(close_body(4300)));
  shard.pass_ms(4000);
  EXPECT_TRUE(shard.net.drained());
}

// A socket of this machine that connects to a port there; negative when it is refused.
int connects(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0) return fd;
  ::close(fd);
  return -1;
}

// Who waited to be accepted would be reset at the end, and until then wait for nothing.
TEST(ConnectionLife, ADrainAnswersWhoWaitsToBeAcceptedAndRefusesWhoComesLater) {
  SimShard shard;
  const ConnectionId stays = shard.open();
  auto listening = listen_reuseport("127.0.0.1:0");
  ASSERT_TRUE(listening.ok());
  const int listener = listening.value();
  const std::uint16_t port = local_port(listener);
  shard.net.add_listener(listener);
  shard.settle();
  const int waits = connects(port);
  ASSERT_GE(waits, 0);
  shard.net.drain(1);  // the one that stays is not closed by the time the others are
  shard.settle();
  EXPECT_LT(connects(port), 0);
  EXPECT_EQ(shard.net.counters().accepted.value(), 2U);
  const std::uint32_t late = stays.slot + 1;
  shard.io.peer_says(late, kUpgrade);
  shard.settle();
  EXPECT_THAT(shard.io.socket(late).wire, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(shard.io.socket(late).wire, HasSubstr("Retry-After: 1\r\n"));
  ::close(waits);
  ::close(listener);
}

TEST(ConnectionLife, WhoCameAsADrainBeganAndSaysNothingDoesNotHoldItUp) {
  SimShard shard;
  auto listening = listen_reuseport("127.0.0.1:0");
  ASSERT_TRUE(listening.ok());
  shard.net.add_listener(listening.value());
  shard.settle();
  const int waits = connects(local_port(listening.value()));
  ASSERT_GE(waits, 0);
  shard.net.drain();
  shard.settle();
  EXPECT_EQ(shard.net.counters().connections.value(), 1);
  for (int seconds = 0; seconds < 4 && !shard.net.drained(); ++seconds) shard.pass_ms(1000);
  EXPECT_TRUE(shard.net.drained());
  ::close(waits);
  ::close(listening.value());
}

TEST(ConnectionLife, TheLastWordsBeforeADrainGoOutBeforeTheCloseFrame) {
  SimShard shard;
  const ConnectionId talks = shard.open();
  const ConnectionId leaves = shard.open();
  shard.handler.when_draining = [&](ConnectionId id) {
    shard.net.send(id, ws::text_frame("farewell"), DeliveryClass::kMessage);
    if (id == leaves) shard.net.close(id, ws::CloseCode::kGoingAway);
  };
  shard.net.drain();
  shard.settle();
  ASSERT_EQ(shard.heard(talks).size(), 2U);
  EXPECT_EQ(shard.heard(talks)[0], "farewell");
  EXPECT_THAT(shard.heard(talks)[1], StartsWith(close_body(4300)));
  ASSERT_EQ(shard.heard(leaves).size(), 2U);
  EXPECT_EQ(shard.heard(leaves)[1], close_body(1001));
}

TEST(ConnectionLife, PipelinedRequestsAreAnsweredInOrderAlsoWhenAnswersComeLater) {
  SimShard shard;
  std::vector<ConnectionId> waiting;
  shard.handler.when_request = [&](ConnectionId id, const http::Request&) {
    waiting.push_back(id);
  };
  const std::uint32_t slot = shard.connect();
  shard.io.peer_says(slot,
                     "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: "
                     "a\r\nContent-Length: 3\r\n\r\nabc"
                     "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  shard.settle();
  EXPECT_THAT(shard.handler.requests, ElementsAre("GET /1 "));
  EXPECT_TRUE(shard.net.respond(waiting.back(), Reply{.body = "one"}));
  EXPECT_FALSE(shard.net.respond(waiting.back(), Reply{.body = "again"}));
  shard.settle();
  EXPECT_THAT(shard.handler.requests, ElementsAre("GET /1 ", "POST /2 abc"));
  shard.net.respond(waiting.back(), Reply{.body = "two"});
  shard.settle();
  shard.net.respond(waiting.back(), Reply{.body = "three"});
  shard.settle();
  const std::string& wire = shard.io.socket(slot).wire;
  EXPECT_LT(wire.find("one"), wire.find("two"));
  EXPECT_LT(wire.find("two"), wire.find("three"));
  EXPECT_THAT(wire, HasSubstr("Connection: close"));
  EXPECT_TRUE(shard.io.socket(slot).fin_sent);
}

TEST(ConnectionLife, AnUnansweredRequestIsAnsweredWith503InTheEnd) {
  SimShard shard;
  const std::uint32_t slot = shard.connect();
  shard.io.peer_says(slot, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  shard.settle();
  shard.pass_ms(shard.net.options().http_answer_ms + 100);
  EXPECT_THAT(shard.io.socket(slot).wire, StartsWith("HTTP/1.1 503 "));
}

TEST(ConnectionLife, ARefusedUpgradeGetsTheHandlersStatusAndBody) {
  SimShard shard;
  const std::uint32_t slot = shard.connect();
  std::string request(kUpgrade);
  request.replace(request.find("/ws"), 3, "/refuse");
  shard.io.peer_says(slot, request);
  shard.settle();
  EXPECT_THAT(shard.io.socket(slot).wire, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(shard.io.socket(slot).wire, HasSubstr("{\"no\":1}"));
  EXPECT_TRUE(shard.handler.opened.empty());
}

TEST(ConnectionLife, SaysContinueToAClientThatWaitsForIt) {
  SimShard shard;
  shard.handler.when_request = [&](ConnectionId id, const http::Request&) {
    shard.net.respond(id, Reply{.body = "ok"});
  };
  const std::uint32_t slot = shard.connect();
  shard.io.peer_says(
      slot, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  shard.settle();
  EXPECT_THAT(shard.io.socket(slot).wire, StartsWith("HTTP/1.1 100 Continue\r\n\r\n"));
  shard.io.peer_says(slot, "hi");
  shard.settle();
  EXPECT_THAT(shard.io.socket(slot).wire, HasSubstr("HTTP/1.1 200 OK"));
}

TEST(ConnectionLife, AnIdleWebSocketHoldsNoBuffersAndLittleElse) {
  NetOptions options;
  options.connections_max = 4000;
  SimShard shard(options);
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 2000; ++i) {
    ids.push_back(shard.open());
    EXPECT_NE(shard.net.subscribe(ids.back(), topic(1)), SubscribeOutcome::kGone);
  }
  shard.settle();
  EXPECT_EQ(shard.net.counters().egress_bytes.value(), 0);
  EXPECT_LE(shard.net.memory_bytes() / ids.size(), 300U);
}

}  // namespace
}  // namespace uproar::net
