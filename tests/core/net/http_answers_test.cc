// What a connection answers by itself, over a simulated ring: to a HEAD request, and to requests
// that are refused.

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::string_view kHeadEnd = "\r\n\r\n";

struct Answer {
  std::string head;  // with the empty line
  std::string rest;  // whatever came behind it
};

Answer answer_in(std::string_view wire) {
  const std::size_t end = wire.find(kHeadEnd);
  if (end == std::string_view::npos) return {.head = std::string(wire), .rest = {}};
  const std::size_t body_at = end + kHeadEnd.size();
  return {.head = std::string(wire.substr(0, body_at)), .rest = std::string(wire.substr(body_at))};
}

std::string with_method(std::string_view method, std::string_view rest) {
  return std::string(method).append(rest);
}

// Refused by the connection itself. `rest` is what follows the method.
struct Refused {
  const char* name;
  std::string rest;
  const char* status_line;
};

std::vector<Refused> refused_requests() {
  const std::string host = " / HTTP/1.1\r\nHost: a\r\n";
  const std::string handshake(kUpgrade.substr(kUpgrade.find(' ')));
  return {
      {"no Host", " / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"bad header", host + "X : a\r\n\r\n", "HTTP/1.1 400 "},
      {"bare LF in the head", host + "X: a\n\r\n", "HTTP/1.1 400 "},
      {"head too large", host + "X: " + std::string(20'000, 'a') + "\r\n\r\n", "HTTP/1.1 431 "},
      {"expectation", host + "Expect: a\r\n\r\n", "HTTP/1.1 417 "},
      {"body too large", host + "Content-Length: 99999999\r\n\r\n", "HTTP/1.1 413 "},
      {"bad chunk", host + "Transfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 400 "},
      {"unknown coding", host + "Transfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 "},
      {"bad target", " a HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"version", " / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 "},
      {"bare LF in the request line", " / HTTP/1.1\n", "HTTP/1.1 400 "},
      {"request line too long", " /" + std::string(9'000, 'a') + " HTTP/1.1\r\n", "HTTP/1.1 414 "},
      {"two methods", " HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"no version of WebSocket", host + "Upgrade: websocket\r\n\r\n", nullptr},
      {"foreign origin",
       std::string(handshake).insert(handshake.find("Host"), "Origin: https://evil.example\r\n"),
       nullptr},
  };
}

// RFC 9110 §9.3.2: whatever the status, or what stands behind it is read as the next answer.
TEST(HttpAnswers, ToHeadNeverHaveABody) {
  for (const Refused& refused : refused_requests()) {
    for (const bool one_by_one : {false, true}) {
      SimShard shard;
      const std::uint32_t slot = shard.connect();
      const std::string request = with_method("HEAD", refused.rest);
      if (one_by_one) {
        for (const char byte : request) {
          shard.io.peer_says(slot, std::string(1, byte));
          shard.settle();
        }
      } else {
        shard.io.peer_says(slot, request);
        shard.settle();
      }
      SCOPED_TRACE(std::string(refused.name) + (one_by_one ? ", byte by byte" : ""));
      const Answer answer = answer_in(shard.io.socket(slot).wire);
      EXPECT_THAT(answer.head, StartsWith(refused.status_line != nullptr ? refused.status_line
                                                                         : "HTTP/1.1 405 "));
      EXPECT_THAT(answer.head, EndsWith(kHeadEnd));
      EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
      EXPECT_THAT(answer.rest, IsEmpty());
    }
  }
}

TEST(HttpAnswers, ToOtherMethodsSayInTheBodyWhatIsWrong) {
  for (const Refused& refused : refused_requests()) {
    SimShard shard;
    const std::uint32_t slot = shard.connect();
    shard.io.peer_says(slot, with_method("GET", refused.rest));
    shard.settle();
    const Answer answer = answer_in(shard.io.socket(slot).wire);
    if (refused.status_line != nullptr) {
      EXPECT_THAT(answer.head, StartsWith(refused.status_line)) << refused.name;
    }
    EXPECT_THAT(answer.rest, StartsWith("{\"type\":\"error\",")) << refused.name;
  }
}

TEST(HttpAnswers, ToHeadHaveNoBodyWhenTheRequestOrTheHandlerIsLate) {
  for (const std::string_view request : {"HEAD / HT", "HEAD / HTTP/1.1\r\nHos", "\r\nHEAD "}) {
    SimShard shard;
    const std::uint32_t slot = shard.connect();
    shard.io.peer_says(slot, std::string(request));
    shard.settle();
    shard.pass_ms(shard.net.options().handshake_deadline_ms + 2'000);
    const Answer answer = answer_in(shard.io.socket(slot).wire);
    EXPECT_THAT(answer.head, StartsWith("HTTP/1.1 408 ")) << request;
    EXPECT_THAT(answer.rest, IsEmpty()) << request;
  }
  SimShard shard;
  const std::uint32_t slot = shard.connect();
  shard.io.peer_says(slot, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  shard.settle();
  shard.pass_ms(shard.net.options().http_answer_ms + 2'000);
  const Answer answer = answer_in(shard.io.socket(slot).wire);
  EXPECT_THAT(answer.head, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer.rest, IsEmpty());
}

TEST(HttpAnswers, ToHeadHaveNoBodyWhenTheShardHasNoRoomForTheRequest) {
  NetOptions options;
  options.input_shard_bytes_max = 512;
  SimShard shard(options);
  const std::uint32_t slot = shard.connect();
  shard.io.peer_says(slot, "HEAD / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1'000, 'a'));
  shard.settle();
  const Answer answer = answer_in(shard.io.socket(slot).wire);
  EXPECT_THAT(answer.head, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer.rest, IsEmpty());
}

// What was asked before says nothing about the request that is refused.
TEST(HttpAnswers, ArePlainAgainAfterHead) {
  SimShard shard;
  shard.handler.when_request = [&](ConnectionId id, const http::Request&) {
    shard.net.respond(id, Reply{.body = "whole"});
  };
  const std::uint32_t slot = shard.connect();
  shard.io.peer_says(slot,
                     "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
                     "GET / HTTP/1.1\r\nX : a\r\n\r\n");
  shard.settle();
  const Answer first = answer_in(shard.io.socket(slot).wire);
  EXPECT_THAT(first.head, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(first.rest, StartsWith("HTTP/1.1 200 "));
  const Answer second = answer_in(first.rest);
  EXPECT_THAT(second.rest, StartsWith("wholeHTTP/1.1 400 "));
  EXPECT_THAT(answer_in(second.rest).rest, StartsWith("{\"type\":\"error\","));
}

}  // namespace
}  // namespace uproar::net
