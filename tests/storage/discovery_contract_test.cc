// What every discovery does, on a real Redis and on a real etcd. Each node has its own connections; all share a reactor.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/discovery.h"
#include "storage/etcd/etcd_discovery.h"
#include "storage/redis/redis_discovery.h"
#include "tests/services/etcd_server.h"
#include "tests/services/redis_server.h"
#include "tests/storage/poll_reactor.h"
#include "tests/storage/recording_bus_listener.h"

namespace uproar::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

NodeRecord record_of(std::uint64_t number) {
  return {.id = NodeId(Uuid{.high = number, .low = number}),
          .name = "node-" + std::to_string(number),
          .url = "ws://127.0.0.1:" + std::to_string(8000 + number),
          .shards = 2,
          .started_us = 1'795'342'800'000'000,
          .state = NodeState::kLive};
}

class RecordingListener : public DiscoveryListener {
 public:
  void on_node_joined(const NodeRecord& record) override { joined.push_back(record); }
  void on_node_changed(const NodeRecord& record) override { changed.push_back(record); }
  void on_node_gone(const NodeRecord& record, NodeEnd end) override {
    gone.emplace_back(record.id, end);
  }
  void on_registered() override { ++registered; }
  void on_lease_lost() override { ++leases_lost; }
  void on_discovery_state(DiscoveryState state) override { states.push_back(state); }
  void on_record_ignored(std::string_view /*key*/, std::string_view /*why*/) override {}

  [[nodiscard]] bool was_in(DiscoveryState state) const {
    return std::find(states.begin(), states.end(), state) != states.end();
  }

  std::vector<NodeRecord> joined;
  std::vector<NodeRecord> changed;
  std::vector<std::pair<NodeId, NodeEnd>> gone;
  int registered = 0;
  int leases_lost = 0;
  std::vector<DiscoveryState> states;
};

// One process, as far as discovery goes.
struct Node {
  RecordingListener hears;
  std::unique_ptr<Bus> bus;
  std::unique_ptr<BusListener> bus_hears;
  std::unique_ptr<Discovery> discovery;

  ~Node() { discovery.reset(); }  // before its bus
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Node> join(Reactor& reactor, const NodeId& id) = 0;
  virtual void kill_now() = 0;
  virtual void start() = 0;
  virtual void pause() = 0;
  virtual void proceed() = 0;
  virtual void lose_data() = 0;
  virtual void remove_record(const NodeId& id) = 0;
  // A record that only a later version can read.
  virtual void put_unreadable(const NodeId& id) = 0;
  virtual bool has_record(const NodeId& id) = 0;
};

class RedisBackend : public Backend {
 public:
  RedisBackend() { server_.start(); }
  std::unique_ptr<Node> join(Reactor& reactor, const NodeId& id) override {
    auto node = std::make_unique<Node>();
    auto hears = std::make_unique<Poker>();
    auto bus = std::make_unique<redis::RedisBus>(
        reactor, *hears,
        redis::RedisBusOptions{.url = *redis::RedisUrl::parse(server_.url()),
                               .node = id,
                               .heartbeat_ms = 100,
                               .backoff_ms_max = 100});
    auto discovery = std::make_unique<redis::RedisDiscovery>(
        reactor, node->hears, *bus, redis::RedisDiscoveryOptions{.lease_ms = 1500});
    hears->discovery = discovery.get();
    node->bus = std::move(bus);
    node->bus_hears = std::move(hears);
    node->discovery = std::move(discovery);
    return node;
  }
  void kill_now() override { server_.kill_now(); }
  void start() override { server_.start(); }
  void pause() override { server_.pause(); }
  void proceed() override { server_.proceed(); }
  void lose_data() override { ASSERT_EQ(server_.ask({"FLUSHALL"}), "OK"); }
  void remove_record(const NodeId& id) override {
    ASSERT_EQ(server_.ask({"DEL", "{uproar:nodes}:" + id.text()}), "1");
  }
  void put_unreadable(const NodeId& id) override {
    ASSERT_EQ(server_.ask({"SADD", "{uproar:nodes}", id.text()}), "1");
    ASSERT_EQ(server_.ask({"SET", "{uproar:nodes}:" + id.text(), "from the future"}), "OK");
  }
  bool has_record(const NodeId& id) override {
    return server_.ask({"SISMEMBER", "{uproar:nodes}", id.text()}) == "1";
  }
  services::RedisServer& server() { return server_; }

 private:
  struct Poker : RecordingBusListener {
    redis::RedisDiscovery* discovery = nullptr;
    void on_bus_message(std::string_view channel, const BusMessage& /*message*/) override {
      if (channel == kNodesChannel) discovery->poke();
    }
  };
  services::RedisServer server_;
};

