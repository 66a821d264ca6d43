#pragma once

// Which nodes can still commit, as the store itself knows it: by their sessions. The list of nodes (discovery.h) is made
// of what nodes say, so one that is cut off from it and not from the store is dead there, and goes on committing.

#include <algorithm>
#include <vector>

#include "storage/history.h"
#include "storage/node_id.h"

namespace uproar::storage {

[[nodiscard]] inline bool is_among(const std::vector<NodeDigest>& nodes, NodeDigest node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

class NodesAtWork {
 public:
  virtual ~NodesAtWork() = default;
  // Who has a session that may commit, or one that the store is still working for, in any order. What others have
  // committed is visible to whoever reads after the answer; but one whose sessions were broken (a restart of the store)
  // is not among them either, until it has new ones. `done` runs later on the client's reactor.
  virtual void find_nodes_at_work(Done<std::vector<NodeDigest>> done) = 0;
};

}  // namespace uproar::storage
