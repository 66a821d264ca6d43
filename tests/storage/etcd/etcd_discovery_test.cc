// What only etcd can do to its watchers. tests/storage/discovery_contract_test.cc has the rest.

#include "storage/etcd/etcd_discovery.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/services/etcd_server.h"
#include "tests/storage/etcd/silent_link.h"
#include "tests/storage/poll_reactor.h"
#include "tests/storage/redis/fake_server.h"

namespace uproar::storage::etcd {
namespace {

class CountingListener : public DiscoveryListener {
 public:
  void on_node_joined(const NodeRecord& /*record*/) override { ++joined; }
  void on_node_changed(const NodeRecord& /*record*/) override {}
  void on_node_gone(const NodeRecord& /*record*/, NodeEnd /*end*/) override { ++gone; }
  void on_registered() override { ++registered; }
  void on_lease_lost() override { ++leases_lost; }
  void on_discovery_state(DiscoveryState state) override {
    if (state == DiscoveryState::kDown && discovery != nullptr)
      blamed = discovery->last_error().subject;
  }
  void on_record_ignored(std::string_view key, std::string_view why) override {
    ignored.emplace_back(key, why);
  }
  int joined = 0;
  int gone = 0;
  int registered = 0;
  int leases_lost = 0;
  const EtcdDiscovery* discovery = nullptr;
  std::string blamed;  // when it went down last
  std::vector<std::pair<std::string, std::string>> ignored;
};

class EtcdDiscoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!services::is_installed("etcd"))
      GTEST_SKIP() << "etcd is not installed: tools/dev deps --tests";
    server_.start();
  }
  [[nodiscard]] EtcdDiscoveryOptions options() const {
    return {.urls = {server_.url()}, .lease_ms = 3000};
  }
  static std::string key_of(std::uint64_t number) {
    return "uproar/nodes/" + NodeId(Uuid{.high = number, .low = number}).text();
  }
  // A record that a node which is not under test has left, under a lease that outlives the test.
  void put_record(std::uint64_t number) {
    const auto lease = read_grant(server_.ask("/v3/lease/grant", grant_body(600)));
    ASSERT_TRUE(lease.has_value());
    (void)server_.ask("/v3/kv/put", put_body(key_of(number), "name=n\n", *lease));
  }

  services::EtcdServer server_;
  PollReactor reactor_;
  CountingListener hears_;
};

TEST_F(EtcdDiscoveryTest, ReadsEverythingAgainWhenWhatItMissedWasCompactedAway) {
  put_record(1);
  put_record(2);
  EtcdDiscovery discovery(reactor_, hears_, options());
  ASSERT_TRUE(reactor_.run_within(
      [&] { return discovery.state() == DiscoveryState::kUp && hears_.joined == 2; }));
  const std::uint64_t resyncs = discovery.counters().resyncs.value();
  server_.kill_now();
  server_.start();
  // The reactor stands still meanwhile, so that the watch resumes after all this.
  put_record(3);
  put_record(4);
  const NodeId first(Uuid{.high = 1, .low = 1});
  (void)server_.ask("/v3/kv/deleterange", range_body("uproar/nodes/" + first.text()));
  const auto now = read_range(server_.ask("/v3/kv/range", range_body("uproar/")));
  ASSERT_TRUE(now.has_value());
  const std::string compacted =
      server_.ask("/v3/kv/compaction",
                  R"({"revision":")" + std::to_string(now->revision) + R"(","physical":true})");
  ASSERT_NE(compacted.find("header"), std::string::npos) << compacted;
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.joined == 4 && hears_.gone == 1; }));
  EXPECT_GT(discovery.counters().resyncs.value(), resyncs);
  put_record(5);
  EXPECT_TRUE(reactor_.run_within([&] { return hears_.joined == 5; })) << "the watch goes on";
}

