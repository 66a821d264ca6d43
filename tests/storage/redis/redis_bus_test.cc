// What can go wrong between a bus and one real Redis: each fault is made, found and recovered from.

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/limits.h"
#include "tests/storage/redis/fake_server.h"
#include "tests/storage/redis/redis_bench.h"

namespace uproar::storage::redis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OneServer : public RedisBusTest {
 protected:
  void SetUp() override {
    RedisBusTest::SetUp();
    if (IsSkipped()) return;
    server_.start();
    ann_ = std::make_unique<BusNode>(reactor_, server_.url(), 1);
    ben_ = std::make_unique<BusNode>(reactor_, server_.url(), 2);
    ASSERT_TRUE(ann_->comes_up() && ben_->comes_up()) << ann_->bus.last_error().text();
  }

  services::RedisServer server_;
  std::unique_ptr<BusNode> ann_;
  std::unique_ptr<BusNode> ben_;
};

TEST_F(OneServer, ShowsItselfAsTwoNamedConnections) {
  const std::string list = server_.ask({"CLIENT", "LIST"});
  const std::string name = "name=uproar/00000000-0000-0001-0000-000000000001/0";
  const auto first = list.find(name);
  ASSERT_NE(first, std::string::npos) << list;
  const auto second = list.find(name, first + 1);
  ASSERT_NE(second, std::string::npos) << list;
  EXPECT_EQ(list.find(name, second + 1), std::string::npos) << list;
}

TEST_F(OneServer, GathersWhatOneTurnPublishesIntoOneWrite) {
  ASSERT_TRUE(ben_->listens("a"));
  ann_->bus.flush();
  const std::uint64_t before = ann_->bus.counters().writes.value();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(ann_->say("a", "x"), PublishResult::kQueued);
  ann_->bus.flush();
  EXPECT_EQ(ann_->bus.counters().writes.value(), before + 1);
  ASSERT_TRUE(wait([&] { return ben_->hears.messages.size() == 200; }));
  EXPECT_EQ(ann_->bus.counters().published.value(), 200U);
}

TEST_F(OneServer, ReportsTheGapAfterItsConnectionWasKilled) {
  ASSERT_TRUE(ben_->listens("a"));
  ASSERT_NE(server_.ask({"CLIENT", "KILL", "TYPE", "pubsub"}), "0");
  // Nobody hears this, and nobody knows but the gap.
  (void)server_.ask({"PUBLISH", "uproar:a", "lost"});
  ASSERT_TRUE(wait([&] { return ben_->hears.was_live("a", BusGap::kReconnected); }));
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "heard"));
  EXPECT_THAT(ben_->hears.payloads_of("a"), ElementsAre("heard"));
  EXPECT_EQ(ben_->bus.counters().gaps.value(), 1U);
  EXPECT_EQ(ben_->bus.counters().disconnects.value(), 1U);
}

TEST_F(OneServer, SaysWhatItPublishedInVainWhenItsPublisherWasKilled) {
  ASSERT_TRUE(ben_->listens("a"));
  server_.pause();
  ASSERT_EQ(ann_->say("a", "perhaps"), PublishResult::kQueued);
  ann_->bus.flush();
  server_.kill_now();
  server_.start();
  ASSERT_TRUE(wait([&] { return ann_->hears.was_lost("a"); }));
  EXPECT_EQ(ann_->bus.counters().lost.value(), 1U);
  ASSERT_TRUE(wait([&] { return ben_->hears.was_live("a", BusGap::kReconnected); }));
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "again"));
}

TEST_F(OneServer, FindsAServerThatIsStoppedAndRecoversWhenItGoesOn) {
  ASSERT_TRUE(ben_->listens("a"));
  server_.pause();
  ASSERT_TRUE(wait([&] { return ben_->bus.state() == BusState::kDown; }));
  EXPECT_TRUE(ben_->hears.was_in(BusState::kUncertain)) << "suspected before it is given up";
  EXPECT_THAT(ben_->bus.last_error().text(), HasSubstr("timed out"));
  server_.proceed();
  ASSERT_TRUE(wait([&] { return ben_->hears.was_live("a", BusGap::kReconnected); }));
  ASSERT_TRUE(ann_->comes_up() && ben_->comes_up());
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "heard"));
}

