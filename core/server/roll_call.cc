#include "core/server/roll_call.h"

#include <algorithm>
#include <utility>

#include "core/server/limits.h"
#include "core/server/log.h"

namespace uproar::server {

using storage::NodeDigest;
using storage::NodeId;
using storage::NodeRecord;
using storage::StoreError;

namespace {

template <class Sequence>
bool has(const Sequence& nodes, NodeDigest node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

RollCall::RollCall(Ports ports, const NodeId& self)
    : ports_(std::move(ports)), self_(storage::node_digest(self)) {
  look();
}

RollCall::~RollCall() {
  *is_there_ = false;
  if (timer_) ports_.reactor.cancel_timer(*timer_);
}

void RollCall::look() {
  if (is_asking_) {
    asks_again_ = true;  // what is being answered may be from before
  } else if (!timer_) {
    ask();
  }
}

void RollCall::heard(const NodeId& node) {
  const NodeDigest digest = storage::node_digest(node);
  if (has(heard_, digest)) return;
  heard_.push_back(digest);
  if (heard_.size() > kHeardNodesMax) heard_.pop_front();
  if (!has(given_up_, digest)) return;
  log(LogLevel::kInfo, names_of({digest}) + " is heard over Redis now");
  look();
}

// Each time anew: a process that was killed has its sessions for a moment longer.
void RollCall::ask() {
  is_asking_ = true;
  ports_.store.find_nodes_at_work([this, is_there = is_there_](const auto& at_work) {
    if (*is_there) answered(at_work);
  });
}

void RollCall::answered(const Result<std::vector<NodeDigest>, StoreError>& at_work) {
  is_asking_ = false;
  std::vector<NodeDigest> unheard;
  if (at_work.ok()) {
    for (const NodeDigest node : at_work.value())
      if (node != self_ && !has(heard_, node) && !has(unheard, node)) unheard.push_back(node);
  }
  const bool is_known = at_work.ok() && !std::exchange(asks_again_, false);
  if (is_known && unheard.empty()) return end_round(unheard);
  if (is_known && calls_ >= kRollCallsMax) {
    const bool is_any_heard = unheard.size() + 1 < at_work.value().size();
    if (!is_over_ && !is_any_heard) strangers_ = names_of(unheard);
    return give_up(unheard);
  }
  if (ports_.is_bus_up() && !unheard.empty()) {
    ++calls_;
    counters_.calls.add();
    ports_.call();
  }
  timer_ = ports_.reactor.arm_timer(kRollCallEveryMs, [this] {
    timer_.reset();
    ask();
  });
}

void RollCall::give_up(const std::vector<NodeDigest>& unheard) {
  for (const NodeDigest node : unheard) {
    if (has(given_up_, node)) continue;
    log(LogLevel::kError,
        names_of({node}) +
            " works on this database and is not heard over Redis: it is cut off from it, or was "
            "given another --redis. What is said there is not heard here");
  }
  end_round(unheard);
}

void RollCall::end_round(const std::vector<NodeDigest>& unheard) {
  given_up_ = unheard;
  counters_.unheard.set(static_cast<std::int64_t>(unheard.size()));
  calls_ = 0;
  if (strangers_.empty()) is_over_ = true;
}

std::string RollCall::names_of(const std::vector<NodeDigest>& nodes) const {
  std::string out;
  for (const NodeRecord& record : ports_.listed()) {
    if (!has(nodes, storage::node_digest(record.id))) continue;
    out += (out.empty() ? "node " : ", node ") + record.name + " at " + record.url;
  }
  return out.empty() ? "a node that the list does not have" : out;
}

}  // namespace uproar::server
