// What a shard is told of other nodes that join, leave and die: by a list and a store that the test speaks for.
#include "core/server/node_watch.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/node_list.h"
#include "tests/storage/manual_reactor.h"

namespace uproar::server {
namespace {

using storage::NodeDigest;
using storage::NodeId;
using storage::NodeRecord;
using storage::NodeState;
using testing::ElementsAre;
using testing::IsEmpty;

NodeRecord record(std::uint64_t n, NodeState state = NodeState::kLive) {
  return {.id = NodeId(Uuid{.high = 0x0190'0000'0000'7000ULL, .low = n}),
          .name = "n" + std::to_string(n),
          .url = "ws://n",
          .state = state};
}

class HandDiscovery final : public storage::Discovery {
 public:
  explicit HandDiscovery(storage::DiscoveryListener& listener)
      : listener_(listener), list_(listener, counters_) {}
  [[nodiscard]] storage::NodeList& list() { return list_; }
  void announce(const NodeRecord& self) override { list_.seen(self); }
  void withdraw(std::function<void()> done) override { done(); }
  [[nodiscard]] const std::vector<NodeRecord>& nodes() const override { return list_.nodes(); }
  [[nodiscard]] storage::DiscoveryState state() const override { return state_; }
  void become(storage::DiscoveryState state) {
    state_ = state;
    listener_.on_discovery_state(state);
  }
  [[nodiscard]] const SystemError& last_error() const override { return error_; }
  [[nodiscard]] const storage::DiscoveryCounters& counters() const override { return counters_; }

 private:
  storage::DiscoveryListener& listener_;
  storage::DiscoveryState state_ = storage::DiscoveryState::kUp;
  storage::DiscoveryCounters counters_;
  SystemError error_;
  storage::NodeList list_;
};

class HandServices final : public ClusterServices {
 public:
  std::unique_ptr<storage::Bus> open_bus(storage::Reactor&, storage::BusListener&,
                                         std::uint32_t) override {
    return nullptr;
  }
  std::unique_ptr<storage::Discovery> open_discovery(
      storage::Reactor&, storage::DiscoveryListener& listener) override {
    auto made = std::make_unique<HandDiscovery>(listener);
    discovery = made.get();
    return made;
  }
  std::unique_ptr<storage::PresenceStore> open_presence(storage::Reactor&, storage::Bus&,
                                                        std::uint32_t, PresenceSetup) override {
    return nullptr;
  }
  HandDiscovery* discovery = nullptr;
};

class HandStore final : public storage::NodesAtWork {
 public:
  void find_nodes_at_work(storage::Done<std::vector<NodeDigest>> done) override {
    asked.push_back(std::move(done));
  }
  void answer(std::vector<NodeDigest> digests) {
    ASSERT_FALSE(asked.empty());
    auto done = std::move(asked.front());
    asked.pop_front();
    done(std::move(digests));
  }
  std::deque<storage::Done<std::vector<NodeDigest>>> asked;
};

class NodeWatchTest : public testing::Test {
 protected:
  NodeWatchTest() {
    list().seen(record(2));
    told.clear();
  }
  storage::NodeList& list() { return services.discovery->list(); }

  storage::ManualReactor reactor;
  HandServices services;
  HandStore store;
  std::vector<std::string> told;
  NodeWatch watch{reactor, nullptr,
                  Cluster{.redis = {},
                          .etcd_urls = {},
                          .lease_ms = 10'000,
                          .self = record(1),
                          .services = &services},
                  [this](const gateway::NodesSeen& seen) {
                    told.push_back(std::to_string(seen.nodes.size()) +
                                   (seen.may_have_missed ? " and a look" : "") +
                                   (seen.is_current ? "" : " perhaps"));
                  }};
};

TEST_F(NodeWatchTest, ADeathIsToldAtOnceAndTheLookComesWithWhatTheStoreSays) {
  watch.attach(&store);
  store.answer({});
  list().gone(record(2).id);
  EXPECT_THAT(told, ElementsAre("1"));
  store.answer({node_digest(record(2).id)});
  EXPECT_THAT(told, ElementsAre("1", "1 and a look"));
  told.clear();
  reactor.advance(10'000);
  store.answer({});
  EXPECT_THAT(told, ElementsAre("1 and a look")) << "once more, when it has ended";
  EXPECT_EQ(watch.unlisted()->counters().second_looks.value(), 1U);
}

TEST_F(NodeWatchTest, OverAStoreThatDoesNotKnowItsNodesTheLookComesAtOnce) {
  watch.attach(nullptr);
  list().gone(record(2).id);
  EXPECT_THAT(told, ElementsAre("1 and a look"));
  EXPECT_EQ(watch.unlisted(), nullptr);
}

TEST_F(NodeWatchTest, WhoLeavesHasToldEverything) {
  watch.attach(&store);
  store.answer({});
  list().seen(record(2, NodeState::kLeaving));
  list().gone(record(2).id);
  EXPECT_THAT(told, ElementsAre("1"));
  EXPECT_THAT(store.asked, IsEmpty());
}

TEST_F(NodeWatchTest, AListThatStandsIsCurrentForALease) {
  services.discovery->become(storage::DiscoveryState::kDown);
  reactor.advance(6'000);
  services.discovery->become(storage::DiscoveryState::kUncertain);
  services.discovery->become(storage::DiscoveryState::kDown);
  reactor.advance(3'999);
  EXPECT_THAT(told, IsEmpty());
  reactor.advance(1);
  EXPECT_THAT(told, ElementsAre("2 perhaps"));
  services.discovery->become(storage::DiscoveryState::kUncertain);
  EXPECT_THAT(told, ElementsAre("2 perhaps"));
  services.discovery->become(storage::DiscoveryState::kUp);
  EXPECT_THAT(told, ElementsAre("2 perhaps", "2"));

  services.discovery->become(storage::DiscoveryState::kDown);
  services.discovery->become(storage::DiscoveryState::kUp);
  reactor.advance(20'000);
  EXPECT_THAT(told, ElementsAre("2 perhaps", "2")) << "a short one is nobody's business";
}

}  // namespace
}  // namespace uproar::server
