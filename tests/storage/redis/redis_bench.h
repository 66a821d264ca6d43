#pragma once

// Two nodes on one Redis, in one reactor: what the fault tests begin with.

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "storage/redis/redis_bus.h"
#include "tests/services/redis_server.h"
#include "tests/storage/poll_reactor.h"
#include "tests/storage/recording_bus_listener.h"

namespace uproar::storage::redis {

// A dead server is found after three silent heartbeats: 300 ms here.
inline RedisBusOptions bus_options(const std::string& url, std::uint64_t node) {
  auto parsed = RedisUrl::parse(url);
  EXPECT_TRUE(parsed.ok()) << url;
  return {.url = *parsed,
          .node = NodeId(Uuid{.high = node, .low = node}),
          .shard = 0,
          .heartbeat_ms = 100,
          .backoff_ms_min = 10,
          .backoff_ms_max = 100};
}

struct BusNode {
  BusNode(PollReactor& the_reactor, const std::string& url, std::uint64_t id)
      : reactor(the_reactor), bus(the_reactor, hears, bus_options(url, id)) {}

  [[nodiscard]] bool comes_up() {
    return reactor.run_within([this] { return bus.state() == BusState::kUp; });
  }
  [[nodiscard]] bool listens(const std::string& channel) {
    const std::size_t before = hears.lives_of(channel);
    bus.subscribe(channel);
    return reactor.run_within([&] { return hears.lives_of(channel) > before; });
  }
  PublishResult say(std::string_view channel, std::string_view text) {
    return bus.publish(channel, 1, 0, as_bytes(text));
  }
  // Says it and waits until `hearer` has it.
  [[nodiscard]] bool reaches(BusNode& hearer, const std::string& channel, std::string_view text) {
    const std::size_t before = hearer.hears.payloads_of(channel).size();
    if (say(channel, text) != PublishResult::kQueued) return false;
    return reactor.run_within([&] { return hearer.hears.payloads_of(channel).size() > before; });
  }

  PollReactor& reactor;
  RecordingBusListener hears;
  RedisBus bus;
};

class RedisBusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!services::is_installed("redis-server"))
      GTEST_SKIP() << "redis-server is not installed: tools/dev deps --tests";
  }
  template <class Condition>
  [[nodiscard]] bool wait(Condition condition) {
    return reactor_.run_within(condition);
  }

  PollReactor reactor_;
};

}  // namespace uproar::storage::redis
