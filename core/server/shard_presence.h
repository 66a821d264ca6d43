#pragma once

// Who is connected at which node, as one shard says and hears it: chat::PresenceExchange over the presence store and the
// users' channels of the shard's bus. Everything happens on the shard's thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/chat/chat_shard.h"
#include "core/chat/ports.h"
#include "core/server/cluster.h"
#include "proto/base/now.h"
#include "storage/bus.h"
#include "storage/bus_envelope.h"
#include "storage/node_record.h"
#include "storage/presence_store.h"

namespace uproar::server {

class ShardPresence final : public chat::PresenceExchange {
 public:
  using OpenStore = std::function<std::unique_ptr<storage::PresenceStore>(PresenceSetup setup)>;

  // `open_store` is called once, here. The bus outlives it or its close(); `now` is the turn's.
  ShardPresence(storage::Bus& bus, storage::NodeId self, const Now& now,
                const OpenStore& open_store);
  ~ShardPresence() override;

  // Before the shard's next turn.
  void attach(chat::ChatShard& chat) { chat_ = &chat; }
  // Before the bus ends. What is put afterwards goes nowhere.
  void close();

  // --- what is heard ---
  void on_message(UserId user, const storage::BusMessage& message);
  void on_listening(UserId user) { chat_->on_presence_listening(user, now_); }
  void on_publish_lost(UserId user) { chat_->on_presence_lost(user, now_); }
  void on_bus_state(storage::BusState state);
  // All that live, by id, and whether that is known. Until the first time everybody counts as alive.
  void on_nodes(const std::vector<storage::NodeRecord>& nodes, bool is_current);

  // chat::PresenceExchange
  void put(UserId user, const storage::PresenceDelta& presence) override;
  void read(std::vector<UserId> users, storage::PresenceStore::Found found) override;
  void watch(UserId user) override;
  void unwatch(UserId user) override;

  // Null once it is closed.
  [[nodiscard]] const storage::PresenceCounters* counters() const {
    return store_ ? &store_->counters() : nullptr;
  }

 private:
  [[nodiscard]] bool is_live(const storage::NodeId& node) const;
  void tell_certainty();

  const storage::NodeId self_;
  const Now& now_;
  storage::Bus* bus_;
  chat::ChatShard* chat_ = nullptr;
  std::vector<storage::NodeId> others_;  // that live, in order
  bool knows_nodes_ = false;
  bool knows_who_lives_ = true;
  bool hears_others_ = false;
  std::unique_ptr<storage::PresenceStore> store_;
};

}  // namespace uproar::server
