#pragma once

// One shard, wired: net, gateway, domain and store client on one thread, driven by one loop. READ FIRST in this
// folder, then server.h.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/chat/chat_shard.h"
#include "core/gateway/accounts.h"
#include "core/gateway/event_gateway.h"
#include "core/gateway/event_outbox.h"
#include "core/gateway/health_gateway.h"
#include "core/gateway/login_address.h"
#include "core/gateway/rest_gateway.h"
#include "core/gateway/revocations.h"
#include "core/net/shard_net.h"
#include "core/runtime/shard_thread.h"
#include "core/server/clock_watch.h"
#include "core/server/cluster.h"
#include "core/server/config.h"
#include "core/server/latest.h"
#include "core/server/node_link.h"
#include "core/server/password_pool.h"
#include "core/server/random_ids.h"
#include "core/server/ring_reactor.h"
#include "core/server/shard_router.h"
#include "core/server/start_gate.h"
#include "core/server/store_watch.h"
#include "storage/batch_writer.h"
#include "storage/store.h"

namespace uproar::server {

// What shards are given by the process; outlives them.
struct ShardEnvironment {
  const Config& config;
  storage::Store& store;
  PasswordLine& passwords;
  gateway::LoginLimits& login_limits;  // of the node, under its own lock
  auth::Secret auth_key;
  std::string jwks_document;  // empty: no external issuer
  const std::atomic<bool>& draining;
  std::shared_ptr<StoreWatch> store_watch = std::make_shared<StoreWatch>(store);
  storage::NodeRecord self = {};
  gateway::LoginAddress login_address = {{}, "ws://localhost"};
  const Cluster* cluster = nullptr;  // null: this node is alone
  StartGate* gate = nullptr;         // null: no shard needs more than the store
  // Told by the watching shard, on its thread, which nodes there are; empty: nobody asks.
  std::function<void(const std::vector<storage::NodeRecord>&)> on_nodes = {};
  // Has the last word on the bounds that are made of `config`. For simulations, where bounds are to be met; else empty.
  std::function<void(net::NetOptions&, chat::ChatLimits&)> tune = {};
};

class Shard final : public runtime::TurnHandler, public net::Handler {
 public:
  // `listen_fd` is this shard's own listener; it stays open while the shard runs.
  Shard(ShardEnvironment& environment, std::uint32_t index, MailboxGrid& grid, int listen_fd);
  ~Shard() override;

  // In this order, for all shards: prepare, connect (with everybody's wakers), start; then request_stop and join.
  [[nodiscard]] Result<void, SystemError> prepare() { return thread_.prepare(); }
  [[nodiscard]] runtime::Waker& waker() { return thread_.waker(); }
  void connect(std::vector<runtime::Waker*> wakers) { router_.connect(std::move(wakers)); }
  [[nodiscard]] Result<void, SystemError> start() { return thread_.start(); }
  void request_stop() { thread_.request_stop(); }
  void join() { thread_.join(); }

  // From any thread: the shard does it in its next turn. Not by its inbox, which may be full.
  void begin_drain(std::uint32_t closes_per_second, std::uint32_t spread_ms);
  void replace_keys(std::string document);
  // When all shards are drained and have told all: this node leaves the others. Once, and on the watching shard alone.
  void begin_leave();
  [[nodiscard]] bool has_left() const { return has_left_.load(std::memory_order_acquire); }
  // Draining has closed every connection and committed what they staged. A parcel that another shard still sends may
  // undo it.
  [[nodiscard]] bool drained() const { return drained_.load(std::memory_order_acquire); }
  // And the other nodes know all of it. As long as the bus is away it cannot be.
  [[nodiscard]] bool has_told_all() const { return has_told_all_.load(std::memory_order_acquire); }

  // For metrics, from any thread.
  [[nodiscard]] const net::NetCounters* net_counters() const;
  [[nodiscard]] const chat::ChatCounters* chat_counters() const;
  [[nodiscard]] const gateway::EventCounters* event_counters() const;
  [[nodiscard]] const gateway::RevocationCounters* revocation_counters() const;
  [[nodiscard]] const gateway::AccountCounters* account_counters() const;
  [[nodiscard]] const runtime::TurnCounters& turn_counters() const { return thread_.counters(); }
  [[nodiscard]] const runtime::RingCounters& ring_counters() const {
    return thread_.ring_counters();
  }
  [[nodiscard]] const RouterCounters& router_counters() const { return router_.counters(); }
  [[nodiscard]] const storage::BatchWriterCounters* batch_counters() const;
  [[nodiscard]] const NodeLink* node_link() const;  // null: alone

  // runtime::TurnHandler
  Result<void, SystemError> on_start(runtime::ShardContext& context) override;
  void on_completion(const runtime::Completion& completion) override;
  void on_parcels() override;
  [[nodiscard]] bool parcels_waiting() const override;
  void on_timer(std::uint64_t key) override;
  void on_tick(const Now& now) override;
  bool flush(const Now& now) override;
  [[nodiscard]] std::int64_t next_deadline_us() const override;
  void on_stop() override;

  // net::Handler
  void on_request(net::ConnectionId connection, const http::Request& request) override;
  net::UpgradeAnswer on_upgrade(net::ConnectionId connection,
                                const http::Request& request) override;
  void on_open(net::ConnectionId connection) override;
  void on_message(net::ConnectionId connection, net::MessageKind kind,
                  MutableBytes payload) override;
  void on_ping(net::ConnectionId connection) override;
  void on_drained(net::ConnectionId connection) override;
  void on_draining(net::ConnectionId connection) override;
  void on_left(net::ConnectionId connection) override;
  void on_closed(net::ConnectionId connection, net::CloseCause cause) override;

 private:
  struct DrainOrder {
    std::uint32_t closes_per_second = 0;
    std::uint32_t spread_ms = 0;
  };
  class NodeNews;  // what the link to other nodes tells
  struct Parts;    // everything that needs the running ring, built in on_start

  void look_at_gate();
  void open_door();
  void tell_nodes(const gateway::NodesSeen& seen);
  void ask_revocations();
  void ask_revocations_later();
  void revocations_known(Result<std::vector<SessionId>, storage::StoreError> sessions);
  void on_parcel(gateway::ShardParcel&& parcel);
  void take_orders();
  void use_keys(const std::string& document);
  void watch_clock(const Now& now);
  void watch_store(const Now& now);
  void settle();  // hands over what this shard has said to itself

  ShardEnvironment& environment_;
  const int listen_fd_;
  runtime::ShardThread thread_;
  ShardRouter router_;
  RingReactor reactor_;
  runtime::ShardContext* context_ = nullptr;
  std::unique_ptr<Parts> parts_;
  ClockWatch clock_watch_;
  bool store_works_ = true;
  bool knows_revocations_ = false;
  bool said_revocations_wait_ = false;
  bool asks_revocations_ = false;
  bool asks_revocations_again_ = false;
  bool asks_revocations_later_ = false;
  std::int64_t revocations_read_us_ = 0;  // when they were asked for that are known; 0: none are
  bool is_through_gate_ = false;
  bool door_is_open_ = false;
  Latest<DrainOrder> drain_order_;
  Latest<bool> leave_order_;
  Latest<std::string> fresh_keys_;
  std::atomic<bool> started_{false};
  std::atomic<bool> drained_{false};
  std::atomic<bool> has_told_all_{false};
  std::atomic<bool> has_left_{false};
};

}  // namespace uproar::server