TEST_F(OneServer, LosesNothingInAPauseThatIsShort) {
  ASSERT_TRUE(ben_->listens("a"));
  server_.pause();
  ASSERT_TRUE(wait([&] { return ben_->bus.state() == BusState::kUncertain; }));
  ASSERT_EQ(ann_->say("a", "patience"), PublishResult::kQueued);
  ann_->bus.flush();
  server_.proceed();
  ASSERT_TRUE(wait([&] { return !ben_->hears.messages.empty(); }));
  ASSERT_TRUE(ben_->comes_up());
  EXPECT_FALSE(ben_->hears.was_live("a", BusGap::kReconnected));
  EXPECT_EQ(ben_->bus.counters().disconnects.value(), 0U);
}

TEST_F(OneServer, ReportsTheGapWhenTheServerTiredOfItsSlowReading) {
  ASSERT_TRUE(ben_->listens("a"));
  ASSERT_EQ(server_.ask({"CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 65536 1"}),
            "OK");
  // The reactor stands still, so nobody reads: first the sockets fill up, then the server's buffer.
  const std::string large(std::size_t{60} * 1024, 'x');
  std::string hearers;
  for (int i = 0; i < 10'000 && hearers != "0"; ++i)
    hearers = server_.ask({"PUBLISH", "uproar:a", large});
  ASSERT_EQ(hearers, "0");
  ASSERT_TRUE(wait([&] { return ben_->hears.was_live("a", BusGap::kReconnected); }));
  EXPECT_GT(ben_->bus.counters().malformed.value(), 0U)
      << "what was still in the socket has no header of ours";
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "heard"));
}

TEST_F(OneServer, QueuesNothingForAServerThatIsAway) {
  ASSERT_TRUE(ben_->listens("kept"));
  server_.kill_now();
  ASSERT_TRUE(wait([&] { return ben_->bus.state() == BusState::kDown; }));
  for (int i = 0; i < 100'000; ++i) {
    const std::string channel = "c" + std::to_string(i % 1000);
    ben_->bus.subscribe(channel);
    ben_->bus.unsubscribe(channel);
  }
  ben_->bus.subscribe("new");
  EXPECT_LE(ben_->bus.subscriber().queued(), 2U);
  server_.start();
  ASSERT_TRUE(wait([&] {
    return ben_->hears.was_live("kept", BusGap::kReconnected) &&
           ben_->hears.was_live("new", BusGap::kSubscribed);
  }));
  ASSERT_TRUE(ann_->comes_up());
  EXPECT_TRUE(ann_->reaches(*ben_, "new", "heard"));
  EXPECT_EQ(ben_->hears.lives.size(), 3U) << "nobody else is listened to";
}

TEST_F(OneServer, LeavesAPrimaryThatHasBecomeAReplica) {
  services::RedisServer next;
  next.start();
  const std::string url = server_.url() + ",127.0.0.1:" + std::to_string(next.port());
  BusNode cleo(reactor_, url, 3);
  BusNode dan(reactor_, url, 4);
  ASSERT_TRUE(cleo.comes_up() && dan.comes_up());
  ASSERT_TRUE(dan.listens("a"));
  ASSERT_TRUE(cleo.reaches(dan, "a", "before"));
  ASSERT_EQ(server_.ask({"REPLICAOF", "127.0.0.1", std::to_string(next.port())}), "OK");
  // Both connections are as they were, and the replica takes what is published.
  ASSERT_TRUE(wait([&] { return dan.hears.was_live("a", BusGap::kReconnected); }));
  ASSERT_TRUE(wait([&] { return cleo.hears.lost_all; }))
      << "what the replica took may have been heard by nobody";
  ASSERT_TRUE(cleo.comes_up() && dan.comes_up());
  EXPECT_TRUE(cleo.reaches(dan, "a", "after"));
  EXPECT_EQ(next.ask({"PUBSUB", "CHANNELS", "uproar:a"}), "uproar:a");
}

TEST_F(OneServer, TakesTheRefusalOfItsPulseForNoOtherCommands) {
  ASSERT_EQ(server_.ask({"ACL", "SETUSER", "default", "-ping"}), "OK");
  server_.pause();
  // Suspected: a PING has gone out that nobody has answered, and the SUBSCRIBE goes behind it.
  ASSERT_TRUE(wait([&] { return ben_->bus.state() == BusState::kUncertain; }));
  ben_->bus.subscribe("a");
  ben_->bus.flush();
  server_.proceed();
  ASSERT_TRUE(wait([&] { return ben_->hears.lives_of("a") == 1; }));
  EXPECT_EQ(ben_->bus.last_error().text().find("ping"), std::string::npos)
      << ben_->bus.last_error().text();
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "heard"));
}

