#pragma once

// Which nodes there are. A node puts its record under a lease and hears of the others: who joins, changes, leaves, dies.
// One per process, over the reactor of one shard; all calls and callbacks are on that thread.
//
// A node whose lease runs out is dead to the others within the lease's time. It learns so itself (on_lease_lost), no later
// than they do: the others may have given its users up for offline meanwhile. It registers again by itself.

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "proto/base/counters.h"
#include "proto/base/result.h"
#include "storage/node_record.h"

namespace uproar::storage {

// Of the bus, where nodes tell each other to look at the list. Who owns the bus passes it on, where the list is kept over
// it (RedisDiscovery::poke()).
inline constexpr std::string_view kNodesChannel = "nodes";

enum class DiscoveryState : std::uint8_t {
  kDown,       // the service does not answer: the list is as it was, nobody is declared dead
  kUncertain,  // it answers, and the own record or the list is not confirmed yet
  kUp
};

enum class NodeEnd : std::uint8_t {
  kLeft,  // said so before
  kDied   // its lease ran out
};

class DiscoveryListener {
 public:
  virtual ~DiscoveryListener() = default;
  // The own node is heard of, too. `record` dies on return.
  virtual void on_node_joined(const NodeRecord& record) = 0;
  virtual void on_node_changed(const NodeRecord& record) = 0;
  virtual void on_node_gone(const NodeRecord& record, NodeEnd end) = 0;
  // The own record is there, under a lease: once after announce(), and again after each on_lease_lost().
  virtual void on_registered() = 0;
  virtual void on_lease_lost() = 0;
  virtual void on_discovery_state(DiscoveryState state) = 0;
  // There is something under the nodes' keys that is not taken for a node, `why` for people. Once for each key.
  virtual void on_record_ignored(std::string_view key, std::string_view why) = 0;
};

struct DiscoveryCounters {
  Counter renewals;
  Counter leases_lost;
  Counter deaths;   // of others
  Counter resyncs;  // whole lists read instead of changes
  Counter failures;
  Gauge nodes;
  Gauge state;  // DiscoveryState
  Gauge
      ignored;  // entries under the nodes' keys that are no live node's, when the list was read last
};

class Discovery {
 public:
  virtual ~Discovery() = default;
  // Registers, or changes what was registered (draining). The id stays the same. Without it one only listens.
  // REQUIRES: name and URL are valid texts within kNodeNameBytesMax and kNodeUrlBytesMax.
  virtual void announce(const NodeRecord& record) = 0;
  // Leaves on purpose and for good: announce() does nothing from now on. `done` runs later on the reactor, when the others
  // can know or after a lease at the latest.
  virtual void withdraw(std::function<void()> done) = 0;
  // Those who live, by id, kLeaving ones not among them. Dies with the next callback.
  [[nodiscard]] virtual const std::vector<NodeRecord>& nodes() const = 0;
  [[nodiscard]] bool is_live(const NodeId& id) const;
  [[nodiscard]] virtual DiscoveryState state() const = 0;
  [[nodiscard]] virtual const SystemError& last_error() const = 0;
  [[nodiscard]] virtual const DiscoveryCounters& counters() const = 0;
};

}  // namespace uproar::storage
