// What every bus does, on the hub in memory, on a real Redis and on a real Redis Cluster. Two nodes, `ann` and `ben`,
// in one reactor.

#include <memory>
#include <optional>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/limits.h"
#include "storage/memory/memory_bus.h"
#include "storage/redis/redis_bus.h"
#include "tests/services/redis_server.h"
#include "tests/storage/poll_reactor.h"
#include "tests/storage/recording_bus_listener.h"

namespace uproar::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

const NodeId kAnn(Uuid{.high = 1, .low = 1});
const NodeId kBen(Uuid{.high = 2, .low = 2});

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Bus> connect(Reactor& reactor, BusListener& listener, NodeId node) = 0;
  virtual void go_down() = 0;
  virtual void come_back() = 0;
};

class MemoryBackend : public Backend {
 public:
  std::unique_ptr<Bus> connect(Reactor& reactor, BusListener& listener, NodeId node) override {
    return hub_.connect(reactor, listener, node, 3);
  }
  void go_down() override { hub_.go_down(); }
  void come_back() override { hub_.come_back(); }

 private:
  MemoryBusHub hub_;
};

std::unique_ptr<Bus> connect_to(const std::string& url, Reactor& reactor, BusListener& listener,
                                NodeId node) {
  auto parsed = redis::RedisUrl::parse(url);
  EXPECT_TRUE(parsed.ok());
  return std::make_unique<redis::RedisBus>(
      reactor, listener,
      redis::RedisBusOptions{
          .url = *parsed, .node = node, .shard = 3, .heartbeat_ms = 200, .backoff_ms_max = 200});
}

class RedisBackend : public Backend {
 public:
  RedisBackend() { server_.start(); }
  std::unique_ptr<Bus> connect(Reactor& reactor, BusListener& listener, NodeId node) override {
    return connect_to(server_.url(), reactor, listener, node);
  }
  void go_down() override { server_.kill_now(); }
  void come_back() override { server_.start(); }

 private:
  services::RedisServer server_;
};

class ClusterBackend : public Backend {
 public:
  ClusterBackend() { cluster_.start(); }
  std::unique_ptr<Bus> connect(Reactor& reactor, BusListener& listener, NodeId node) override {
    return connect_to(cluster_.url(), reactor, listener, node);
  }
  void go_down() override {
    for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i) cluster_.node(i).kill_now();
  }
  void come_back() override {
    for (std::size_t i = 0; i < services::RedisCluster::kNodes; ++i) cluster_.node(i).start();
  }

 private:
  services::RedisCluster cluster_;
};

enum class Kind { kMemory, kRedis, kCluster };

class BusContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() != Kind::kMemory && !services::is_installed("redis-server"))
      GTEST_SKIP() << "redis-server is not installed: tools/dev deps --tests";
    switch (GetParam()) {
      case Kind::kMemory:
        backend_ = std::make_unique<MemoryBackend>();
        break;
      case Kind::kRedis:
        backend_ = std::make_unique<RedisBackend>();
        break;
      case Kind::kCluster:
        backend_ = std::make_unique<ClusterBackend>();
        break;
    }
    ann_ = backend_->connect(reactor_, ann_hears_, kAnn);
    ben_ = backend_->connect(reactor_, ben_hears_, kBen);
    ASSERT_TRUE(wait([&] {
      return ann_->state() == BusState::kUp && ben_->state() == BusState::kUp;
    })) << ann_->last_error().text();
  }
  void TearDown() override {
    ann_.reset();
    ben_.reset();
    EXPECT_EQ(reactor_.watched(), 0U);
    EXPECT_EQ(reactor_.armed_timers(), 0U);
  }

  template <class Condition>
  [[nodiscard]] bool wait(Condition condition) {
    return reactor_.run_within(condition);
  }
  void subscribe(Bus& bus, RecordingBusListener& listener, const std::string& channel) {
    const std::size_t before = listener.lives_of(channel);
    bus.subscribe(channel);
    ASSERT_TRUE(wait([&] { return listener.lives_of(channel) > before; })) << channel;
  }
  static PublishResult say(Bus& bus, std::string_view channel, std::string_view text,
                           std::uint64_t seq = 0) {
    return bus.publish(channel, 7, seq, as_bytes(text));
  }

  PollReactor reactor_;
  RecordingBusListener ann_hears_;
  RecordingBusListener ben_hears_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Bus> ann_;
  std::unique_ptr<Bus> ben_;
};

