#pragma once

// What ties one shard to the other nodes: its bus and, on one shard of the process, the watch over which nodes there
// are. Everything happens on the shard's thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/chat/chat_shard.h"
#include "core/server/cluster.h"
#include "core/server/node_watch.h"
#include "core/server/shard_bus.h"
#include "proto/base/now.h"
#include "storage/reactor.h"
#include "storage/redis/redis_bus.h"

namespace uproar::server {

// The shard that keeps the watch.
inline constexpr std::uint32_t kWatchingShard = 0;

class NodeLink final : private ShardBus::Hearer {
 public:
  // Begins to connect. `changed` is told of nodes on the watching shard alone. All but `cluster` outlive the link; `now`
  // is the turn's.
  NodeLink(storage::Reactor& reactor, const Cluster& cluster, std::uint32_t shard, const Now& now,
           NodeWatch::Changed changed);
  ~NodeLink() override;

  // Before the shard's next turn: who hears what other nodes say.
  void attach(chat::ChatShard& chat) { chat_ = &chat; }
  // Ends all connections, on the shard's thread while its ring still works. What is said afterwards goes nowhere.
  void close();

  // What the domain and its outbox speak into.
  [[nodiscard]] ShardBus& ports() { return ports_; }
  // At the end of the turn.
  void flush();

  // Everything that this shard needs is reached; if not, why_not().
  [[nodiscard]] bool is_ready() const;
  [[nodiscard]] SystemError why_not() const;
  [[nodiscard]] storage::BusState bus_state() const { return bus_->state(); }
  // Whatever was published has left, or never will.
  [[nodiscard]] bool is_idle() const;
  // Null on all shards but one.
  [[nodiscard]] NodeWatch* watch() { return watch_.get(); }

  // Read from any thread until close().
  [[nodiscard]] const storage::BusCounters& bus_counters() const { return bus_->counters(); }
  [[nodiscard]] const ShardBusCounters& counters() const { return ports_.counters(); }
  [[nodiscard]] const storage::DiscoveryCounters* discovery_counters() const;

 private:
  void on_node_event(const chat::TopicId& topic, Seq seq, chat::ServerEvent event,
                     ByteView payload) override;
  void on_node_hint(const chat::TopicId& topic, const chat::NodeHint& hint) override;
  void on_listening(const chat::TopicId& topic) override;
  void on_gap() override;
  void on_publish_lost(const chat::TopicId& topic) override;
  void on_nodes_poked() override;
  void on_bus_state(storage::BusState state) override;

  const std::uint32_t shard_;
  const Now& now_;
  chat::ChatShard* chat_ = nullptr;
  ShardBus ports_;
  std::unique_ptr<storage::redis::RedisBus> bus_;
  std::unique_ptr<NodeWatch> watch_;  // on the bus's connections: dies before it
};

}  // namespace uproar::server