class EtcdBackend : public Backend {
 public:
  EtcdBackend() { server_.start(); }
  std::unique_ptr<Node> join(Reactor& reactor, const NodeId& /*id*/) override {
    auto node = std::make_unique<Node>();
    node->discovery = std::make_unique<etcd::EtcdDiscovery>(
        reactor, node->hears,
        etcd::EtcdDiscoveryOptions{.urls = {server_.url()}, .lease_ms = 3000});
    return node;
  }
  void kill_now() override { server_.kill_now(); }
  void start() override { server_.start(); }
  void pause() override { server_.pause(); }
  void proceed() override { server_.proceed(); }
  void lose_data() override {
    server_.kill_now();
    server_.start_empty();
  }
  void remove_record(const NodeId& id) override {
    const std::string range = etcd::range_body("uproar/nodes/" + id.text());
    ASSERT_NE(server_.ask("/v3/kv/deleterange", range).find("\"deleted\":\"1\""),
              std::string::npos);
  }
  void put_unreadable(const NodeId& id) override {
    (void)server_.ask("/v3/kv/put",
                      etcd::put_body("uproar/nodes/" + id.text(), "from the future", "0"));
  }
  bool has_record(const NodeId& id) override {
    const auto range = etcd::read_range(
        server_.ask("/v3/kv/range", etcd::range_body("uproar/nodes/" + id.text())));
    return range && range->found.size() == 1;
  }

 private:
  services::EtcdServer server_;
};

enum class Kind { kRedis, kEtcd };

class DiscoveryContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const std::string program = GetParam() == Kind::kRedis ? "redis-server" : "etcd";
    if (!services::is_installed(program))
      GTEST_SKIP() << program << " is not installed: tools/dev deps --tests";
    if (GetParam() == Kind::kRedis) {
      backend_ = std::make_unique<RedisBackend>();
    } else {
      backend_ = std::make_unique<EtcdBackend>();
    }
    ann_ = join(1);
    ben_ = join(2);
    if (IsSkipped()) return;
    ASSERT_TRUE(wait([&] { return sees(*ann_, {1, 2}) && sees(*ben_, {1, 2}); }));
    ASSERT_TRUE(wait([&] { return is_up(*ann_) && is_up(*ben_); }))
        << ann_->discovery->last_error().text();
  }
  void TearDown() override {
    ann_.reset();
    ben_.reset();
    EXPECT_EQ(reactor_.watched(), 0U);
    EXPECT_EQ(reactor_.armed_timers(), 0U);
  }

  std::unique_ptr<Node> join(std::uint64_t number) {
    auto node = backend_->join(reactor_, record_of(number).id);
    node->discovery->announce(record_of(number));
    return node;
  }
  static bool is_up(const Node& node) { return node.discovery->state() == DiscoveryState::kUp; }
  static bool sees(const Node& node, const std::vector<std::uint64_t>& numbers) {
    std::vector<NodeId> ids;
    for (const NodeRecord& record : node.discovery->nodes()) ids.push_back(record.id);
    std::vector<NodeId> wanted;
    for (const std::uint64_t number : numbers) wanted.push_back(record_of(number).id);
    return ids == wanted;
  }
  template <class Condition>
  [[nodiscard]] bool wait(Condition condition) {
    return reactor_.run_within(condition);
  }

  PollReactor reactor_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Node> ann_;
  std::unique_ptr<Node> ben_;
};

TEST_P(DiscoveryContract, ListsWhoIsThereWithWhatTheySay) {
  EXPECT_THAT(ann_->discovery->nodes(), ElementsAre(record_of(1), record_of(2)));
  EXPECT_THAT(ben_->discovery->nodes(), ElementsAre(record_of(1), record_of(2)));
  EXPECT_EQ(ann_->hears.registered, 1);
  EXPECT_EQ(ann_->hears.joined.size(), 2U);
  EXPECT_THAT(ann_->hears.gone, IsEmpty());
  EXPECT_TRUE(ann_->discovery->is_live(record_of(2).id));
  EXPECT_FALSE(ann_->discovery->is_live(record_of(3).id));
  auto late = backend_->join(reactor_, record_of(3).id);
  EXPECT_TRUE(wait([&] {
    return sees(*late, {1, 2}) && is_up(*late);
  })) << "one may look without being there";
  late->discovery->announce(record_of(3));
  EXPECT_TRUE(wait([&] { return sees(*ann_, {1, 2, 3}); }));
}