TEST_P(BusContract, CarriesAMessageWithItsHeaderToAnotherNode) {
  const std::string channel = conversation_channel(ConversationId(Uuid{.high = 9, .low = 9}));
  subscribe(*ben_, ben_hears_, channel);
  EXPECT_THAT(ben_hears_.lives, ElementsAre(std::pair(channel, BusGap::kSubscribed)));
  EXPECT_EQ(say(*ann_, channel, "hello", 42), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return !ben_hears_.messages.empty(); }));
  const HeardMessage& heard = ben_hears_.messages.front();
  EXPECT_EQ(heard.channel, channel);
  EXPECT_EQ(heard.payload, "hello");
  EXPECT_EQ(heard.header, (BusHeader{.node = kAnn, .shard = 3, .kind = 7, .seq = 42}));
}

TEST_P(BusContract, BringsNothingBackToTheNodeThatPublished) {
  subscribe(*ann_, ann_hears_, "{x}a");
  subscribe(*ben_, ben_hears_, "{x}a");
  EXPECT_EQ(say(*ann_, "{x}a", "from ann"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return ben_hears_.messages.size() == 1; }));
  EXPECT_EQ(say(*ben_, "{x}a", "from ben"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return !ann_hears_.messages.empty(); }));
  EXPECT_THAT(ann_hears_.payloads_of("{x}a"), ElementsAre("from ben"));
}

TEST_P(BusContract, KeepsTheOrderOfOnePublisher) {
  subscribe(*ben_, ben_hears_, "order");
  std::vector<std::string> said;
  for (int i = 0; i < 1000; ++i) {
    said.push_back(std::to_string(i));
    ASSERT_EQ(say(*ann_, "order", said.back()), PublishResult::kQueued);
  }
  ASSERT_TRUE(wait([&] { return ben_hears_.messages.size() >= 1000; }));
  EXPECT_EQ(ben_hears_.payloads_of("order"), said);
}

TEST_P(BusContract, CarriesAnyBytesUpToItsBoundAndRefusesMore) {
  subscribe(*ben_, ben_hears_, "bytes");
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  const std::string largest(kBusPayloadBytesMax, '\r');
  EXPECT_EQ(say(*ann_, "bytes", every), PublishResult::kQueued);
  EXPECT_EQ(say(*ann_, "bytes", ""), PublishResult::kQueued);
  EXPECT_EQ(say(*ann_, "bytes", largest + "x"), PublishResult::kTooLarge);
  EXPECT_EQ(say(*ann_, "bytes", largest), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return ben_hears_.messages.size() >= 3; }));
  EXPECT_THAT(ben_hears_.payloads_of("bytes"), ElementsAre(every, "", largest));
  EXPECT_EQ(ann_->counters().refused_too_large.value(), 1U);
}

TEST_P(BusContract, IsSilentAboutAChannelThatWasLeftAndAliveAgainOnReturn) {
  subscribe(*ben_, ben_hears_, "{x}a");
  subscribe(*ben_, ben_hears_, "{x}b");
  ben_->unsubscribe("{x}a");
  EXPECT_EQ(say(*ann_, "{x}a", "unheard"), PublishResult::kQueued);
  EXPECT_EQ(say(*ann_, "{x}b", "after it"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return !ben_hears_.payloads_of("{x}b").empty(); }));
  EXPECT_TRUE(ben_hears_.payloads_of("{x}a").empty());

  subscribe(*ben_, ben_hears_, "{x}a");
  EXPECT_EQ(say(*ann_, "{x}a", "heard"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return !ben_hears_.payloads_of("{x}a").empty(); }));
  EXPECT_THAT(ben_hears_.payloads_of("{x}a"), ElementsAre("heard"));
}

TEST_P(BusContract, EndsWithWhatWasWantedLastHoweverOftenThatChanged) {
  for (int i = 0; i < 50; ++i) {
    ben_->subscribe("{x}wanted");
    ben_->unsubscribe("{x}wanted");
    ben_->subscribe("{x}left");
    if (i % 7 == 0) reactor_.turn(0);
    ben_->unsubscribe("{x}left");
    if (i % 5 == 0) reactor_.turn(1);
  }
  ben_hears_.lives.clear();
  subscribe(*ben_, ben_hears_, "{x}wanted");
  EXPECT_EQ(say(*ann_, "{x}left", "unheard"), PublishResult::kQueued);
  EXPECT_EQ(say(*ann_, "{x}wanted", "heard"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return !ben_hears_.messages.empty(); }));
  EXPECT_THAT(ben_hears_.payloads_of("{x}wanted"), ElementsAre("heard"));
  EXPECT_TRUE(ben_hears_.payloads_of("{x}left").empty());
  ASSERT_TRUE(wait([&] { return ben_->counters().channels.value() == 1; }));
}

