#pragma once

// What is answered at --admin-listen and nowhere else: metrics, and which nodes there are. It lives on a thread of its
// own beside the shards (core/server/admin_thread.h); what they count it reads, and they wait for nothing here.

#include <cstdint>
#include <functional>
#include <string>

#include "core/gateway/nodes.h"
#include "core/gateway/scrape_queue.h"
#include "core/net/shard_net.h"
#include "proto/base/counters.h"
#include "proto/base/now.h"

namespace uproar::gateway {

// One writer: the thread of the gateway.
struct AdminCounters {
  Counter scrapes;     // answers with metrics
  Counter renderings;  // texts made for them
  Counter strangers;   // requests refused for their Host
};

class AdminGateway {
 public:
  // Who may ask, by the Host that they say.
  enum class Hosts : std::uint8_t {
    kAny,
    // Addresses and localhost: at a loopback address a page that a browser here has open could ask, too, by a name that
    // leads here (DNS rebinding), and would be of the same origin.
    kNoNames,
  };

  struct Parts {  // all outlive the gateway
    net::ShardNet& net;
    const Nodes& nodes;
    AdminCounters& counters;
    std::function<std::string()> render_metrics;  // Prometheus text format
    std::function<bool()> draining;
    Hosts hosts = Hosts::kAny;
    std::uint32_t connections_max = 0;  // slots of `net`
  };

  explicit AdminGateway(Parts parts);

  void on_request(net::ConnectionId connection, const http::Request& request);
  // Once per turn, after its requests.
  void on_tick(const Now& now);
  [[nodiscard]] std::int64_t next_deadline_us() const { return scrapes_.due_us(); }

 private:
  void list_nodes(net::ConnectionId connection);
  [[nodiscard]] bool may_ask(const http::Request& request) const;

  const Parts parts_;
  ScrapeQueue scrapes_;
};

}  // namespace uproar::gateway
