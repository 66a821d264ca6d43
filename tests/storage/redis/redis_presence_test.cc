// Presence of two nodes on a real Redis, and on a real cluster.

#include "storage/redis/redis_presence.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/redis/slot_map.h"
#include "tests/storage/redis/redis_bench.h"

namespace uproar::storage::redis {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint8_t kHint = 9;

UserId user_of(std::uint64_t number) {
  return UserId(Uuid{.high = 77, .low = number});
}
NodeId node_of(std::uint64_t number) {
  return NodeId(Uuid{.high = number, .low = number});
}

struct PresenceNode : BusNode {
  PresenceNode(PollReactor& the_reactor, const std::string& url, std::uint64_t id,
               std::function<bool(const NodeId&)> is_live = {},
               std::uint32_t refresh_s = kPresenceRefreshS)
      : BusNode(the_reactor, url, id),
        presence(the_reactor, bus,
                 {.node = node_of(id),
                  .shard = 0,
                  .delta_kind = kHint,
                  .beat_ms = 100,
                  .refresh_s = refresh_s,
                  .is_live = std::move(is_live)}) {}

  using Answer = Result<std::vector<UserPresence>, PresenceError>;
  [[nodiscard]] Answer read(const std::vector<UserId>& users) {
    std::optional<Answer> answer;
    presence.read(users, [&](Answer found) { answer.emplace(std::move(found)); });
    EXPECT_FALSE(answer.has_value()) << "answered inside the call";
    EXPECT_TRUE(reactor.run_within([&] { return answer.has_value(); }));
    return answer ? std::move(*answer) : Answer(Err{PresenceError::kUnavailable});
  }
  // Of one user.
  [[nodiscard]] std::vector<NodePresence> nodes_of(const UserId& user) {
    const Answer answer = read({user});
    EXPECT_TRUE(answer.ok());
    return answer.ok() ? answer.value().at(0).nodes : std::vector<NodePresence>();
  }
  [[nodiscard]] bool is_settled() {
    return reactor.run_within([this] { return presence.is_certain(); });
  }

  RedisPresence presence;
};

class Presence : public RedisBusTest {
 protected:
  void SetUp() override {
    RedisBusTest::SetUp();
    if (IsSkipped()) return;
    server_.start();
    ann_ = std::make_unique<PresenceNode>(reactor_, server_.url(), 1);
    ben_ = std::make_unique<PresenceNode>(reactor_, server_.url(), 2);
    ASSERT_TRUE(ann_->comes_up() && ben_->comes_up());
    ASSERT_TRUE(ann_->is_settled() && ben_->is_settled());
  }
  [[nodiscard]] static std::string key_of(const UserId& user) {
    return "uproar:presence:" + user.text();
  }

