// The bus on a real cluster of three while its slots and its servers move.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/limits.h"
#include "storage/redis/slot_map.h"
#include "tests/storage/redis/redis_bench.h"

namespace uproar::storage::redis {
namespace {

using ::testing::ElementsAre;

class Cluster : public RedisBusTest {
 protected:
  void SetUp() override {
    RedisBusTest::SetUp();
    if (IsSkipped()) return;
    cluster_.start();
    ann_ = std::make_unique<BusNode>(reactor_, cluster_.url(), 1);
    ben_ = std::make_unique<BusNode>(reactor_, cluster_.url(), 2);
    ASSERT_TRUE(ann_->comes_up() && ben_->comes_up()) << ann_->bus.last_error().text();
  }
  [[nodiscard]] static std::uint16_t slot_of_channel(const std::string& channel) {
    return slot_of("uproar:" + channel);
  }

  services::RedisCluster cluster_;
  std::unique_ptr<BusNode> ann_;
  std::unique_ptr<BusNode> ben_;
};

TEST_F(Cluster, FollowsASlotThatMovesAndReportsTheGap) {
  ASSERT_TRUE(ben_->listens("a"));
  const std::uint16_t slot = slot_of_channel("a");
  const std::size_t from = cluster_.owner_of(slot);
  const std::size_t to = (from + 1) % services::RedisCluster::kNodes;
  cluster_.move_slot(slot, to);
  ASSERT_EQ(cluster_.owner_of(slot), to);
  ASSERT_TRUE(wait([&] { return ben_->hears.was_live("a", BusGap::kMoved); }));
  // Ann has an old map: her publish is redirected on its way.
  EXPECT_TRUE(ann_->reaches(*ben_, "a", "after the move"));
  EXPECT_THAT(ben_->hears.payloads_of("a"), ElementsAre("after the move"));
  ann_->bus.flush();
  EXPECT_GE(ann_->bus.counters().redirects.value(), 1U);
  EXPECT_TRUE(ann_->hears.lost.empty());
  EXPECT_TRUE(ben_->comes_up());
}

TEST_F(Cluster, SubscribesWhereASlotHasMovedMeanwhile) {
  const std::uint16_t slot = slot_of_channel("late");
  cluster_.move_slot(slot, (cluster_.owner_of(slot) + 1) % services::RedisCluster::kNodes);
  ASSERT_TRUE(ben_->listens("late"));
  EXPECT_TRUE(ann_->reaches(*ben_, "late", "heard"));
}

TEST_F(Cluster, LosesOnlyTheChannelsOfAServerThatDied) {
  // One channel on each server.
  std::vector<std::string> channels(services::RedisCluster::kNodes);
  for (int i = 0; channels[0].empty() || channels[1].empty() || channels[2].empty(); ++i) {
    const std::string channel = "c" + std::to_string(i);
    channels[slot_of_channel(channel) * services::RedisCluster::kNodes / kSlots] = channel;
  }
  for (std::size_t i = 0; i < channels.size(); ++i) {
    ASSERT_EQ(cluster_.owner_of(slot_of_channel(channels[i])), i);
    ASSERT_TRUE(ben_->listens(channels[i]));
  }
  cluster_.node(1).kill_now();
  ASSERT_TRUE(wait([&] {
    return ben_->bus.state() == BusState::kUncertain && ann_->bus.state() == BusState::kUncertain;
  }));
  EXPECT_TRUE(ann_->reaches(*ben_, channels[0], "still heard"));
  EXPECT_EQ(ann_->say(channels[1], "not now"), PublishResult::kDown);

  cluster_.node(1).start();
  ASSERT_TRUE(wait([&] {
    return ben_->hears.was_live(channels[1], BusGap::kReconnected) &&
           ann_->hears.was_lost(channels[1]);
  }));
  ASSERT_TRUE(ann_->comes_up() && ben_->comes_up());
  EXPECT_TRUE(ann_->reaches(*ben_, channels[1], "heard again"));
  EXPECT_THAT(ben_->hears.payloads_of(channels[1]), ElementsAre("heard again"));
  EXPECT_EQ(ben_->hears.lives_of(channels[0]), 1U) << "nothing happened to the others";
}

TEST_F(Cluster, LearnsOnceOfASlotThatWasPublishedToOften) {
  ASSERT_TRUE(ben_->listens("a"));
  const std::uint16_t slot = slot_of_channel("a");
  cluster_.move_slot(slot, (cluster_.owner_of(slot) + 1) % services::RedisCluster::kNodes);
  const std::uint64_t before = ann_->bus.commands().map_version();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(ann_->say("a", "x"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] {
    ann_->bus.flush();
    return ann_->bus.counters().outgoing_bytes.value() == 0 &&
           ann_->bus.counters().redirects.value() > 0;
  }));
  EXPECT_LE(ann_->bus.commands().map_version(), before + 3) << "each is a look at every channel";
}

TEST_F(Cluster, MovesAllChannelsOfASlot) {
  // All of one slot, by their tag.
  constexpr std::size_t kChannels = 300;
  for (std::size_t i = 0; i < kChannels; ++i) ben_->bus.subscribe("{tag}" + std::to_string(i));
  ASSERT_TRUE(wait([&] { return ben_->hears.lives.size() == kChannels; }));
  const std::uint16_t slot = slot_of_channel("{tag}");
  for (std::size_t step = 1; step <= 3; ++step) {
    cluster_.move_slot(slot, (cluster_.owner_of(slot) + 1) % services::RedisCluster::kNodes);
    ASSERT_TRUE(wait([&] { return ben_->hears.lives.size() >= kChannels * (step + 1); })) << step;
    ASSERT_TRUE(ben_->comes_up());
  }
  EXPECT_EQ(ben_->hears.lives.size(), kChannels * 4);
  EXPECT_TRUE(ann_->reaches(*ben_, "{tag}0", "heard"));
  EXPECT_TRUE(ann_->reaches(*ben_, "{tag}299", "heard"));
}

TEST_F(Cluster, AsksAgainForSlotsThatNobodyHad) {
  const std::string slot = std::to_string(slot_of_channel("a"));
  const std::size_t owner = cluster_.owner_of(slot_of_channel("a"));
  // The owner first, lest it tell the others again.
  for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i)
    ASSERT_EQ(cluster_.node((owner + i) % services::RedisCluster::kNodes)
                  .ask({"CLUSTER", "DELSLOTS", slot}),
              "OK");
  BusNode late(reactor_, cluster_.url(), 3);
  ASSERT_TRUE(wait([&] { return late.bus.commands().servers_up() == 3; }));
  EXPECT_FALSE(late.bus.commands().server_for("uproar:a").has_value());
  ASSERT_TRUE(wait([&] { return late.bus.state() == BusState::kUncertain; }));
  ASSERT_EQ(cluster_.node(owner).ask({"CLUSTER", "ADDSLOTS", slot}), "OK");
  ASSERT_TRUE(late.comes_up());
  EXPECT_TRUE(late.bus.commands().server_for("uproar:a").has_value());
}