TEST_P(DiscoveryContract, TellsOfAChange) {
  NodeRecord draining = record_of(1);
  draining.state = NodeState::kDraining;
  ann_->discovery->announce(draining);
  ASSERT_TRUE(wait([&] { return !ben_->hears.changed.empty(); }));
  EXPECT_THAT(ben_->hears.changed, ElementsAre(draining));
  EXPECT_THAT(ben_->discovery->nodes(), ElementsAre(draining, record_of(2)));
  EXPECT_EQ(ann_->hears.registered, 1);
}

TEST_P(DiscoveryContract, KnowsALeaveFromADeath) {
  auto leaving = join(3);
  auto dying = join(4);
  ASSERT_TRUE(wait([&] { return sees(*ben_, {1, 2, 3, 4}); }));
  bool is_done = false;
  leaving->discovery->withdraw([&] { is_done = true; });
  EXPECT_FALSE(is_done) << "told inside the call";
  ASSERT_TRUE(wait([&] { return is_done && sees(*ben_, {1, 2, 4}); }));
  EXPECT_THAT(ben_->hears.gone, ElementsAre(std::pair(record_of(3).id, NodeEnd::kLeft)));
  EXPECT_EQ(leaving->hears.leases_lost, 0);

  dying.reset();  // as kill -9 does
  ASSERT_TRUE(wait([&] { return sees(*ben_, {1, 2}) && sees(*ann_, {1, 2}); }));
  EXPECT_THAT(ben_->hears.gone, ElementsAre(std::pair(record_of(3).id, NodeEnd::kLeft),
                                            std::pair(record_of(4).id, NodeEnd::kDied)));
  EXPECT_EQ(ben_->discovery->counters().deaths.value(), 1U);
}

TEST_P(DiscoveryContract, DeclaresNobodyDeadWhileTheServiceIsAway) {
  backend_->kill_now();
  ASSERT_TRUE(wait([&] {
    return ann_->discovery->state() == DiscoveryState::kDown &&
           ben_->discovery->state() == DiscoveryState::kDown;
  }));
  EXPECT_FALSE(ann_->discovery->last_error().hint.empty());
  // Long enough that everybody knows his own lease to be lost.
  ASSERT_TRUE(wait([&] { return ann_->hears.leases_lost >= 1 && ben_->hears.leases_lost >= 1; }));
  EXPECT_TRUE(sees(*ann_, {1, 2}));
  backend_->start();
  ASSERT_TRUE(wait([&] { return ann_->hears.registered >= 2 && ben_->hears.registered >= 2; }));
  ASSERT_TRUE(wait([&] {
    return is_up(*ann_) && is_up(*ben_) && sees(*ann_, {1, 2}) && sees(*ben_, {1, 2});
  }));
}

TEST_P(DiscoveryContract, FindsEverybodyAgainAfterTheServiceStoodStill) {
  backend_->pause();
  ASSERT_TRUE(wait([&] { return ann_->hears.leases_lost >= 1 && ben_->hears.leases_lost >= 1; }));
  EXPECT_TRUE(sees(*ann_, {1, 2}));
  backend_->proceed();
  ASSERT_TRUE(wait([&] { return ann_->hears.registered >= 2 && ben_->hears.registered >= 2; }));
  ASSERT_TRUE(wait([&] {
    return is_up(*ann_) && is_up(*ben_) && sees(*ann_, {1, 2}) && sees(*ben_, {1, 2});
  }));
}

TEST_P(DiscoveryContract, KeepsTheLivingWhenTheServiceHasLostItsData) {
  backend_->lose_data();
  ASSERT_TRUE(wait([&] { return ann_->hears.registered >= 2 && ben_->hears.registered >= 2; }));
  auto late = join(3);
  ASSERT_TRUE(wait([&] {
    return sees(*ann_, {1, 2, 3}) && sees(*ben_, {1, 2, 3}) && sees(*late, {1, 2, 3}) &&
           is_up(*ann_);
  }));
  EXPECT_THAT(ann_->hears.gone, IsEmpty());
  EXPECT_THAT(ben_->hears.gone, IsEmpty());
  // And its dead are still found.
  late.reset();
  ASSERT_TRUE(wait([&] { return sees(*ann_, {1, 2}); }));
  EXPECT_THAT(ann_->hears.gone, ElementsAre(std::pair(record_of(3).id, NodeEnd::kDied)));
}

TEST_P(DiscoveryContract, LearnsThatItsOwnRecordIsGoneAndPutsItBack) {
  backend_->remove_record(record_of(1).id);
  ASSERT_TRUE(wait([&] { return ann_->hears.leases_lost >= 1 && ann_->hears.registered >= 2; }));
  ASSERT_TRUE(wait([&] { return sees(*ben_, {1, 2}) && sees(*ann_, {1, 2}) && is_up(*ann_); }));
  EXPECT_EQ(ann_->discovery->counters().leases_lost.value(), 1U);
  EXPECT_EQ(ben_->hears.leases_lost, 0);
}

