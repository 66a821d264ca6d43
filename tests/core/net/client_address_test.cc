// Whose connection it is and whose request: the peer's, or whom a trusted proxy names. Trusted is 127.0.0.9 alone; who
// connects does so from real loopback addresses, everything else is simulated.

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kProxy = "127.0.0.9";
constexpr const char* kStranger = "127.0.0.66";

NetOptions behind_proxy(bool proxy_protocol, std::uint32_t handshakes_max = 0) {
  NetOptions options;
  options.trusted_proxies = {IpNetwork::parse(kProxy).value(),
                             IpNetwork::parse("10.0.0.0/8").value()};
  options.proxy_protocol = proxy_protocol;
  options.handshakes_per_address_per_second_max = handshakes_max;
  return options;
}

std::string get(const std::string& path, const std::string& headers = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n";
}
std::string from(const std::string& address) {
  return "X-Forwarded-For: " + address + "\r\n";
}
std::string upgrade(const std::string& headers) {
  std::string out(kUpgrade);
  out.insert(out.find("\r\n") + 2, headers);
  return out;
}
// A PROXY header of version 1.
std::string proxied(const std::string& address) {
  return "PROXY TCP4 " + address + " 10.0.0.1 4711 8080\r\n";
}

class ClientAddress : public ::testing::Test {
 protected:
  void start(const NetOptions& options) {
    shard_ = std::make_unique<SimShard>(options);
    shard_->handler.when_request = [this](ConnectionId id, const http::Request& request) {
      seen_.push_back(std::string(request.path) + " " + shard_->net.client_address(id).text());
      if (request.path == "/later") return;
      shard_->net.respond(
          id, http::Response{.status = 200, .content_type = {}, .headers = {}, .body = "ok"});
    };
    shard_->handler.when_upgrade = [this](ConnectionId id) {
      seen_.push_back("upgrade " + shard_->net.client_address(id).text());
    };
  }

  // A slot, or UINT32_MAX when the connection was refused.
  std::uint32_t connect(const char* address) { return shard_->connect_from(address); }
  std::uint32_t say(std::uint32_t slot, const std::string& bytes) {
    shard_->io.peer_says(slot, bytes);
    shard_->settle();
    return slot;
  }
  // What the connection was told, and its end.
  std::string heard(std::uint32_t slot) { return shard_->io.socket(slot).wire; }
  bool is_open(std::uint32_t slot) {
    return slot != UINT32_MAX && shard_->io.socket(slot).in_use &&
           !shard_->io.socket(slot).fin_sent;
  }
  std::uint64_t count(Counter NetCounters::*counter) {
    return (shard_->net.counters().*counter).value();
  }

  std::unique_ptr<SimShard> shard_;
  std::vector<std::string> seen_;
};

TEST_F(ClientAddress, AHeaderOfAnybodyElseIsIgnored) {
  start(behind_proxy(false));
  say(connect(kStranger), get("/a", from("203.0.113.7") + "Forwarded: for=203.0.113.7\r\n"));
  say(connect(kStranger), get("/b", "X-Forwarded-For: garbage\r\n"));
  say(connect(kStranger), upgrade(from("203.0.113.7")));
  EXPECT_THAT(seen_, ElementsAre("/a 127.0.0.66", "/b 127.0.0.66", "upgrade 127.0.0.66"));
}

TEST_F(ClientAddress, WithoutTrustedProxiesNobodyIsBelieved) {
  start({});
  say(connect(kProxy), get("/a", from("203.0.113.7")));
  EXPECT_THAT(seen_, ElementsAre("/a 127.0.0.9"));
}

TEST_F(ClientAddress, ATrustedProxyNamesTheClientOfEachRequest) {
  start(behind_proxy(false));
  const std::uint32_t slot = connect(kProxy);
  say(slot, get("/a", from("1.1.1.1, 203.0.113.7, 10.0.0.2")));
  say(slot, get("/b", from("198.51.100.1")) + get("/c") +
                get("/d", "Forwarded: for=\"[2001:db8::1]\"\r\n"));
  say(slot, upgrade(from("203.0.113.7")));
  EXPECT_THAT(seen_, ElementsAre("/a 203.0.113.7", "/b 198.51.100.1", "/c 127.0.0.9",
                                 "/d 2001:db8::1", "upgrade 203.0.113.7"));
  EXPECT_EQ(count(&NetCounters::accepted), 1U);
}

