// What a peer can make the server keep over HTTP (docs/contract.md, D7): answers that it does not read, requests that it does
// not finish. Each costs the one who does it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::size_t kAnswerBytes = 20 * 1024;

std::string requests(int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  return out;
}

void answer_at_once(SimShard& shard) {
  const std::string body(kAnswerBytes, 'x');
  shard.handler.when_request = [&shard, body](ConnectionId id, const http::Request&) {
    const http::Response answer{
        .status = 200, .content_type = "text/plain", .headers = {}, .body = body};
    shard.net.respond(id, answer);
  };
}

std::size_t answers(SimShard& shard, std::uint32_t slot) {
  const std::string& wire = shard.io.socket(slot).wire;
  std::size_t count = 0;
  for (std::size_t at = wire.find("HTTP/1.1 200"); at != std::string::npos;
       at = wire.find("HTTP/1.1 200", at + 1))
    ++count;
  return count;
}

TEST(HttpBounds, APeerThatDoesNotReadIsAskedNoFurtherAndGetsAllOnceItReads) {
  SimShard shard;
  answer_at_once(shard);
  const std::uint32_t slot = shard.connect();
  shard.io.socket(slot).room = 0;
  shard.io.peer_says(slot, requests(100));
  shard.settle();
  EXPECT_THAT(shard.handler.requests, SizeIs(2)) << "32 KiB of unread answers and one more";
  EXPECT_LT(shard.net.counters().egress_bytes.value(), 64 * 1024);
  shard.io.peer_says(slot, requests(5));
  shard.settle();
  EXPECT_THAT(shard.handler.requests, SizeIs(2));

  shard.io.peer_reads(slot, SIZE_MAX);
  shard.settle();
  ASSERT_THAT(shard.handler.requests, SizeIs(105));
  EXPECT_EQ(shard.handler.requests[99], "GET /99 ");
  EXPECT_EQ(answers(shard, slot), 105U);
  EXPECT_TRUE(shard.io.closed().empty());
}

TEST(HttpBounds, APeerThatHalfClosesAndReadsLateGetsAllOfItsAnswers) {
  SimShard shard;
  answer_at_once(shard);
  const std::uint32_t slot = shard.connect();
  shard.io.socket(slot).room = 0;
  shard.io.peer_says(slot, requests(20));
  shard.io.peer_ends(slot);
  shard.settle();
  shard.io.peer_reads(slot, SIZE_MAX);
  shard.settle();
  EXPECT_EQ(answers(shard, slot), 20U);
  EXPECT_TRUE(shard.io.socket(slot).fin_sent);
}

TEST(HttpBounds, UnreadAnswersOfAllStayWithinTheShardsBudget) {
  NetOptions options;
  options.egress_shard_bytes_max = 256 * 1024;
  SimShard shard(options);
  answer_at_once(shard);
  for (int i = 0; i < 20; ++i) {
    const std::uint32_t slot = shard.connect();
    shard.io.socket(slot).room = 0;
    shard.io.peer_says(slot, requests(10));
    shard.settle();
    ASSERT_LE(shard.net.counters().egress_bytes.value(), 256 * 1024);
  }
  EXPECT_GT(shard.net.counters().shed_shard_egress.value(), 0U);
  EXPECT_FALSE(shard.io.closed().empty());
}

TEST(HttpBounds, UnfinishedRequestsOfAllStayWithinTheShardsBudgetAndGiveItBack) {
  NetOptions options;
  options.input_shard_bytes_max = 200 * 1024;
  SimShard shard(options);
  answer_at_once(shard);
  const std::string part =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20001\r\n\r\n" + std::string(20'000, 'x');
  const std::uint32_t honest = shard.connect_from("127.0.0.7");
  shard.io.peer_says(honest, part);
  shard.settle();
  for (int i = 0; i < 10; ++i) {
    const std::uint32_t greedy = shard.connect_from("127.0.0.8");
    shard.io.peer_says(greedy, part);
    shard.settle();
  }
  EXPECT_GT(shard.net.counters().shed_http_buffers.value(), 0U);
  EXPECT_LT(shard.net.counters().shed_http_buffers.value(), 8U) << "some of them have room";

  shard.io.peer_says(honest, "x");  // who holds least goes on
  shard.settle();
  EXPECT_EQ(answers(shard, honest), 1U);

  shard.pass_ms(shard.net.options().handshake_deadline_ms + 2'000);  // the others are ended
  const std::uint32_t later = shard.connect();
  shard.io.peer_says(later, part + "x");
  shard.settle();
  EXPECT_EQ(answers(shard, later), 1U);
}

}  // namespace
}  // namespace uproar::net