TEST_P(DiscoveryContract, LeavesAloneWhatItCannotRead) {
  backend_->put_unreadable(record_of(3).id);
  auto late = join(4);
  ASSERT_TRUE(wait([&] { return sees(*ann_, {1, 2, 4}); }));
  // Long enough to give somebody up: it does so with one who is dead.
  late.reset();
  ASSERT_TRUE(wait([&] { return sees(*ann_, {1, 2}) && sees(*ben_, {1, 2}); }));
  EXPECT_TRUE(backend_->has_record(record_of(3).id));
}

TEST_P(DiscoveryContract, SaysNothingMoreOnceItHasBegunToLeave) {
  auto leaving = join(3);
  // The others may see it before its own answer is there.
  ASSERT_TRUE(wait([&] {
    return sees(*ben_, {1, 2, 3}) && sees(*ann_, {1, 2, 3}) && leaving->hears.registered == 1;
  }));
  bool is_done = false;
  leaving->discovery->withdraw([&] { is_done = true; });
  leaving->discovery->announce(record_of(3));
  ASSERT_TRUE(wait([&] { return is_done && sees(*ben_, {1, 2}) && sees(*ann_, {1, 2}); }));
  leaving->discovery->announce(record_of(3));
  auto late = join(4);
  ASSERT_TRUE(wait([&] { return sees(*ben_, {1, 2, 4}); }));
  late.reset();
  ASSERT_TRUE(wait([&] { return sees(*ben_, {1, 2}); }));
  EXPECT_THAT(ben_->hears.gone, ElementsAre(std::pair(record_of(3).id, NodeEnd::kLeft),
                                            std::pair(record_of(4).id, NodeEnd::kDied)));
  EXPECT_EQ(leaving->hears.registered, 1);
}

TEST_P(DiscoveryContract, CanGoAtAnyMomentWithoutATrace) {
  for (int turns = 0; turns < 10; ++turns) {
    auto passing = join(5);
    for (int i = 0; i < turns; ++i) reactor_.turn(2);
    if (turns % 3 == 0) passing->discovery->withdraw([] {});
  }
  EXPECT_TRUE(wait([&] { return sees(*ann_, {1, 2}); }));
}

INSTANTIATE_TEST_SUITE_P(Kinds, DiscoveryContract, ::testing::Values(Kind::kRedis, Kind::kEtcd),
                         [](const auto& kind) {
                           return std::string(kind.param == Kind::kRedis ? "Redis" : "Etcd");
                         });

// What Redis alone needs: its list is two things, a set of ids and a key for each.
class RedisDiscoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!services::is_installed("redis-server"))
      GTEST_SKIP() << "redis-server is not installed: tools/dev deps --tests";
    backend_ = std::make_unique<RedisBackend>();
    ann_ = join(1);
    ben_ = join(2);
    ASSERT_TRUE(reactor_.run_within([&] {
      return ann_->discovery->nodes().size() == 2 && ben_->discovery->nodes().size() == 2;
    }));
  }
  std::unique_ptr<Node> join(std::uint64_t number) {
    auto node = backend_->join(reactor_, record_of(number).id);
    node->discovery->announce(record_of(number));
    return node;
  }

  PollReactor reactor_;
  std::unique_ptr<RedisBackend> backend_;
  std::unique_ptr<Node> ann_;
  std::unique_ptr<Node> ben_;
};

// Who missed it for too long takes its id away, and that may arrive after it has come back.
TEST_F(RedisDiscoveryTest, ComesBackToTheListThatItWasTakenFrom) {
  ASSERT_EQ(backend_->server().ask({"SREM", "{uproar:nodes}", record_of(1).id.text()}), "1");
  ASSERT_TRUE(reactor_.run_within([&] { return backend_->has_record(record_of(1).id); }));
  auto late = join(3);
  EXPECT_TRUE(reactor_.run_within([&] { return late->discovery->is_live(record_of(1).id); }));
  EXPECT_EQ(ann_->hears.leases_lost, 0);
}

TEST_F(RedisDiscoveryTest, FindsTheDeadWhileSomebodyPokesWithoutEnd) {
  auto* const ben = static_cast<redis::RedisDiscovery*>(ben_->discovery.get());
  ann_.reset();  // as kill -9 does
  EXPECT_TRUE(reactor_.run_within([&] {
    ben->poke();
    return ben->nodes().size() == 1;
  }));
  EXPECT_THAT(ben_->hears.gone, ElementsAre(std::pair(record_of(1).id, NodeEnd::kDied)));
}

}  // namespace
}  // namespace uproar::storage