TEST_P(BusContract, HoldsThousandsOfChannels) {
  constexpr std::size_t kChannels = 6000;
  for (std::size_t i = 0; i < kChannels; ++i) ben_->subscribe("many" + std::to_string(i));
  ASSERT_TRUE(wait([&] { return ben_hears_.lives.size() == kChannels; }));
  for (std::size_t i = 0; i < kChannels; ++i)
    ASSERT_EQ(say(*ann_, "many" + std::to_string(i), std::to_string(i)), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return ben_hears_.messages.size() >= kChannels; }));
  std::set<std::string> channels;
  for (const HeardMessage& message : ben_hears_.messages) {
    EXPECT_EQ(message.channel, "many" + message.payload);
    channels.insert(message.channel);
  }
  EXPECT_THAT(channels, SizeIs(kChannels));
}

TEST_P(BusContract, TellsOfTheGapAfterAnOutageAndThenWorksAgain) {
  subscribe(*ben_, ben_hears_, "{x}a");
  subscribe(*ben_, ben_hears_, "{x}b");
  backend_->go_down();
  ASSERT_TRUE(
      wait([&] { return ann_->state() == BusState::kDown && ben_->state() == BusState::kDown; }));
  EXPECT_FALSE(ben_->last_error().operation.empty());
  EXPECT_EQ(say(*ann_, "{x}a", "into the void"), PublishResult::kDown);
  ben_->unsubscribe("{x}b");
  ben_->subscribe("{x}c");

  backend_->come_back();
  ASSERT_TRUE(wait([&] {
    return ben_hears_.was_live("{x}a", BusGap::kReconnected) && ben_hears_.lives_of("{x}c") == 1 &&
           ann_hears_.was_lost("{x}a");
  }));
  EXPECT_TRUE(ben_hears_.was_live("{x}c", BusGap::kSubscribed));
  EXPECT_EQ(ben_hears_.lives_of("{x}b"), 1U);
  EXPECT_FALSE(ann_hears_.lost_all);
  EXPECT_EQ(say(*ann_, "{x}a", "back"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return !ben_hears_.payloads_of("{x}a").empty(); }));
  EXPECT_THAT(ben_hears_.payloads_of("{x}a"), ElementsAre("back"));
  ASSERT_TRUE(wait([&] { return ben_->state() == BusState::kUp; }));
  EXPECT_GE(ben_->counters().gaps.value(), 1U);
}

TEST_P(BusContract, SaysWhichPublishesAreInDoubtOrThatAllAre) {
  backend_->go_down();
  ASSERT_TRUE(wait([&] { return ann_->state() == BusState::kDown; }));
  const std::size_t more = GetParam() == Kind::kMemory ? 10 : kBusInDoubtChannelsMax + 1;
  for (std::size_t i = 0; i < more; ++i)
    EXPECT_EQ(say(*ann_, "d" + std::to_string(i), "x"), PublishResult::kDown);
  EXPECT_TRUE(ann_hears_.lost.empty()) << "told while nothing can be done about it";
  backend_->come_back();
  ASSERT_TRUE(wait([&] { return ann_hears_.lost_all || ann_hears_.lost.size() == more; }));
  EXPECT_EQ(ann_hears_.lost_all, GetParam() != Kind::kMemory);
}

TEST_P(BusContract, IsSettledWhenItsServerHasAllAndNothingIsInDoubt) {
  ASSERT_TRUE(wait([&] { return ann_->is_settled(); }));
  ASSERT_EQ(say(*ann_, "a", "x"), PublishResult::kQueued);
  ASSERT_TRUE(wait([&] { return ann_->is_settled(); })) << "it was answered";
  backend_->go_down();
  ASSERT_TRUE(wait([&] { return ann_->state() == BusState::kDown; }));
  EXPECT_TRUE(ann_->is_settled()) << "nothing was said meanwhile";
  EXPECT_EQ(say(*ann_, "a", "y"), PublishResult::kDown);
  EXPECT_FALSE(ann_->is_settled());
  backend_->come_back();
  ASSERT_TRUE(wait([&] { return ann_hears_.was_lost("a"); }));
  EXPECT_TRUE(wait([&] { return ann_->is_settled(); }));
}

INSTANTIATE_TEST_SUITE_P(Kinds, BusContract,
                         ::testing::Values(Kind::kMemory, Kind::kRedis, Kind::kCluster),
                         [](const auto& kind) {
                           return std::string(kind.param == Kind::kMemory  ? "Memory"
                                              : kind.param == Kind::kRedis ? "Redis"
                                                                           : "RedisCluster");
                         });

}  // namespace
}  // namespace uproar::storage
