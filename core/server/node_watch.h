#pragma once

// The nodes of the cluster, this one among them, over etcd or Redis. One shard of the process has it, and tells the
// others what changes.

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/gateway/shard_parcel.h"
#include "core/server/cluster.h"
#include "core/server/unlisted_nodes.h"
#include "storage/discovery.h"
#include "storage/reactor.h"
#include "storage/redis/redis_bus.h"
#include "storage/redis/redis_discovery.h"

namespace uproar::server {

class NodeWatch final : private storage::DiscoveryListener {
 public:
  using Changed = std::function<void(const gateway::NodesSeen& seen)>;

  // Begins to register and to look. `reactor` and `bus` outlive it; it dies on the shard's thread. `bus`: null
  // where the cluster brings services of its own.
  NodeWatch(storage::Reactor& reactor, storage::redis::RedisBus* bus, const Cluster& cluster,
            Changed changed);
  ~NodeWatch() override;
  NodeWatch(const NodeWatch&) = delete;
  NodeWatch& operator=(const NodeWatch&) = delete;

  // Nodes that the list takes for dead are looked for in the store as well. Null: it does not know. `store` outlives
  // the watch, or its last turn.
  void attach(storage::NodesAtWork* store);
  // Somebody said over the bus that the list has changed.
  void poke();
  // It can be spoken over again: what it did not take, it is told now.
  void bus_is_up();
  // Takes nobody new from now on, and says so.
  void announce_draining();
  // Leaves for good: the others need not fear that anything is missing. `done` runs later, within a lease.
  void withdraw(std::function<void()> done);

  // A node that signs with another key: its clients' tokens are worth nothing here. Null: none that is known of.
  [[nodiscard]] const storage::NodeRecord* stranger() const;
  // The others can see this node, and it sees them.
  [[nodiscard]] bool is_ready() const;
  [[nodiscard]] const std::vector<storage::NodeRecord>& nodes() const {
    return discovery_->nodes();
  }
  // nodes(), for those who ask while the watch lives.
  using Listed = std::function<const std::vector<storage::NodeRecord>&()>;
  [[nodiscard]] Listed listed() const;
  [[nodiscard]] const storage::Discovery& discovery() const { return *discovery_; }
  // Null: the store does not know its nodes.
  [[nodiscard]] const UnlistedNodes* unlisted() const { return unlisted_.get(); }

 private:
  void on_node_joined(const storage::NodeRecord& record) override;
  void on_node_changed(const storage::NodeRecord& record) override;
  void on_node_gone(const storage::NodeRecord& record, storage::NodeEnd end) override;
  void on_registered() override;
  void on_lease_lost() override;
  void on_discovery_state(storage::DiscoveryState state) override;
  void on_record_ignored(std::string_view key, std::string_view why) override;

  [[nodiscard]] bool is_stranger(const storage::NodeRecord& record) const;
  void tell(bool may_have_missed);
  // A list that stands still for less than a lease knows all that it would know otherwise: nobody is dead sooner.
  void list_moves();
  void list_stands();

  storage::Reactor& reactor_;
  const std::uint32_t lease_ms_;
  storage::NodeRecord self_;
  const Changed changed_;
  bool is_registered_ = false;
  bool is_current_ = true;
  std::optional<storage::Reactor::TimerId> standing_;  // until the list is not current
  std::unique_ptr<storage::Discovery> discovery_;
  storage::redis::RedisDiscovery* over_redis_ = nullptr;  // the same, unless etcd has the list
  std::unique_ptr<UnlistedNodes> unlisted_;
};

}  // namespace uproar::server