TEST_F(OneServer, IsNotTouchedByAFlushOfTheDatabase) {
  ASSERT_TRUE(ben_->listens("a"));
  ASSERT_EQ(server_.ask({"FLUSHALL"}), "OK");
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "heard"));
  EXPECT_EQ(ben_->bus.counters().disconnects.value(), 0U);
}

TEST_F(OneServer, RefusesWhatItsQueueCannotHoldAndSaysSoWhenThereIsRoom) {
  ASSERT_TRUE(ben_->listens("a"));
  const std::string large(kBusPayloadBytesMax, 'x');
  std::size_t queued = 0;
  while (ann_->say("b", large) == PublishResult::kQueued) ++queued;
  EXPECT_GE(queued * kBusPayloadBytesMax, kBusOutgoingBytesMax / 2);
  EXPECT_LE(queued * kBusPayloadBytesMax, kBusOutgoingBytesMax);
  EXPECT_EQ(ann_->say("a", large), PublishResult::kFull);
  ASSERT_TRUE(wait([&] { return ann_->hears.was_lost("a"); }));
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "small"));
  EXPECT_EQ(ann_->bus.counters().refused_full.value(), 2U);
  ASSERT_TRUE(wait([&] {
    ann_->bus.flush();
    return ann_->bus.counters().outgoing_bytes.value() == 0;
  }));
}

TEST_F(OneServer, CountsForeignMessagesAndDropsThem) {
  ASSERT_TRUE(ben_->listens("a"));
  (void)server_.ask({"PUBLISH", "uproar:a", "somebody else's"});
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "ours"));
  EXPECT_THAT(ben_->hears.payloads_of("a"), ElementsAre("ours"));
  EXPECT_EQ(ben_->bus.counters().malformed.value(), 1U);
}

TEST_F(OneServer, IsUncertainWhileItMayNotPublishAndTriesAgain) {
  ASSERT_TRUE(ben_->listens("a"));
  ASSERT_EQ(server_.ask({"ACL", "SETUSER", "default", "-publish"}), "OK");
  ASSERT_EQ(ann_->say("a", "forbidden"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return ann_->bus.counters().rejected.value() == 1; }));
  ASSERT_TRUE(wait([&] { return ann_->bus.state() == BusState::kUncertain; }));
  EXPECT_THAT(ann_->bus.last_error().text(), HasSubstr("NOPERM"));
  ASSERT_EQ(server_.ask({"ACL", "SETUSER", "default", "+publish"}), "OK");
  ASSERT_TRUE(wait([&] { return ann_->hears.was_lost("a"); }));
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "allowed"));
  EXPECT_TRUE(ann_->comes_up());
}

TEST_F(OneServer, SubscribesAgainUntilItMay) {
  ASSERT_EQ(server_.ask({"ACL", "SETUSER", "default", "-subscribe"}), "OK");
  ben_->bus.subscribe("a");
  ASSERT_TRUE(
      wait([&] { return ben_->bus.last_error().text().find("NOPERM") != std::string::npos; }));
  EXPECT_EQ(ben_->hears.lives_of("a"), 0U);
  ASSERT_EQ(server_.ask({"ACL", "SETUSER", "default", "+subscribe"}), "OK");
  ASSERT_TRUE(wait([&] { return ben_->hears.lives_of("a") == 1; }));
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "heard"));
}

TEST_F(RedisBusTest, LogsInWithTheCredentialsOfTheUrl) {
  services::RedisServer server({"--requirepass", "s@cret"}, "s@cret");
  server.start();
  const std::string address = "127.0.0.1:" + std::to_string(server.port());
  ASSERT_EQ(server.ask({"ACL", "SETUSER", "ann", "on", ">p:w", "allchannels", "+@all"}), "OK");
  const std::string urls[] = {"redis://:s%40cret@" + address, "redis://ann:p:w@" + address + "/3"};
  for (const std::string& url : urls) {
    BusNode node(reactor_, url, 1);
    EXPECT_TRUE(node.comes_up()) << url;
  }
  EXPECT_TRUE(wait([&] {
    return server.ask({"CLIENT", "LIST"}).find("user=ann") == std::string::npos;
  }));
}

