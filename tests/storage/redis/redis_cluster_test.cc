// The bus on a real cluster of three while its slots and its servers move.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST_F(Cluster, IsFoundByAnyOfItsServers) {
  cluster_.node(0).kill_now();
  BusNode late(reactor_, cluster_.url(), 3);
  ASSERT_TRUE(wait([&] { return late.bus.state() == BusState::kUncertain; }));
  cluster_.node(0).start();
  EXPECT_TRUE(late.comes_up());
}

}  // namespace
}  // namespace uproar::storage::redis