TEST_F(EtcdDiscoveryTest, ResumesItsWatchWhereItEnded) {
  put_record(1);
  EtcdDiscovery discovery(reactor_, hears_, options());
  ASSERT_TRUE(reactor_.run_within(
      [&] { return discovery.state() == DiscoveryState::kUp && hears_.joined == 1; }));
  server_.kill_now();
  server_.start();
  put_record(2);
  const NodeId first(Uuid{.high = 1, .low = 1});
  (void)server_.ask("/v3/kv/deleterange", range_body("uproar/nodes/" + first.text()));
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.joined == 2 && hears_.gone == 1; }));
  EXPECT_TRUE(reactor_.run_within([&] { return discovery.state() == DiscoveryState::kUp; }));
}

TEST_F(EtcdDiscoveryTest, TriesItsMembersInTurn) {
  put_record(1);
  EtcdDiscoveryOptions several = options();
  several.urls.insert(several.urls.begin(),
                      "http://127.0.0.1:" + std::to_string(services::free_port()));
  EtcdDiscovery discovery(reactor_, hears_, several);
  EXPECT_TRUE(reactor_.run_within(
      [&] { return discovery.state() == DiscoveryState::kUp && hears_.joined == 1; }));
}

TEST_F(EtcdDiscoveryTest, BlamesTheMemberWhoseWatchEnded) {
  put_record(1);
  EtcdDiscoveryOptions several = options();
  several.urls.push_back("http://127.0.0.1:" + std::to_string(services::free_port()));
  EtcdDiscovery discovery(reactor_, hears_, several);
  hears_.discovery = &discovery;
  ASSERT_TRUE(reactor_.run_within([&] { return discovery.state() == DiscoveryState::kUp; }));
  server_.kill_now();
  ASSERT_TRUE(reactor_.run_within([&] { return !hears_.blamed.empty(); }));
  EXPECT_EQ(hears_.blamed.find(server_.url() + ": "), 0U) << hears_.blamed;
}

// As a firewall does that has forgotten the connection.
TEST_F(EtcdDiscoveryTest, HearsOfOthersThoughItsWatchIsDeaf) {
  put_record(1);
  SilentLink link(reactor_, server_.port());
  EtcdDiscoveryOptions through = options();
  through.urls = {"http://127.0.0.1:" + std::to_string(link.port())};
  EtcdDiscovery discovery(reactor_, hears_, through);
  NodeRecord own;
  own.id = NodeId(Uuid{.high = 9, .low = 9});
  own.name = "nine";
  discovery.announce(own);
  ASSERT_TRUE(reactor_.run_within([&] {
    return discovery.state() == DiscoveryState::kUp && hears_.joined == 2 && hears_.registered == 1;
  }));
  // After the look that follows each beginning of a watch.
  ASSERT_TRUE(reactor_.run_within([&] { return discovery.counters().resyncs.value() >= 2; }));
  link.silence("/v3/watch");
  put_record(2);
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.joined == 3; }));
  EXPECT_EQ(hears_.leases_lost, 0);
}

// Etcd gives a lease up when it has heard nothing for its time; the node has counted from its own last word.
TEST_F(EtcdDiscoveryTest, KnowsOfItsLostLeaseNoLaterThanTheOthers) {
  SilentLink link(reactor_, server_.port());
  // Seven seconds: a third of it is more than etcd takes to notice an end.
  EtcdDiscoveryOptions through{.urls = {"http://127.0.0.1:" + std::to_string(link.port())},
                               .lease_ms = 8000};
  EtcdDiscoveryOptions direct{.urls = {server_.url()}, .lease_ms = 8000};
  CountingListener hears_too;
  EtcdDiscovery cut_off(reactor_, hears_, through);
  EtcdDiscovery other(reactor_, hears_too, direct);
  NodeRecord own;
  own.id = NodeId(Uuid{.high = 9, .low = 9});
  own.name = "nine";
  cut_off.announce(own);
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.registered == 1 && hears_too.joined == 1; }));
  // Just renewed.
  ASSERT_TRUE(reactor_.run_within([&] { return cut_off.counters().renewals.value() == 2; }));
  link.silence_all();
  ASSERT_TRUE(reactor_.run_within([&] { return hears_too.gone == 1; }));
  EXPECT_EQ(hears_.leases_lost, 1);
}

