#pragma once

// The bus as one shard uses it: what its domain says to other nodes and what its outbox publishes to them, into
// storage::Bus; and what that hears, decoded, to the shard.
//
// Hot path: per event to or from another node. Budget: two allocations (the channel's name, and the strings of the
// decoded event), no copy of the payload but the two that the bus makes.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/chat/ports.h"
#include "core/gateway/shard_parcel.h"
#include "proto/base/counters.h"
#include "proto/chat/server_event_decoder.h"
#include "storage/bus.h"

namespace uproar::server {

// Written on the shard's thread, read from any.
struct ShardBusCounters {
  Counter
      undecodable;  // events and hints that this version does not understand: the store has what they said
  Counter unknown;     // messages of a kind or on a channel that this version does not know
  Counter gaps_told;   // times the other nodes were told that anything may be missing
  Counter gaps_heard;  // times that one of them said so, or may have
};

class ShardBus final : public chat::NodeBus,
                       public gateway::NodePublisher,
                       public storage::BusListener {
 public:
  // Called on the shard's thread, from inside the bus's callbacks. Views die on return.
  class Hearer {
   public:
    virtual ~Hearer() = default;
    // As ChatShard's calls of these names.
    virtual void on_node_event(const chat::TopicId& topic, Seq seq, chat::ServerEvent event,
                               ByteView payload) = 0;
    virtual void on_node_hint(const chat::TopicId& topic, const chat::NodeHint& hint) = 0;
    virtual void on_listening(const chat::TopicId& topic) = 0;
    virtual void on_gap() = 0;
    virtual void on_publish_lost(const chat::TopicId& topic) = 0;
    virtual void on_presence(UserId user, const storage::BusMessage& message) = 0;
    virtual void on_presence_listening(UserId user) = 0;
    virtual void on_presence_lost(UserId user) = 0;
    // Another node has joined, left or changed, or may have.
    virtual void on_nodes_poked() = 0;
    // A node spoke in a roll call; `asks`: whoever hears it is to answer.
    virtual void on_roll_call(const storage::NodeId& node, bool asks) = 0;
    // A session has ended at another node; or some may have, of which nothing was heard: the store knows them.
    virtual void on_revoked(const gateway::SessionRevoked& revoked) = 0;
    virtual void on_revocations_missed() = 0;
    virtual void on_bus_state(storage::BusState state) = 0;
  };

  // `hearer` outlives it.
  explicit ShardBus(Hearer& hearer) : hearer_(hearer) {}

  // Before anything is said. The bus has this object as its listener, and lives until disconnect().
  void connect(storage::Bus& bus);
  // What is said from now on goes nowhere.
  void disconnect() { bus_ = nullptr; }
  // Takes part in roll calls from now on: on one shard of the process.
  void join_roll_call();
  void call_roll();
  void answer_roll_call();
  // Listens to everything that concerns all shards, so that nothing can be missed unknowingly.
  [[nodiscard]] bool is_live() const { return hears_gaps_ && hears_revocations_; }
  [[nodiscard]] const ShardBusCounters& counters() const { return counters_; }

  // chat::NodeBus
  void listen(const chat::TopicId& topic) override;
  void unlisten(const chat::TopicId& topic) override;
  void hint(const chat::TopicId& topic, const chat::NodeHint& hint) override;
  // gateway::NodePublisher
  void publish(const chat::TopicId& topic, Seq seq, ByteView payload) override;
  void publish_revoked(const gateway::SessionRevoked& revoked) override;
  // storage::BusListener
  void on_bus_message(std::string_view channel, const storage::BusMessage& message) override;
  void on_bus_live(std::string_view channel, storage::BusGap gap) override;
  void on_publish_lost(std::span<const std::string> channels, bool all) override;
  void on_bus_state(storage::BusState state) override { hearer_.on_bus_state(state); }

 private:
  void heard_event(const chat::TopicId& topic, const storage::BusMessage& message);
  void heard_revocation(const storage::BusMessage& message);
  void heard_gap();
  void tell_gap();

  Hearer& hearer_;
  storage::Bus* bus_ = nullptr;
  bool hears_gaps_ = false;
  bool hears_revocations_ = false;
  chat::ServerEventDecoder decoder_;
  ShardBusCounters counters_;
};

}  // namespace uproar::server
