#include "storage/node_list.h"

#include <algorithm>
#include <utility>

#include "storage/limits.h"

namespace uproar::storage {
namespace {

auto position(const std::vector<NodeRecord>& nodes, const NodeId& id) {
  return std::lower_bound(
      nodes.begin(), nodes.end(), id,
      [](const NodeRecord& node, const NodeId& wanted) { return node.id < wanted; });
}

}  // namespace

bool Discovery::is_live(const NodeId& id) const {
  const auto found = position(nodes(), id);
  return found != nodes().end() && found->id == id;
}

const NodeRecord* NodeList::find(const NodeId& id) const {
  const auto found = position(nodes_, id);
  return found != nodes_.end() && found->id == id ? &*found : nullptr;
}

bool NodeList::seen(const NodeRecord& record) {
  if (record.state == NodeState::kLeaving) return end(record.id, NodeEnd::kLeft);
  const auto at = nodes_.begin() + (position(nodes_, record.id) - nodes_.cbegin());
  if (at == nodes_.end() || at->id != record.id) {
    if (nodes_.size() >= kNodesMax) return false;
    nodes_.insert(at, record);
    counters_.nodes.set(static_cast<std::int64_t>(nodes_.size()));
    listener_.on_node_joined(record);
  } else if (*at != record) {
    *at = record;
    listener_.on_node_changed(record);
  } else {
    return false;
  }
  return true;
}

bool NodeList::gone(const NodeId& id) {
  return end(id, NodeEnd::kDied);
}

bool NodeList::end(const NodeId& id, NodeEnd how) {
  const auto at = nodes_.begin() + (position(nodes_, id) - nodes_.cbegin());
  if (at == nodes_.end() || at->id != id) return false;
  const NodeRecord record = std::move(*at);
  nodes_.erase(at);
  counters_.nodes.set(static_cast<std::int64_t>(nodes_.size()));
  if (how == NodeEnd::kDied) counters_.deaths.add();
  listener_.on_node_gone(record, how);
  return true;
}

}  // namespace uproar::storage
