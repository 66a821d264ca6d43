#pragma once

// What ties one shard to the other nodes: its bus and, on one shard of the process, the watch over which nodes there
// are. Everything happens on the shard's thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/chat/chat_shard.h"
#include "core/server/cluster.h"
#include "core/server/node_watch.h"
#include "core/server/redis_claims.h"
#include "core/server/roll_call.h"
#include "core/server/shard_bus.h"
#include "core/server/shard_presence.h"
#include "proto/base/now.h"
#include "storage/bus.h"
#include "storage/presence_store.h"
#include "storage/reactor.h"
#include "storage/redis/redis_bus.h"

namespace uproar::server {

// The shard that keeps the watch.
inline constexpr std::uint32_t kWatchingShard = 0;

class NodeLink final : private ShardBus::Hearer {
 public:
  // What concerns more than the domain. Called on the shard's thread.
  class Listener {
   public:
    virtual ~Listener() = default;
    // On the watching shard alone; as NodeWatch::Changed.
    virtual void on_nodes(const gateway::NodesSeen& seen) = 0;
    virtual void on_revoked(const gateway::SessionRevoked& revoked) = 0;
    // Sessions may have ended, or may end from now on, of which this shard hears nothing: the store knows them.
    virtual void on_revocations_missed() = 0;
  };

  // Begins to connect. All but `cluster` outlive the link; `now` is the turn's.
  NodeLink(storage::Reactor& reactor, const Cluster& cluster, std::uint32_t shard, const Now& now,
           Listener& listener);
  ~NodeLink() override;

  // Before the shard's next turn: who hears what other nodes say, and who knows which of them commit (null: nobody).
  void attach(chat::ChatShard& chat, storage::NodesAtWork* store) {
    chat_ = &chat;
    presence_.attach(chat);
    if (watch_) watch_->attach(store);
    if (watch_ && store != nullptr) open_roll_call(*store);
  }
  // Ends all connections, on the shard's thread while its ring still works. What is said afterwards goes nowhere.
  void close();

  // Null once it is closed.
  [[nodiscard]] gateway::TicketClaims* ticket_claims() { return claims_.get(); }
  // What the domain and its outbox speak into.
  [[nodiscard]] ShardBus& ports() { return ports_; }
  [[nodiscard]] ShardPresence& presence() { return presence_; }
  // What the watch tells every shard.
  void on_nodes(const gateway::NodesSeen& seen) { presence_.on_nodes(seen.nodes, seen.is_current); }
  // At the end of the turn.
  void flush();

  // Everything that this shard needs is reached; if not, why_not().
  [[nodiscard]] bool is_ready() const;
  [[nodiscard]] SystemError why_not() const;
  [[nodiscard]] storage::BusState bus_state() const { return bus_->state(); }
  // The other nodes have been told all that this shard has to say.
  [[nodiscard]] bool has_told_all() const;
  // Null on all shards but one.
  [[nodiscard]] NodeWatch* watch() { return watch_.get(); }
  // The nodes that work on the same store, when none of them shares the bus. Empty: that is not known.
  [[nodiscard]] std::string strangers_to_bus() const {
    return roll_call_ ? roll_call_->strangers() : "";
  }

  // From any thread. What these give stays while this is held; null: closed, or not on this shard.
  [[nodiscard]] std::unique_lock<std::mutex> hold_counters() const {
    return std::unique_lock(closing_);
  }
  [[nodiscard]] const storage::BusCounters* bus_counters() const;
  [[nodiscard]] const storage::PresenceCounters* presence_counters() const {
    return presence_.counters();
  }
  [[nodiscard]] const storage::DiscoveryCounters* discovery_counters() const;
  [[nodiscard]] const UnlistedNodeCounters* unlisted_counters() const;
  [[nodiscard]] const RollCallCounters* roll_call_counters() const {
    return roll_call_ ? &roll_call_->counters() : nullptr;
  }
  [[nodiscard]] const ShardBusCounters& counters() const { return ports_.counters(); }

 private:
  void open_roll_call(storage::NodesAtWork& store);
  [[nodiscard]] std::unique_ptr<storage::Bus> open_bus(storage::Reactor& reactor,
                                                       const Cluster& cluster);
  [[nodiscard]] std::unique_ptr<storage::PresenceStore> open_presence(storage::Reactor& reactor,
                                                                      const Cluster& cluster,
                                                                      PresenceSetup setup);

  void on_node_event(const chat::TopicId& topic, Seq seq, chat::ServerEvent event,
                     ByteView payload) override;
  void on_node_hint(const chat::TopicId& topic, const chat::NodeHint& hint) override;
  void on_listening(const chat::TopicId& topic) override;
  void on_gap() override;
  void on_publish_lost(const chat::TopicId& topic) override;
  void on_presence(UserId user, const storage::BusMessage& message) override {
    presence_.on_message(user, message);
  }
  void on_presence_listening(UserId user) override { presence_.on_listening(user); }
  void on_presence_lost(UserId user) override { presence_.on_publish_lost(user); }
  void on_nodes_poked() override;
  void on_roll_call(const storage::NodeId& node, bool asks) override;
  void on_revoked(const gateway::SessionRevoked& revoked) override;
  void on_revocations_missed() override;
  void on_bus_state(storage::BusState state) override;

  mutable std::mutex closing_;  // held by who reads counters from another thread, and by close()
  storage::Reactor& reactor_;
  const std::uint32_t shard_;
  const storage::NodeId self_;
  const Now& now_;
  Listener& listener_;
  chat::ChatShard* chat_ = nullptr;
  ShardBus ports_;
  storage::redis::RedisBus* over_redis_ = nullptr;  // the bus, unless the cluster brings its own
  std::unique_ptr<storage::Bus> bus_;
  std::unique_ptr<RedisClaims> claims_;
  ShardPresence presence_;               // on the bus's connections, as the watch
  std::unique_ptr<NodeWatch> watch_;     // on the bus's connections: dies before it
  std::unique_ptr<RollCall> roll_call_;  // with the watch
};

}  // namespace uproar::server
