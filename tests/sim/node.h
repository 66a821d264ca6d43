#pragma once

// A node as the process has it: server::Shard by shard, with what server::Server would give them. Killing it destroys
// them where they stand.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/gateway/login_limits.h"
#include "core/runtime/blocking_pool.h"
#include "core/server/cluster.h"
#include "core/server/config.h"
#include "core/server/departure.h"
#include "core/server/shard.h"
#include "core/server/shard_router.h"
#include "core/server/start_gate.h"
#include "tests/sim/kernel.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_store.h"

namespace uproar::sim {

inline constexpr std::string_view kAuthKey = "a key that all nodes share: 32 bytes or more";

class Node {
 public:
  struct Options {
    SimNetwork* network = nullptr;  // null: it is alone
    std::uint32_t number = 0;
    std::uint32_t shards = 1;
    std::uint64_t life = 1;  // counts how often it was started
    std::function<void(net::NetOptions&, chat::ChatLimits&)> tune;
  };

  // Starts it.
  Node(Kernel& kernel, SimStore& store, Options options);
  ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(shards_.size()); }
  [[nodiscard]] server::Shard& shard(std::uint32_t index) { return *shards_[index]; }
  // As on SIGTERM: it drains, tells the others what they have not heard, and leaves them.
  void begin_to_leave();
  [[nodiscard]] bool is_leaving() const { return departure_.has_value(); }
  // Its process would end now.
  [[nodiscard]] bool is_over();

 private:
  // What the cluster opens for a shard of this node.
  class Services final : public server::ClusterServices {
   public:
    Services(SimNetwork* network, std::uint32_t number, storage::NodeId id)
        : network_(network), number_(number), id_(id) {}
    std::unique_ptr<storage::Bus> open_bus(storage::Reactor& reactor,
                                           storage::BusListener& listener,
                                           std::uint32_t shard) override {
      return network_->open_bus(number_, id_, static_cast<std::uint16_t>(shard), reactor, listener);
    }
    std::unique_ptr<storage::Discovery> open_discovery(
        storage::Reactor& reactor, storage::DiscoveryListener& listener) override {
      return network_->open_discovery(number_, reactor, listener);
    }
    std::unique_ptr<storage::PresenceStore> open_presence(storage::Reactor& reactor,
                                                          storage::Bus& bus, std::uint32_t,
                                                          server::PresenceSetup setup) override {
      return network_->open_presence(id_, reactor, bus, std::move(setup));
    }

   private:
    SimNetwork* network_;
    std::uint32_t number_;
    storage::NodeId id_;
  };

  Kernel& kernel_;
  server::Config config_;
  SimNodeStore store_;
  Services services_;
  server::Cluster cluster_;
  server::StartGate gate_;
  runtime::BlockingPool pool_{{.threads = 0}};  // nobody logs in with a password
  server::PasswordLine passwords_{pool_};
  server::MailboxGrid grid_;
  gateway::LoginLimits login_limits_;
  std::atomic<bool> draining_{false};
  server::ShardEnvironment environment_;
  std::vector<std::unique_ptr<server::Shard>> shards_;
  std::optional<server::Departure> departure_;
};

}  // namespace uproar::sim
