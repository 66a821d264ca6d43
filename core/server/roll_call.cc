#include "core/server/roll_call.h"

#include <algorithm>
#include <utility>

#include "core/server/limits.h"
#include "core/server/log.h"

namespace uproar::server {

using storage::is_among;
using storage::NodeDigest;
using storage::NodeId;
using storage::NodeRecord;
using storage::StoreError;

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

void RollCall::begin_anew() {
  heard_.clear();
  calls_.clear();
  look();
}

void RollCall::heard(const NodeId& node) {
  const NodeDigest digest = storage::node_digest(node);
  if (is_among(heard_, digest)) return;
  heard_.push_back(digest);
  if (heard_.size() > kHeardNodesMax) heard_.erase(heard_.begin());
  if (!is_among(given_up_, digest)) return;
  log(LogLevel::kInfo, names_of({digest}) + " is heard over Redis now");
  look();
}

// Each time: a process that was killed has its sessions for a moment longer.
void RollCall::ask() {
  is_asking_ = true;
  ports_.store.find_nodes_at_work([this, is_there = is_there_](const auto& at_work) {
    if (*is_there) answered(at_work);
  });
}

void RollCall::ask_after(std::uint32_t ms) {
  timer_ = ports_.reactor.arm_timer(ms, [this] {
    timer_.reset();
    ask();
  });
}

void RollCall::answered(const Result<std::vector<NodeDigest>, StoreError>& at_work) {
  is_asking_ = false;
  if (std::exchange(asks_again_, false)) return ask();
  if (!at_work.ok()) return ask_after(kAskNodesAtWorkAgainMs);
  std::vector<NodeDigest> unheard;
  bool is_any_heard = false;
  for (const NodeDigest node : at_work.value()) {
    if (node == self_) continue;
    if (is_among(heard_, node)) {
      is_any_heard = true;
    } else if (!is_among(unheard, node)) {
      unheard.push_back(node);
    }
  }
  std::erase_if(calls_, [&](const auto& entry) { return !is_among(unheard, entry.first); });
  const bool is_over = std::all_of(unheard.begin(), unheard.end(), [this](NodeDigest node) {
    return calls_[node] >= kRollCallsMax;
  });
  if (is_over) return end_round(unheard, is_any_heard);
  if (!ports_.is_bus_up()) return;  // when it is, all begins anew
  for (const NodeDigest node : unheard) ++calls_[node];
  counters_.calls.add();
  ports_.call();
  ask_after(kRollCallEveryMs);
}

void RollCall::end_round(const std::vector<NodeDigest>& unheard, bool is_any_heard) {
  for (const NodeDigest node : unheard) {
    if (is_among(given_up_, node)) continue;
    log(LogLevel::kError,
        names_of({node}) +
            " works on this database and is not heard over Redis: it is cut off from it or "
            "frozen, or was given another --redis. What is said there is not heard here");
  }
  given_up_ = unheard;
  counters_.unheard.set(static_cast<std::int64_t>(unheard.size()));
  if (is_over_) return;
  if (unheard.empty() || is_any_heard) {
    is_over_ = true;
    strangers_.clear();
  } else {
    strangers_ = names_of(unheard);
  }
}

std::string RollCall::names_of(const std::vector<NodeDigest>& nodes) const {
  std::string out;
  for (const NodeRecord& record : ports_.listed()) {
    if (!is_among(nodes, storage::node_digest(record.id))) continue;
    out += (out.empty() ? "node " : ", node ") + record.name + " at " + record.url;
  }
  return out.empty() ? "a node that the list does not have" : out;
}

}  // namespace uproar::server