TEST_F(ClientAddress, WhatATrustedProxySaysMustBeReadable) {
  start(behind_proxy(false));
  for (const char* headers : {"X-Forwarded-For: garbage\r\n", "Forwarded: for\r\n",
                              "Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 203.0.113.7\r\n"}) {
    const std::uint32_t slot = say(connect(kProxy), get("/a", headers));
    EXPECT_THAT(heard(slot), StartsWith("HTTP/1.1 400 ")) << headers;
    EXPECT_THAT(heard(slot), HasSubstr("Forwarded")) << headers;
  }
  const std::uint32_t slot = say(connect(kProxy), upgrade("X-Forwarded-For: garbage\r\n"));
  EXPECT_THAT(heard(slot), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(seen_, IsEmpty());
}

TEST_F(ClientAddress, BehindAProxyHandshakesAreCountedByClient) {
  start(behind_proxy(false, 2));
  // The proxy's own address is not counted, however often it connects.
  for (int i = 0; i < 10; ++i) say(connect(kProxy), get("/health"));
  for (int i = 0; i < 2; ++i) say(connect(kProxy), upgrade(from("203.0.113.7")));
  const std::uint32_t third = say(connect(kProxy), upgrade(from("203.0.113.7")));
  EXPECT_THAT(heard(third), StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(heard(third), HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(heard(third), HasSubstr("\"rate_limited\""));
  EXPECT_FALSE(is_open(third));
  const std::uint32_t other = say(connect(kProxy), upgrade(from("198.51.100.1")));
  EXPECT_THAT(heard(other), StartsWith("HTTP/1.1 101 "));
  EXPECT_EQ(count(&NetCounters::refused_address_rate), 1U);
  shard_->pass_ms(1000);
  EXPECT_THAT(heard(say(connect(kProxy), upgrade(from("203.0.113.7")))),
              StartsWith("HTTP/1.1 101 "));
}

TEST_F(ClientAddress, ARequestOfAClientWhoIsLimitedKeepsTheConnectionOfTheOthers) {
  start(behind_proxy(false, 2));
  const std::uint32_t slot = connect(kProxy);
  say(slot, get("/a", from("203.0.113.7")) +
                get("/b", from("203.0.113.7")));  // one after the other: once
  say(slot, get("/c", from("198.51.100.1")) + get("/d", from("203.0.113.7")));
  say(slot, get("/e", from("198.51.100.1")) + get("/f", from("203.0.113.7")) +
                get("/g", from("192.0.2.1")));
  EXPECT_THAT(seen_, ElementsAre("/a 203.0.113.7", "/b 203.0.113.7", "/c 198.51.100.1",
                                 "/d 203.0.113.7", "/e 198.51.100.1", "/g 192.0.2.1"));
  EXPECT_THAT(heard(slot), HasSubstr("HTTP/1.1 429 "));
  EXPECT_TRUE(is_open(slot));
}

TEST_F(ClientAddress, WhoConnectsDirectlyIsCountedWhenAccepted) {
  start(behind_proxy(false, 2));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(is_open(connect(kStranger)));
  EXPECT_EQ(connect(kStranger), UINT32_MAX);
  EXPECT_EQ(count(&NetCounters::refused_address_rate), 1U);
}

TEST_F(ClientAddress, APROXYHeaderNamesTheClientOfTheConnectionAtEveryCut) {
  const std::string whole = proxied("203.0.113.7") + get("/a") + get("/b");
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    seen_.clear();
    start(behind_proxy(true));
    const std::uint32_t slot = connect(kProxy);
    say(slot, whole.substr(0, cut));
    say(slot, whole.substr(cut));
    ASSERT_THAT(seen_, ElementsAre("/a 203.0.113.7", "/b 203.0.113.7")) << "cut at " << cut;
  }
}

TEST_F(ClientAddress, BehindAPROXYHeaderAClientsOwnHeadersAreIgnored) {
  start(behind_proxy(true));
  say(connect(kProxy), proxied("203.0.113.7") + get("/a", from("198.51.100.1")));
  say(connect(kProxy), proxied("203.0.113.7") + upgrade(from("198.51.100.1")));
  // It does not say whose connection it is, so that nobody knows whose header this is.
  say(connect(kProxy), "PROXY UNKNOWN\r\n" + get("/b", from("198.51.100.1")));
  EXPECT_THAT(seen_, ElementsAre("/a 203.0.113.7", "upgrade 203.0.113.7", "/b 127.0.0.9"));
}

TEST_F(ClientAddress, OfOneProxyBeforeTheOtherBothAreBelieved) {
  start(behind_proxy(true));
  say(connect(kProxy), proxied("10.0.0.2") + get("/a", from("203.0.113.7")));
  EXPECT_THAT(seen_, ElementsAre("/a 203.0.113.7"));
}

TEST_F(ClientAddress, WithProxyProtocolAConnectionWithoutItsHeaderIsClosedWithoutAnAnswer) {
  start(behind_proxy(true));
  for (const std::string& said : {get("/a"), std::string("PROXY TCP4 nonsense\r\n") + get("/a")}) {
    const std::uint32_t slot = say(connect(kProxy), said);
    EXPECT_EQ(heard(slot), "");
    EXPECT_FALSE(is_open(slot));
  }
  EXPECT_EQ(count(&NetCounters::refused_proxy_header), 2U);
  EXPECT_THAT(seen_, IsEmpty());
  EXPECT_EQ(shard_->net.counters().connections.value(), 0);
}

TEST_F(ClientAddress, WithProxyProtocolNobodyElseMayConnect) {
  start(behind_proxy(true));
  EXPECT_EQ(connect(kStranger), UINT32_MAX);
  EXPECT_EQ(count(&NetCounters::refused_no_proxy), 1U);
}

TEST_F(ClientAddress, WithProxyProtocolOurOwnProbesNeedNoHeader) {
  start(behind_proxy(true));
  say(shard_->connect(), get("/healthz"));
  EXPECT_THAT(seen_, ElementsAre("/healthz ::"));
}

TEST_F(ClientAddress, APROXYHeaderArrivesWithinTheDeadlineOfTheHandshake) {
  NetOptions options = behind_proxy(true);
  options.handshake_deadline_ms = 1000;
  start(options);
  const std::uint32_t slot = connect(kProxy);
  for (int i = 0; i < 9; ++i) {
    say(slot, proxied("203.0.113.7").substr(static_cast<std::size_t>(i), 1));
    shard_->pass_ms(100);
  }
  EXPECT_TRUE(is_open(slot));
  shard_->pass_ms(200);
  EXPECT_FALSE(is_open(slot)) << "bytes that trickle in move no deadline";
  EXPECT_EQ(heard(slot), "");
  EXPECT_EQ(count(&NetCounters::deadline_handshake), 1U);
}

TEST_F(ClientAddress, ConnectionsOfAPROXYHeaderAreCountedByClient) {
  start(behind_proxy(true, 2));
  for (int i = 0; i < 5; ++i) say(connect(kProxy), "PROXY UNKNOWN\r\n" + get("/health"));
  for (int i = 0; i < 2; ++i) say(connect(kProxy), proxied("203.0.113.7") + upgrade(""));
  const std::uint32_t third = say(connect(kProxy), proxied("203.0.113.7") + upgrade(""));
  EXPECT_EQ(heard(third), "") << "as it would have been when it was accepted";
  EXPECT_FALSE(is_open(third));
  EXPECT_EQ(count(&NetCounters::refused_address_rate), 1U);
  EXPECT_THAT(heard(say(connect(kProxy), proxied("198.51.100.1") + upgrade(""))),
              StartsWith("HTTP/1.1 101 "));
}

TEST_F(ClientAddress, OpenConnectionsAreCountedByClientAndNotOfTheProxy) {
  NetOptions options = behind_proxy(false);
  options.connections_per_address_max = 2;
  start(options);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(is_open(connect(kProxy)));
  const std::uint32_t first = say(connect(kProxy), upgrade(from("203.0.113.7")));
  say(connect(kProxy), upgrade(from("203.0.113.7")));
  const std::uint32_t third = say(connect(kProxy), upgrade(from("203.0.113.7")));
  EXPECT_THAT(heard(third), StartsWith("HTTP/1.1 429 "));
  EXPECT_EQ(count(&NetCounters::refused_address_open), 1U);
  EXPECT_THAT(heard(say(connect(kProxy), upgrade(from("198.51.100.1")))),
              StartsWith("HTTP/1.1 101 "));
  shard_->io.peer_breaks(first);
  shard_->settle();
  EXPECT_THAT(heard(say(connect(kProxy), upgrade(from("203.0.113.7")))),
              StartsWith("HTTP/1.1 101 "));
}

TEST_F(ClientAddress, OpenConnectionsOfAPROXYHeaderAreCountedByClient) {
  NetOptions options = behind_proxy(true);
  options.connections_per_address_max = 2;
  start(options);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(is_open(say(connect(kProxy), proxied("203.0.113.7"))));
  EXPECT_FALSE(is_open(say(connect(kProxy), proxied("203.0.113.7"))));
  EXPECT_TRUE(is_open(say(connect(kProxy), proxied("198.51.100.1"))));
  EXPECT_TRUE(is_open(say(connect(kProxy), "PROXY UNKNOWN\r\n")));
}

TEST_F(ClientAddress, ARequestCountsAsAConnectionOfItsClientUntilItIsAnswered) {
  NetOptions options = behind_proxy(false);
  options.connections_per_address_max = 1;
  start(options);
  const std::uint32_t one = say(connect(kProxy), get("/later", from("203.0.113.7")));
  const std::uint32_t two = say(connect(kProxy), get("/a", from("203.0.113.7")));
  EXPECT_THAT(heard(two), StartsWith("HTTP/1.1 429 "));
  say(two, get("/b", from("198.51.100.1")));
  EXPECT_THAT(seen_, ElementsAre("/later 203.0.113.7", "/b 198.51.100.1"));
  shard_->pass_ms(NetOptions{}.http_answer_ms + 1000);
  EXPECT_THAT(heard(one), StartsWith("HTTP/1.1 503 "));
  shard_->pass_ms(NetOptions{}.linger_ms + 1000);  // until its connection has ended
  say(connect(kProxy), get("/c", from("203.0.113.7")));
  EXPECT_EQ(seen_.back(), "/c 203.0.113.7");
}

TEST_F(ClientAddress, WhoOwesWorkIsToldSoAndStopsNobodyElseOfTheSameProxy) {
  NetOptions options = behind_proxy(false);
  options.address_work = WorkShare::of(kRequestUnits, kRequestUnits);  // one request a second
  start(options);
  const std::uint32_t slot = connect(kProxy);
  say(slot, get("/a", from("203.0.113.7")) + get("/b", from("203.0.113.7")));
  say(slot, get("/c", from("198.51.100.1")) + get("/d"));
  EXPECT_THAT(seen_, ElementsAre("/a 203.0.113.7", "/c 198.51.100.1", "/d 127.0.0.9"));
  EXPECT_THAT(heard(slot), HasSubstr("HTTP/1.1 429 "));
  EXPECT_TRUE(is_open(slot));
  EXPECT_EQ(count(&NetCounters::work_throttled), 1U);
  shard_->pass_ms(2000);
  say(slot, get("/e", from("203.0.113.7")));
  EXPECT_EQ(seen_.back(), "/e 203.0.113.7");
}

// A program on the machine of the proxy, or a proxy that was not told to name anybody.
TEST_F(ClientAddress, AWebSocketForWhomNobodyIsNamedIsTheProxysOwn) {
  NetOptions options = behind_proxy(false);
  options.has_sessions = true;
  options.sessionless_message_bytes_max = 100;
  options.connections_per_address_max = 1;
  start(options);
  const std::uint32_t slot = say(connect(kProxy), std::string(kUpgrade));
  ASSERT_EQ(shard_->handler.opened.size(), 1U);
  shard_->net.identify(shard_->handler.opened[0], Uuid{.high = 1, .low = 1});
  const std::string large(1'000, 'x');
  say(slot, client_frame(1, large));
  EXPECT_THAT(shard_->handler.messages, ElementsAre("text:" + large)) << "it has a session";
  shard_->io.peer_breaks(slot);
  shard_->settle();
  EXPECT_EQ(shard_->handler.closed.size(), 1U);
}

TEST_F(ClientAddress, ARequestInPiecesIsChargedToItsClientOnceItIsKnown) {
  start(behind_proxy(false));
  const std::uint32_t slot = connect(kProxy);
  const std::string request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n" +
                              from("203.0.113.7") + "\r\n" + std::string(3000, 'x');
  for (int i = 0; i < 3; ++i) {
    say(slot, request.substr(0, 1000));
    say(slot, request.substr(1000, 1000));
    say(slot, request.substr(2000));
  }
  EXPECT_THAT(seen_, ElementsAre("/a 203.0.113.7", "/a 203.0.113.7", "/a 203.0.113.7"));
  say(slot, request.substr(0, 1000));  // its end is that of the proxy
  shard_->io.peer_breaks(slot);
  shard_->settle();
  EXPECT_EQ(shard_->net.counters().connections.value(), 0);
}

}  // namespace
}  // namespace uproar::net