TEST_F(EtcdDiscoveryTest, SkipsRecordsThatItCannotReadAndSaysSoOnce) {
  (void)server_.ask("/v3/kv/put", put_body("uproar/nodes/no-id", "name=n\n", "0"));
  (void)server_.ask("/v3/kv/put", put_body(key_of(1), "no record", "0"));
  put_record(2);
  EtcdDiscovery discovery(reactor_, hears_, options());
  ASSERT_TRUE(reactor_.run_within([&] { return discovery.counters().resyncs.value() >= 3; }));
  EXPECT_EQ(hears_.joined, 1);
  EXPECT_EQ(discovery.counters().ignored.value(), 2);
  ASSERT_EQ(hears_.ignored.size(), 2U);
  EXPECT_NE(hears_.ignored[0].second.find("no record of a node"), std::string::npos);
}

// By hand, or out of a backup: nobody would ever take it away.
TEST_F(EtcdDiscoveryTest, TakesARecordWithoutALeaseForNoNode) {
  (void)server_.ask("/v3/kv/put", put_body(key_of(1), "name=n\n", "0"));
  EtcdDiscovery discovery(reactor_, hears_, options());
  ASSERT_TRUE(reactor_.run_within([&] { return discovery.state() == DiscoveryState::kUp; }));
  (void)server_.ask("/v3/kv/put", put_body(key_of(2), "name=n\n", "0"));  // heard by the watch
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.ignored.size() == 2; }));
  EXPECT_EQ(hears_.joined, 0);
  EXPECT_TRUE(discovery.nodes().empty());
  EXPECT_EQ(hears_.ignored[1].first, key_of(2));
  EXPECT_NE(hears_.ignored[1].second.find("no lease"), std::string::npos);
  // And one that lives is gone when its record loses its lease; its own it puts back.
  put_record(3);
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.joined == 1; }));
  (void)server_.ask("/v3/kv/put", put_body(key_of(3), "name=n\n", "0"));
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.gone == 1; }));
  NodeRecord own;
  own.id = NodeId(Uuid{.high = 9, .low = 9});
  own.name = "nine";
  discovery.announce(own);
  ASSERT_TRUE(reactor_.run_within([&] { return hears_.registered == 1; }));
  (void)server_.ask("/v3/kv/put", put_body(key_of(9), "name=nine\n", "0"));
  EXPECT_TRUE(
      reactor_.run_within([&] { return hears_.leases_lost == 1 && hears_.registered == 2; }));
}

TEST_F(EtcdDiscoveryTest, SaysWhatIsWrongWithWhatIsNoEtcd) {
  FakeServer web(reactor_, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
  // A node, say.
  FakeServer other(reactor_,
                   "HTTP/1.1 404 Not Found\r\nContent-Length: 54\r\n\r\n"
                   R"({"type":"error","code":"not_found","message":"nobody"})");
  FakeServer odd(reactor_, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  const std::pair<std::string, std::string> rows[] = {
      {"http://127.0.0.1:" + std::to_string(services::free_port()), "start etcd there"},
      {"http://127.0.0.1:" + std::to_string(web.port()), "is this etcd v3?"},
      {"http://127.0.0.1:" + std::to_string(other.port()), "is this etcd v3?"},
      {"http://127.0.0.1:" + std::to_string(odd.port()), "is this etcd v3?"},
  };
  for (const auto& row : rows) {
    const auto& url = row.first;  // clang 14 captures no structured binding
    const auto& hint = row.second;
    EtcdDiscovery discovery(reactor_, hears_, {.urls = {url}, .lease_ms = 3000});
    EXPECT_TRUE(reactor_.run_within([&] {
      return discovery.last_error().hint.find(hint) != std::string::npos;
    })) << url
        << ": " << discovery.last_error().text();
    EXPECT_EQ(discovery.state(), DiscoveryState::kDown) << url;
  }
}

}  // namespace
}  // namespace uproar::storage::etcd
