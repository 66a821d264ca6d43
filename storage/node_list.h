#pragma once

// The nodes that a discovery knows, and what its listener is told when that changes. Shared by its backends.

#include <vector>

#include "storage/discovery.h"

namespace uproar::storage {

class NodeList {
 public:
  NodeList(DiscoveryListener& listener, DiscoveryCounters& counters)
      : listener_(listener), counters_(counters) {}

  // Both: true if the list is another one now.
  //
  // It is there and says this. A record that says kLeaving ends the node as kLeft. Of more than kNodesMax the rest is
  // not listed.
  bool seen(const NodeRecord& record);
  // Its record is gone: kDied, unless it has left already.
  bool gone(const NodeId& id);
  [[nodiscard]] const std::vector<NodeRecord>& nodes() const { return nodes_; }
  [[nodiscard]] const NodeRecord* find(const NodeId& id) const;

 private:
  bool end(const NodeId& id, NodeEnd how);

  DiscoveryListener& listener_;
  DiscoveryCounters& counters_;
  std::vector<NodeRecord> nodes_;  // by id
};

}  // namespace uproar::storage
