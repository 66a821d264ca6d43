#pragma once

// What load balancers and keepers of processes ask at the public address: alive, ready. Anybody may ask; so a round
// through the shards is shared by all who wait for it, and its report is given again for kReportFreshMs.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/gateway/canary.h"
#include "core/gateway/shard_parcel.h"
#include "core/net/shard_net.h"
#include "proto/base/now.h"

namespace uproar::gateway {

class HealthGateway {
 public:
  // On top of Canary::kFreshMs: a report is 1.25 s old at most, and a shard sends at most four rounds a second.
  static constexpr std::uint32_t kReportFreshMs = 250;

  struct Parts {  // all outlive the gateway
    net::ShardNet& net;
    Canary& canary;
    ShardLink& link;
    storage::Reactor& reactor;
    const Now& now;  // the turn's
    std::function<bool()> draining;
    std::function<std::optional<storage::BusState>()> bus_state;  // of this shard; nullopt: alone
  };

  explicit HealthGateway(Parts parts);

  // False: not one of ours.
  bool on_request(net::ConnectionId connection, const http::Request& request);
  void asked(const CanaryAsked& asked);
  void answered(const CanaryAnswered& answer);

 private:
  void ready(net::ConnectionId connection);
  void conclude(bool all_answered);
  void tell(net::ConnectionId connection);

  Parts parts_;
  std::vector<net::ConnectionId> waiting_;  // share one round
  std::vector<CanaryAnswered> answers_;
  std::uint64_t round_ = 0;
  storage::Reactor::TimerId deadline_ = 0;
  int status_ = 503;  // of the last report
  std::string report_;
  std::int64_t fresh_until_us_ = 0;
};

}  // namespace uproar::gateway