// In the cluster, or not: in both cases it has no slots.
class ServerWithoutSlots : public Cluster {
 protected:
  void SetUp() override {
    Cluster::SetUp();
    if (!IsSkipped()) server_.start();
  }
  [[nodiscard]] std::string url_with_it_first() const {
    const std::string seeds = cluster_.url().substr(std::string("redis://").size());
    return server_.url() + "," + seeds;
  }

  [[nodiscard]] static int calls_of_slots(services::RedisServer& server) {
    const std::string stats = server.ask({"INFO", "commandstats"});
    const std::string key = "cmdstat_cluster|slots:calls=";
    const auto at = stats.find(key);
    return at == std::string::npos ? 0 : std::stoi(stats.substr(at + key.size()));
  }

  const std::string bus_port_ = std::to_string(services::free_port());
  services::RedisServer server_{{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                                 "--cluster-node-timeout", "2000", "--cluster-port", bus_port_}};
};

TEST_F(ServerWithoutSlots, IsNoSeedWhenItIsNoMember) {
  BusNode late(reactor_, url_with_it_first(), 3);
  ASSERT_TRUE(late.comes_up()) << late.bus.last_error().text();
  ASSERT_TRUE(ben_->listens("a"));
  EXPECT_TRUE(late.reaches(*ben_, "a", "heard"));
}

TEST_F(ServerWithoutSlots, TakesNothingAwayWhenItIsThrownOut) {
  ASSERT_EQ(cluster_.node(0).ask(
                {"CLUSTER", "MEET", "127.0.0.1", std::to_string(server_.port()), bus_port_}),
            "OK");
  ASSERT_TRUE(services::wait_until([&] {
    return server_.ask({"CLUSTER", "INFO"}).find("cluster_slots_assigned:16384") !=
           std::string::npos;
  }));
  BusNode cleo(reactor_, url_with_it_first(), 3);
  ASSERT_TRUE(cleo.comes_up()) << cleo.bus.last_error().text();
  ASSERT_TRUE(ben_->listens("a"));
  ASSERT_EQ(server_.ask({"CLUSTER", "RESET", "HARD"}), "OK");
  const auto times_asked = [&] {
    int sum = calls_of_slots(server_);
    for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i)
      sum += calls_of_slots(cluster_.node(i));
    return sum;
  };
  const int before = times_asked();
  ASSERT_TRUE(wait([&] {
    cleo.bus.commands().refresh_slots();
    return times_asked() >= before + 4;
  })) << "one of them would have been the seed";
  EXPECT_TRUE(cleo.reaches(*ben_, "a", "heard"));
  EXPECT_TRUE(cleo.comes_up());
  EXPECT_EQ(cleo.bus.counters().disconnects.value(), 0U);
  EXPECT_EQ(cleo.bus.commands().servers_up(), 3U);
}

TEST_F(Cluster, SaysWhatWasLostToThoseItReachesWhileOneServerIsAway) {
  for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i)
    ASSERT_EQ(cluster_.node(i).ask({"CONFIG", "SET", "cluster-require-full-coverage", "no"}), "OK");
  cluster_.node(1).kill_now();
  ASSERT_TRUE(wait([&] { return ann_->bus.commands().servers_up() == 2; }));
  // More channels of the dead server than can be remembered.
  std::size_t refused = 0;
  for (int i = 0; refused <= kBusInDoubtChannelsMax; ++i) {
    const std::string channel = "d" + std::to_string(i);
    if (slot_of_channel(channel) * services::RedisCluster::kNodes / kSlots != 1) continue;
    ASSERT_EQ(ann_->say(channel, "x"), PublishResult::kDown);
    ++refused;
  }
  ASSERT_TRUE(wait([&] { return ann_->hears.lost_all; })) << "the others are there to hear it";
  ann_->hears.lost_all = false;
  cluster_.node(1).start();
  EXPECT_TRUE(wait([&] { return ann_->hears.lost_all; })) << "and this one when it is back";
}

TEST_F(Cluster, IsFoundByAnyOfItsServers) {
  cluster_.node(0).kill_now();
  BusNode late(reactor_, cluster_.url(), 3);
  ASSERT_TRUE(wait([&] { return late.bus.state() == BusState::kUncertain; }));
  cluster_.node(0).start();
  EXPECT_TRUE(late.comes_up());
}

}  // namespace
}  // namespace uproar::storage::redis