TEST_F(RedisBusTest, SaysWhatToDoWhenTheServerWillNotHaveIt) {
  services::RedisServer locked({"--requirepass", "x"}, "x");
  services::RedisServer open;
  services::RedisServer replica({"--replicaof", "127.0.0.1", "1"});
  services::RedisServer in_cluster(
      {"--cluster-enabled", "yes", "--cluster-port", std::to_string(services::free_port())});
  for (auto* server : {&locked, &open, &replica, &in_cluster}) server->start();
  FakeServer old(reactor_, "-ERR unknown command `HELLO`, with args beginning with: `2`\r\n");
  FakeServer web(reactor_, "HTTP/1.1 400 Bad Request\r\n\r\n");
  FakeServer odd(reactor_, "+PONG\r\n");
  const auto at = [](std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); };
  const std::pair<std::string, std::string> rows[] = {
      {"redis://" + at(locked.port()), "Try: correct user and password in --redis"},
      {"redis://:wrong@" + at(locked.port()),
       "WRONGPASS invalid username-password pair or user is disabled. Try: correct user and "
       "password"},
      {"redis://" + at(open.port()) + "/99",
       "DB index is out of range. Try: correct the number at the end"},
      {"redis://" + at(replica.port()),
       "replica, and what is published to it stays there. Try: name the primary"},
      {"redis://" + at(in_cluster.port()) + "/1",
       "a cluster has no database but 0. Try: leave the number"},
      {"redis://" + at(old.port()), "older than Redis 6.0"},
      {"redis://" + at(web.port()), "Try: correct host and port in --redis"},
      {"redis://" + at(odd.port()), "none of Redis. Try: correct host and port"},
      {"redis://" + at(services::free_port()), "Try: start Redis there, or correct host and port"},
      {"redis://no-such-host.invalid", "Try: correct the host in --redis"},
  };
  for (const auto& row : rows) {
    const auto& url = row.first;  // clang 14 captures no structured binding
    const auto& hint = row.second;
    BusNode node(reactor_, url, 1);
    EXPECT_TRUE(wait([&] { return node.bus.last_error().text().find(hint) != std::string::npos; }))
        << url << ": " << node.bus.last_error().text();
    EXPECT_EQ(node.bus.state(), BusState::kDown) << url;
    EXPECT_EQ(node.say("a", "x"), PublishResult::kDown) << url;
  }
}

TEST_F(RedisBusTest, TriesItsSeedsInTurnAndLooksUpNames) {
  services::RedisServer server;
  server.start();
  const std::string url = "redis://127.0.0.1:" + std::to_string(services::free_port()) +
                          ",localhost:" + std::to_string(server.port());
  BusNode ann(reactor_, url, 1);
  BusNode ben(reactor_, url, 2);
  ASSERT_TRUE(ann.comes_up() && ben.comes_up());
  ASSERT_TRUE(ben.listens("a"));
  EXPECT_TRUE(ann.reaches(ben, "a", "heard"));
}

int threads_of_this_process() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
  return -1;
}

TEST_F(RedisBusTest, LooksUpManyNamesOnOneThread) {
  constexpr int kNames = 40;
  const auto link = std::make_shared<ClientLink>(reactor_);
  int answers = 0;
  const int before = threads_of_this_process();
  ASSERT_GT(before, 0);
  for (int i = 0; i < 2 * kNames; ++i)
    look_up_name({.host = "no-such-host-" + std::to_string(i % kNames) + ".invalid", .port = 1},
                 link, [&](const LookedUp& found) {
                   EXPECT_FALSE(found.ok());
                   ++answers;
                 });
  EXPECT_LE(threads_of_this_process(), before + 1);
  EXPECT_TRUE(wait([&] { return answers == 2 * kNames; }));
  link->close();
}

TEST_F(RedisBusTest, CanGoAtAnyMomentWithoutATrace) {
  services::RedisServer server;
  server.start();
  for (int turns = 0; turns < 12; ++turns) {
    BusNode node(reactor_, server.url(), 1);
    node.bus.subscribe("a");
    for (int i = 0; i < turns; ++i) reactor_.turn(5);
    (void)node.say("a", "x");
  }
  reactor_.turn(0);
  EXPECT_EQ(reactor_.watched(), 0U);
  EXPECT_EQ(reactor_.armed_timers(), 0U);
}

}  // namespace
}  // namespace uproar::storage::redis
