#pragma once

// The thread that answers operators: net and gateway on a small ring of its own, beside the shards and below them (a
// tenth of a processor that they want, too). What shards count has one writer and is read with plain loads, so that a
// text is rendered without a word to them.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/gateway/admin_gateway.h"
#include "core/net/handler.h"
#include "core/net/shard_net.h"
#include "core/runtime/shard_thread.h"
#include "core/server/admin_listener.h"
#include "core/server/latest.h"

namespace uproar::server {

// Written by the thread, read by anyone.
struct AdminThreadCounters {
  gateway::AdminCounters gateway;
  Histogram rendering_us;
};

class AdminThread final : public runtime::TurnHandler, public net::Handler {
 public:
  struct Parts {
    std::unique_ptr<AdminListener> listener;
    storage::NodeRecord self;
    std::function<std::string()> render_metrics;  // called on the thread
    std::function<bool()> draining;               // so is this
  };

  explicit AdminThread(Parts parts);
  ~AdminThread() override;

  // Makes the ring; see() may be called from then on.
  [[nodiscard]] Result<void, SystemError> prepare() { return thread_.prepare(); }
  [[nodiscard]] Result<void, SystemError> start() { return thread_.start(); }
  // Waits for its end: nothing is rendered afterwards.
  void stop();

  // From any thread.
  void see(std::vector<storage::NodeRecord> nodes);
  [[nodiscard]] const AdminListener& listener() const { return *parts_.listener; }
  [[nodiscard]] const AdminThreadCounters& counters() const { return counters_; }

  // runtime::TurnHandler
  Result<void, SystemError> on_start(runtime::ShardContext& context) override;
  void on_completion(const runtime::Completion& completion) override;
  [[nodiscard]] bool parcels_waiting() const override { return fresh_nodes_.is_waiting(); }
  void on_parcels() override;
  void on_tick(const Now& now) override;
  bool flush(const Now& now) override;
  [[nodiscard]] std::int64_t next_deadline_us() const override;

  // net::Handler
  void on_request(net::ConnectionId connection, const http::Request& request) override;
  net::UpgradeAnswer on_upgrade(net::ConnectionId connection,
                                const http::Request& request) override;
  // Nothing is upgraded here.
  void on_open(net::ConnectionId) override {}
  void on_message(net::ConnectionId, net::MessageKind, MutableBytes) override {}
  void on_ping(net::ConnectionId) override {}
  void on_drained(net::ConnectionId) override {}
  void on_closed(net::ConnectionId, net::CloseCause) override {}

 private:
  [[nodiscard]] std::string render();

  const Parts parts_;
  AdminThreadCounters counters_;
  gateway::Nodes nodes_;
  Latest<std::vector<storage::NodeRecord>> fresh_nodes_;
  runtime::ShardThread thread_;
  runtime::ShardContext* context_ = nullptr;
  std::unique_ptr<net::ShardNet> net_;
  std::unique_ptr<gateway::AdminGateway> gateway_;
};

}  // namespace uproar::server
