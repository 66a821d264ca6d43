#pragma once

// The nodes of the cluster as this shard was told last, and which of them the next login is sent to.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "storage/node_record.h"

namespace uproar::gateway {

class Nodes {
 public:
  // `turn`: where the round begins, so that not all shards begin with the same node.
  Nodes(storage::NodeRecord self, std::size_t turn) : self_(std::move(self)), turn_(turn) {}

  void see(std::vector<storage::NodeRecord> nodes) { others_and_self_ = std::move(nodes); }
  // The base URL of a node that takes new clients, each in its turn; empty: none is known, or this node is alone.
  [[nodiscard]] const std::string& next_url() {
    static const std::string kNone;
    for (std::size_t i = 0; i < others_and_self_.size(); ++i) {
      const auto& node = others_and_self_[turn_++ % others_and_self_.size()];
      if (node.state == storage::NodeState::kLive && !node.url.empty()) return node.url;
    }
    return kNone;
  }
  // All that live; alone, or before anything was told, this one.
  [[nodiscard]] std::vector<storage::NodeRecord> all() const {
    return others_and_self_.empty() ? std::vector{self_} : others_and_self_;
  }
  [[nodiscard]] bool is_self(const storage::NodeRecord& node) const { return node.id == self_.id; }

 private:
  const storage::NodeRecord self_;
  std::vector<storage::NodeRecord> others_and_self_;  // as discovery has them, by id
  std::size_t turn_;
};

}  // namespace uproar::gateway
