// Bus, presence and discovery on the reactor that production has: a shard's thread and its ring. What they promise is
// tested elsewhere, over poll(2); here it is that the ring serves them, through outages too.

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/runtime/shard_thread.h"
#include "core/server/ring_reactor.h"
#include "storage/etcd/etcd_discovery.h"
#include "storage/redis/redis_bus.h"
#include "storage/redis/redis_discovery.h"
#include "storage/redis/redis_presence.h"
#include "tests/core/server/small_thread.h"
#include "tests/services/etcd_server.h"
#include "tests/services/redis_server.h"
#include "tests/storage/recording_bus_listener.h"

namespace uproar::storage {
namespace {

class QuietListener : public DiscoveryListener {
 public:
  void on_node_joined(const NodeRecord& /*record*/) override {}
  void on_node_changed(const NodeRecord& /*record*/) override {}
  void on_node_gone(const NodeRecord& /*record*/, NodeEnd /*end*/) override {}
  void on_registered() override {}
  void on_lease_lost() override {}
  void on_discovery_state(DiscoveryState /*state*/) override {}
  void on_record_ignored(std::string_view /*key*/, std::string_view /*why*/) override {}
};

class OnTheRing : public ::testing::Test, public runtime::TurnHandler {
 protected:
  OnTheRing() : thread_(server::small_thread_options(), *this), reactor_(thread_) {
    EXPECT_TRUE(thread_.prepare().ok());
  }
  void SetUp() override { ASSERT_TRUE(thread_.start().ok()); }
  void TearDown() override {
    thread_.request_stop();
    thread_.join();
  }

  // Runs `work` on the shard and waits for its end.
  void on_shard(const std::function<void()>& work) {
    std::promise<void> done;
    reactor_.post([&] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }
  [[nodiscard]] bool wait(const std::function<bool()>& condition) {
    return services::wait_until([&] {
      bool is_met = false;
      on_shard([&] { is_met = condition(); });
      return is_met;
    });
  }

  // runtime::TurnHandler: as core/server/shard.cc does it
  Result<void, SystemError> on_start(runtime::ShardContext& context) override {
    reactor_.attach(context);
    return {};
  }
  void on_completion(const runtime::Completion& completion) override {
    if (completion.key.kind == runtime::OpKind::kPoll) reactor_.on_completion(completion);
  }
  void on_timer(std::uint64_t key) override { reactor_.on_timer(key); }
  void on_tick(const Now&) override {
    if (reactor_.posted_waiting()) reactor_.run_posted();
  }
  bool flush(const Now&) override { return false; }

  runtime::ShardThread thread_;
  server::RingReactor reactor_;
};

struct RedisNode {
  RedisNode(Reactor& reactor, const std::string& url, std::uint64_t number)
      : id(Uuid{.high = number, .low = number}),
        bus(reactor, hears,
            {.url = *redis::RedisUrl::parse(url),
             .node = id,
             .heartbeat_ms = 100,
             .backoff_ms_max = 100}),
        presence(reactor, bus, {.node = id, .beat_ms = 100}),
        discovery(reactor, quiet, bus, {.lease_ms = 1000}) {
    discovery.announce({.id = id, .name = "n", .url = "ws://h", .shards = 1, .started_us = 1});
  }
  NodeId id;
  RecordingBusListener hears;
  QuietListener quiet;
  redis::RedisBus bus;
  redis::RedisPresence presence;
  redis::RedisDiscovery discovery;
};

TEST_F(OnTheRing, RedisServesTwoNodesThroughARestart) {
  if (!services::is_installed("redis-server")) GTEST_SKIP() << "redis-server is not installed";
  services::RedisServer server;
  server.start();
  std::unique_ptr<RedisNode> ann;
  std::unique_ptr<RedisNode> ben;
  const UserId user(Uuid{.high = 5, .low = 5});
  on_shard([&] {
    ann = std::make_unique<RedisNode>(reactor_, server.url(), 1);
    ben = std::make_unique<RedisNode>(reactor_, server.url(), 2);
    ben->bus.subscribe("a");
    ann->presence.put(user, {.devices = 1, .heard_us = 1});
  });
  EXPECT_TRUE(
      wait([&] { return ben->hears.lives_of("a") == 1 && ann->bus.state() == BusState::kUp; }));
  on_shard([&] {
    for (int i = 0; i < 1000; ++i)
      EXPECT_EQ(ann->bus.publish("a", 1, 0, as_bytes("hello")), PublishResult::kQueued);
  });
  EXPECT_TRUE(wait([&] { return ben->hears.payloads_of("a").size() == 1000; }));
  EXPECT_TRUE(wait(
      [&] { return ann->discovery.nodes().size() == 2 && ben->discovery.nodes().size() == 2; }));

  server.restart();
  EXPECT_TRUE(wait([&] { return ben->hears.was_live("a", BusGap::kReconnected); }));
  EXPECT_TRUE(
      wait([&] { return ann->bus.state() == BusState::kUp && ann->presence.is_certain(); }));
  EXPECT_NE(server.ask({"HGETALL", "uproar:presence:" + user.text()}), "");
  EXPECT_TRUE(wait([&] {
    return ann->discovery.state() == DiscoveryState::kUp && ben->discovery.nodes().size() == 2;
  }));
  on_shard([&] {
    ann.reset();
    ben.reset();
  });
}

TEST_F(OnTheRing, EtcdServesTwoNodesThroughARestart) {
  if (!services::is_installed("etcd")) GTEST_SKIP() << "etcd is not installed";
  services::EtcdServer server;
  server.start();
  QuietListener quiet;
  std::unique_ptr<etcd::EtcdDiscovery> ann;
  std::unique_ptr<etcd::EtcdDiscovery> ben;
  const auto record = [](std::uint64_t number) {
    return NodeRecord{.id = NodeId(Uuid{.high = number, .low = number}),
                      .name = "n",
                      .url = "ws://h",
                      .shards = 1,
                      .started_us = 1};
  };
  on_shard([&] {
    ann = std::make_unique<etcd::EtcdDiscovery>(
        reactor_, quiet, etcd::EtcdDiscoveryOptions{.urls = {server.url()}, .lease_ms = 3000});
    ben = std::make_unique<etcd::EtcdDiscovery>(
        reactor_, quiet, etcd::EtcdDiscoveryOptions{.urls = {server.url()}, .lease_ms = 3000});
    ann->announce(record(1));
    ben->announce(record(2));
  });
  const auto is_whole = [&] {
    return ann->state() == DiscoveryState::kUp && ben->state() == DiscoveryState::kUp &&
           ann->nodes().size() == 2 && ben->nodes().size() == 2;
  };
  EXPECT_TRUE(wait(is_whole));
  server.kill_now();
  EXPECT_TRUE(wait([&] { return ann->state() == DiscoveryState::kDown; }));
  server.start();
  EXPECT_TRUE(wait(is_whole));
  bool has_left = false;
  on_shard([&] { ben->withdraw([&] { has_left = true; }); });
  EXPECT_TRUE(wait([&] { return has_left && ann->nodes().size() == 1; }));
  on_shard([&] {
    ann.reset();
    ben.reset();
  });
}

}  // namespace
}  // namespace uproar::storage
