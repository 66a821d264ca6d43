#pragma once

// What operators and their tools ask: alive, ready, how much.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/gateway/canary.h"
#include "core/gateway/nodes.h"
#include "core/gateway/shard_parcel.h"
#include "core/net/shard_net.h"

namespace uproar::gateway {

class AdminGateway {
 public:
  struct Parts {  // all outlive the gateway
    net::ShardNet& net;
    Canary& canary;
    ShardLink& link;
    storage::Reactor& reactor;
    std::function<std::string()> render_metrics;  // Prometheus text format, all shards
    std::function<bool()> draining;
    const Nodes& nodes;
    std::function<std::optional<storage::BusState>()> bus_state;  // of this shard; nullopt: alone
  };

  explicit AdminGateway(Parts parts);

  // False: not one of ours.
  bool on_request(net::ConnectionId connection, const http::Request& request);
  void asked(const CanaryAsked& asked);
  void answered(const CanaryAnswered& answer);

 private:
  void answer_operator(net::ConnectionId connection, int status, std::string_view body,
                       std::string_view allow = {});
  void ready(net::ConnectionId connection);
  void list_nodes(net::ConnectionId connection);
  void report(bool all_answered);

  Parts parts_;
  std::vector<net::ConnectionId> waiting_;  // share one round
  std::vector<CanaryAnswered> answers_;
  std::uint64_t round_ = 0;
  storage::Reactor::TimerId deadline_ = 0;
};

}  // namespace uproar::gateway