  services::RedisServer server_;
  std::unique_ptr<PresenceNode> ann_;
  std::unique_ptr<PresenceNode> ben_;
};

TEST_F(Presence, OfAUserIsWhatEachNodeSays) {
  ann_->presence.put(user_of(1), {.devices = 2, .heard_us = 1000});
  ben_->presence.put(user_of(1), {.devices = 1, .heard_us = 2000});
  ASSERT_TRUE(ann_->is_settled() && ben_->is_settled());
  EXPECT_THAT(
      ben_->nodes_of(user_of(1)),
      ElementsAre(NodePresence{.node = node_of(1), .presence = {.devices = 2, .heard_us = 1000}},
                  NodePresence{.node = node_of(2), .presence = {.devices = 1, .heard_us = 2000}}));
  EXPECT_THAT(ben_->nodes_of(user_of(2)), IsEmpty());
  EXPECT_GT(std::stoi(server_.ask({"TTL", key_of(user_of(1))})), 0);

  ann_->presence.put(user_of(1), {.devices = 0, .heard_us = 3000});
  ASSERT_TRUE(wait([&] { return ann_->presence.counters().rows.value() == 0; }));
  EXPECT_THAT(
      ben_->nodes_of(user_of(1)),
      ElementsAre(NodePresence{.node = node_of(2), .presence = {.devices = 1, .heard_us = 2000}}));
  EXPECT_EQ(server_.ask({"HLEN", key_of(user_of(1))}), "1");
}

TEST_F(Presence, IsHeardByWhoWatchesAndByNobodyElse) {
  ASSERT_TRUE(ben_->listens(presence_channel(user_of(1))));
  ann_->presence.put(user_of(2), {.devices = 1, .heard_us = 1});
  ann_->presence.put(user_of(1), {.devices = 3, .heard_us = 5});
  ASSERT_TRUE(wait([&] { return !ben_->hears.messages.empty(); }));
  ASSERT_EQ(ben_->hears.messages.size(), 1U);
  const HeardMessage& heard = ben_->hears.messages[0];
  EXPECT_EQ(heard.channel, presence_channel(user_of(1)));
  EXPECT_EQ(heard.header.kind, kHint);
  EXPECT_EQ(heard.header.node, node_of(1));
  EXPECT_EQ(decode_presence_delta(as_bytes(heard.payload)),
            (PresenceDelta{.devices = 3, .heard_us = 5}));
  EXPECT_THAT(
      ben_->nodes_of(user_of(1)),
      ElementsAre(NodePresence{.node = node_of(1), .presence = {.devices = 3, .heard_us = 5}}));
}

TEST_F(Presence, IsWrittenOnceForAllThatATurnSays) {
  for (std::uint32_t devices = 1; devices <= 5; ++devices)
    ann_->presence.put(user_of(1), {.devices = devices, .heard_us = devices});
  ASSERT_TRUE(ann_->is_settled());
  EXPECT_EQ(ann_->presence.counters().puts.value(), 1U);
  EXPECT_EQ(ben_->nodes_of(user_of(1)).at(0).presence.devices, 5U);
}

TEST_F(Presence, ComesBackByItselfAfterAFlush) {
  for (std::uint64_t i = 0; i < 50; ++i)
    ann_->presence.put(user_of(i), {.devices = 1, .heard_us = 1});
  ASSERT_TRUE(ann_->is_settled());
  ASSERT_TRUE(ben_->listens(presence_channel(user_of(7))));
  ASSERT_EQ(server_.ask({"FLUSHALL"}), "OK");
  ASSERT_TRUE(wait([&] { return ann_->presence.counters().restored.value() == 50; }));
  ASSERT_TRUE(ann_->is_settled());
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_EQ(ben_->nodes_of(user_of(i)).size(), 1U) << i;
  // Who watches may have read while nothing was there.
  ASSERT_TRUE(wait([&] { return !ben_->hears.messages.empty(); }));
  EXPECT_EQ(ben_->hears.messages[0].channel, presence_channel(user_of(7)));
}

TEST_F(Presence, ComesBackByItselfAfterARestartWithWhatWasPutMeanwhile) {
  ann_->presence.put(user_of(1), {.devices = 1, .heard_us = 1});
  ASSERT_TRUE(ann_->is_settled());
  server_.kill_now();
  ASSERT_TRUE(wait([&] { return ann_->bus.state() == BusState::kDown; }));
  EXPECT_FALSE(ann_->presence.is_certain()) << "with nothing to put, too";
  ann_->presence.put(user_of(2), {.devices = 1, .heard_us = 1});
  ann_->presence.put(user_of(1), {.devices = 0, .heard_us = 2});
  ASSERT_TRUE(wait([&] { return !ann_->presence.is_certain(); }));
  const auto meanwhile = ann_->read({user_of(1)});
  ASSERT_FALSE(meanwhile.ok());
  EXPECT_EQ(meanwhile.error(), PresenceError::kUnavailable);
  server_.start();
  ASSERT_TRUE(ben_->comes_up());
  ASSERT_TRUE(ann_->is_settled());
  EXPECT_THAT(ben_->nodes_of(user_of(1)), IsEmpty());
  EXPECT_EQ(ben_->nodes_of(user_of(2)).size(), 1U);
}

// Nobody could know that what is read of ann's users is old.
TEST_F(Presence, IsUncertainWhileTheServerTakesNoWrites) {
  ASSERT_EQ(server_.ask({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  ann_->presence.put(user_of(1), {.devices = 1, .heard_us = 1000});
  ASSERT_TRUE(wait([&] { return ann_->bus.state() == BusState::kUncertain; }));
  EXPECT_THAT(ann_->bus.last_error().text(), ::testing::HasSubstr("OOM"));
  EXPECT_FALSE(ann_->presence.is_certain());
  // A node that has nothing to say finds it out as well: by the key that it looks after.
  ASSERT_TRUE(wait([&] { return ben_->bus.state() == BusState::kUncertain; }));
  ASSERT_EQ(server_.ask({"CONFIG", "SET", "maxmemory", "0"}), "OK");
  ASSERT_TRUE(wait(
      [&] { return ann_->bus.state() == BusState::kUp && ben_->bus.state() == BusState::kUp; }));
  ASSERT_TRUE(ann_->is_settled());
  EXPECT_EQ(ben_->nodes_of(user_of(1)).size(), 1U);
}

TEST_F(Presence, IsUncertainWhileItsUserMayNotWriteRows) {
  ASSERT_EQ(server_.ask({"ACL", "SETUSER", "default", "-hset"}), "OK");
  ann_->presence.put(user_of(1), {.devices = 1, .heard_us = 1000});
  ASSERT_TRUE(wait([&] { return ann_->bus.state() == BusState::kUncertain; }));
  EXPECT_THAT(ann_->bus.last_error().text(), ::testing::HasSubstr("NOPERM"));
  ASSERT_EQ(server_.ask({"ACL", "SETUSER", "default", "+hset"}), "OK");
  ASSERT_TRUE(wait([&] { return ann_->bus.state() == BusState::kUp; }));
  ASSERT_TRUE(ann_->is_settled());
  EXPECT_EQ(ben_->nodes_of(user_of(1)).size(), 1U);
}

TEST_F(Presence, IsToldWhenItIsWrittenAndNotBefore) {
  ASSERT_TRUE(ben_->listens(presence_channel(user_of(1))));
  ASSERT_TRUE(ben_->listens("marker"));
  // Writes are refused and publishes are not.
  ASSERT_EQ(server_.ask({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  ann_->presence.put(user_of(1), {.devices = 1, .heard_us = 1});
  ASSERT_TRUE(wait([&] { return ann_->presence.counters().failures.value() > 0; }));
  ASSERT_TRUE(ann_->reaches(*ben_, "marker", "behind whatever was told"));
  EXPECT_THAT(ben_->hears.payloads_of(presence_channel(user_of(1))), IsEmpty());
  ASSERT_EQ(server_.ask({"CONFIG", "SET", "maxmemory", "0"}), "OK");
  ASSERT_TRUE(wait([&] { return !ben_->hears.payloads_of(presence_channel(user_of(1))).empty(); }));
  EXPECT_EQ(ben_->nodes_of(user_of(1)).size(), 1U);
}

TEST_F(Presence, PassesOverNodesThatDoNotLive) {
  ann_->presence.put(user_of(1), {.devices = 1, .heard_us = 1000});
  ASSERT_TRUE(ann_->is_settled());
  PresenceNode judge(reactor_, server_.url(), 3,
                     [](const NodeId& node) { return node != node_of(1); });
  ASSERT_TRUE(judge.comes_up());
  EXPECT_THAT(judge.nodes_of(user_of(1)), IsEmpty());
  EXPECT_EQ(judge.presence.counters().of_the_dead.value(), 1U);
  EXPECT_EQ(server_.ask({"HLEN", key_of(user_of(1))}), "1") << "it may be new and not listed yet";

  // Somebody who lives and is much younger proves that it is not new.
  ben_->presence.put(
      user_of(1), {.devices = 1, .heard_us = 1000 + std::int64_t{kPresenceKeptS} * 1'000'000 + 1});
  ASSERT_TRUE(ben_->is_settled());
  EXPECT_EQ(judge.nodes_of(user_of(1)).size(), 1U);
  EXPECT_TRUE(wait([&] { return server_.ask({"HLEN", key_of(user_of(1))}) == "1"; }));
}

TEST_F(Presence, SkipsWhatItDidNotWrite) {
  for (const auto& [field, value] : {std::pair("x", "1 1"),
                                     {"00000000-0000-0001-0000-000000000001", "1"},
                                     {"00000000-0000-0001-0000-000000000002", "-1 5"},
                                     {"00000000-0000-0001-0000-000000000003", "1 5x"},
                                     {"00000000-0000-0001-0000-000000000004", "0 5"},
                                     {"00000000-0000-0001-0000-000000000005", "4 5"}})
    (void)server_.ask({"HSET", key_of(user_of(1)), field, value});
  const auto nodes = ben_->nodes_of(user_of(1));
  ASSERT_EQ(nodes.size(), 1U);
  EXPECT_EQ(nodes[0].presence, (PresenceDelta{.devices = 4, .heard_us = 5}));
  ASSERT_EQ(server_.ask({"SET", key_of(user_of(2)), "no hash"}), "OK");
  EXPECT_FALSE(ben_->read({user_of(2)}).ok());
}

TEST_F(Presence, IsToldAgainBeforeItIsForgotten) {
  PresenceNode often(reactor_, server_.url(), 3, {}, 1);
  ASSERT_TRUE(often.comes_up());
  often.presence.put(user_of(1), {.devices = 1, .heard_us = 1});
  ASSERT_TRUE(often.is_settled());
  ASSERT_EQ(server_.ask({"EXPIRE", key_of(user_of(1)), "30"}), "1");
  EXPECT_TRUE(wait([&] { return std::stoi(server_.ask({"TTL", key_of(user_of(1))})) > 30; }));
  EXPECT_GE(often.presence.counters().refreshed.value(), 1U);
}

TEST_F(Presence, AnswersListsInTheirOrderAndRefusesLongOnes) {
  ann_->presence.put(user_of(5), {.devices = 1, .heard_us = 1});
  ASSERT_TRUE(ann_->is_settled());
  const auto answer = ben_->read({user_of(9), user_of(5), user_of(1)});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value()[0].user, user_of(9));
  EXPECT_EQ(answer.value()[1].user, user_of(5));
  EXPECT_EQ(answer.value()[1].nodes.size(), 1U);
  EXPECT_TRUE(ben_->read({}).ok());
  const auto refused = ben_->read(std::vector<UserId>(kPresenceReadUsersMax + 1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), PresenceError::kOverloaded);
}

TEST_F(RedisBusTest, PresenceGoesOnAtTheServersThatAreLeft) {
  services::RedisCluster cluster;
  cluster.start();
  PresenceNode ann(reactor_, cluster.url(), 1);
  PresenceNode ben(reactor_, cluster.url(), 2);
  ASSERT_TRUE(ann.comes_up() && ben.comes_up());
  ASSERT_TRUE(ann.is_settled());
  for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i)
    ASSERT_EQ(cluster.node(i).ask({"CONFIG", "SET", "cluster-require-full-coverage", "no"}), "OK");
  cluster.node(1).kill_now();
  ASSERT_TRUE(wait([&] {
    return ann.bus.commands().servers_up() == 2 && ben.bus.commands().servers_up() == 2;
  }));
  std::vector<UserId> users;
  for (std::uint64_t i = 0; i < 100; ++i) users.push_back(user_of(i));
  for (const UserId& user : users) ann.presence.put(user, {.devices = 1, .heard_us = 1});
  const auto key_of = [](const UserId& user) { return "uproar:presence:" + user.text(); };
  const auto server_of = [&](const UserId& user) {
    return slot_of(key_of(user)) * services::RedisCluster::kNodes / kSlots;
  };
  const auto is_left = [&](const UserId& user) { return server_of(user) != 1; };
  const auto left = std::count_if(users.begin(), users.end(), is_left);
  ASSERT_GT(left, 0);
  ASSERT_LT(left, 100);
  ASSERT_TRUE(wait([&] {
    return std::all_of(users.begin(), users.end(), [&](const UserId& user) {
      return !is_left(user) || cluster.node(server_of(user)).ask({"HLEN", key_of(user)}) == "1";
    });
  }));
  const auto answer = ben.read(users);
  ASSERT_TRUE(answer.ok()) << "those that can be read";
  for (const UserPresence& user : answer.value()) {
    EXPECT_EQ(user.is_known, is_left(user.user));
    EXPECT_EQ(user.nodes.size(), is_left(user.user) ? 1U : 0U);
  }
  EXPECT_FALSE(ann.presence.is_certain());
  cluster.node(1).start();
  ASSERT_TRUE(ann.comes_up() && ben.comes_up());
  ASSERT_TRUE(ann.is_settled());
  const auto whole = ben.read(users);
  ASSERT_TRUE(whole.ok());
  for (const UserPresence& user : whole.value()) EXPECT_EQ(user.nodes.size(), 1U);
}

TEST_F(RedisBusTest, PresenceIsSpreadOverACluster) {
  services::RedisCluster cluster;
  cluster.start();
  PresenceNode ann(reactor_, cluster.url(), 1);
  PresenceNode ben(reactor_, cluster.url(), 2);
  ASSERT_TRUE(ann.comes_up() && ben.comes_up());
  std::vector<UserId> users;
  for (std::uint64_t i = 0; i < 100; ++i) users.push_back(user_of(i));
  for (const UserId& user : users) ann.presence.put(user, {.devices = 1, .heard_us = 1});
  ASSERT_TRUE(ann.is_settled());
  const auto answer = ben.read(users);
  ASSERT_TRUE(answer.ok());
  for (const UserPresence& user : answer.value()) EXPECT_EQ(user.nodes.size(), 1U);
  for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i)
    EXPECT_NE(cluster.node(i).ask({"DBSIZE"}), "0") << i;

  // Each server in turn: whichever has the sentinel, the rows of the others come back, too.
  for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i) {
    cluster.node(i).restart();
    ASSERT_TRUE(reactor_.run_within([&] {
      const std::string size = cluster.node(i).ask({"DBSIZE"});
      return size != "0" && size != "(no answer)";
    }));
    ASSERT_TRUE(ann.comes_up() && ben.comes_up());
    ASSERT_TRUE(ann.is_settled());
    const auto again = ben.read(users);
    ASSERT_TRUE(again.ok());
    for (const UserPresence& user : again.value()) EXPECT_EQ(user.nodes.size(), 1U);
  }
}

}  // namespace
}  // namespace uproar::storage::redis
