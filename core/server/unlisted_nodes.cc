#include "core/server/unlisted_nodes.h"

#include <algorithm>
#include <utility>

#include "core/server/limits.h"
#include "core/server/log.h"

namespace uproar::server {

using storage::is_among;
using storage::NodeDigest;
using storage::NodeRecord;
using storage::StoreError;

UnlistedNodes::UnlistedNodes(Ports ports, const storage::NodeId& self, std::uint32_t interval_ms)
    : ports_(std::move(ports)), self_(storage::node_digest(self)), interval_ms_(interval_ms) {
  ask(true);
}

UnlistedNodes::~UnlistedNodes() {
  *is_there_ = false;
  ports_.reactor.cancel_timer(timer_);
}

void UnlistedNodes::died(const NodeRecord& record) {
  nodes_[storage::node_digest(record.id)] = {
      .state = State::kDead, .is_asked = false, .name = record.name};
  ask(false);
}

void UnlistedNodes::ask(bool is_due) {
  if (is_asking_) {
    asks_again_ = true;  // what is being answered may be from before
    return;
  }
  is_asking_ = true;
  ports_.reactor.cancel_timer(timer_);
  for (auto& [digest, node] : nodes_) node.is_asked = true;
  counters_.questions.add();
  ports_.store.find_nodes_at_work(
      [this, is_there = is_there_, is_due](Result<std::vector<NodeDigest>, StoreError> at_work) {
        if (*is_there) answered(at_work, is_due);
      });
}

void UnlistedNodes::answered(const Result<std::vector<NodeDigest>, StoreError>& at_work,
                             bool is_due) {
  is_asking_ = false;
  if (!at_work.ok()) counters_.failures.add();
  const bool is_look_due = at_work.ok() ? compare(at_work.value(), is_due) : dead_are_due();
  counters_.unlisted.set(std::count_if(nodes_.begin(), nodes_.end(), [](const auto& entry) {
    return entry.second.state == State::kAtWork;
  }));
  if (is_look_due) ports_.look();
  if (std::exchange(asks_again_, false)) return ask(false);
  const std::uint32_t wait_ms =
      at_work.ok() ? interval_ms_ : std::min(interval_ms_, kAskNodesAtWorkAgainMs);
  timer_ = ports_.reactor.arm_timer(wait_ms, [this] { ask(true); });
}

// Whether they are still at work is not known: as if they were.
bool UnlistedNodes::dead_are_due() {
  bool is_look_due = false;
  for (auto& [digest, node] : nodes_) {
    if (node.state != State::kDead || !node.is_asked) continue;
    node.state = State::kAtWork;
    is_look_due = true;
  }
  return is_look_due;
}

// What the answer says of each node that was asked for.
bool UnlistedNodes::compare(const std::vector<NodeDigest>& at_work, bool is_due) {
  std::vector<NodeDigest> listed;
  for (const NodeRecord& record : ports_.listed())
    listed.push_back(storage::node_digest(record.id));
  for (const NodeDigest digest : at_work) {
    if (digest != self_ && !is_among(listed, digest))
      nodes_.try_emplace(digest, Node{});  // the next answer says more
  }
  Step all;
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    auto& [digest, node] = *it;
    Step step;
    if (node.is_asked && is_among(listed, digest)) {
      // It is back, and tells by itself what the others have missed.
      step = {.looks = node.state == State::kDead, .is_over = true};
    } else if (node.is_asked) {
      step = is_among(at_work, digest) ? found(node, is_due) : not_found(node, is_due);
    }
    all.looks = all.looks || step.looks;
    it = step.is_over ? nodes_.erase(it) : std::next(it);
  }
  return all.looks;
}

UnlistedNodes::Step UnlistedNodes::found(Node& node, bool is_due) {
  const bool is_dead = std::exchange(node.state, State::kAtWork) == State::kDead;
  if (is_dead) {
    log(LogLevel::kWarn, "node " + node.name +
                             " goes on working on the store: it is cut off, and what it says is "
                             "not heard here until it is back or has ended");
  } else if (is_due && node.name.empty() && !std::exchange(node.is_told, true)) {
    // For an interval: one that had just started is listed by now.
    log(LogLevel::kWarn,
        "a node works on this database that the list of nodes has never had: it is cut off from "
        "the list, or was started with another --etcd, or with another --redis. Its users may "
        "look offline here");
  }
  return {.looks = is_dead, .is_over = false};
}

UnlistedNodes::Step UnlistedNodes::not_found(Node& node, bool is_due) {
  switch (node.state) {
    case State::kDead:
      return {.looks = true, .is_over = true};
    case State::kAtWork:
      log(LogLevel::kInfo, (node.name.empty() ? "a node" : "node " + node.name) +
                               " that was not in the list no longer works on the store: what it "
                               "may have kept to itself is looked for");
      node.state = State::kMissing;
      counters_.second_looks.add();
      return {.looks = true, .is_over = false};
    case State::kMissing:
      break;
  }
  if (is_due) counters_.second_looks.add();
  return {.looks = is_due, .is_over = is_due};
}

}  // namespace uproar::server
