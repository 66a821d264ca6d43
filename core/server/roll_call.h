#pragma once

// Whether the nodes that work on the same store share this node's bus. One that was given another --redis does not: it
// would commit and tell nobody here. So whoever is at work is called until it has been heard. A node that starts and
// hears none of them must not serve (docs/decisions/0035).
//
// On the watching shard's thread. Pure but for its ports: tests turn a reactor by hand.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/counters.h"
#include "storage/node_record.h"
#include "storage/nodes_at_work.h"
#include "storage/reactor.h"

namespace uproar::server {

struct RollCallCounters {
  Counter calls;
  Gauge unheard;  // nodes that are at work and answered no call
};

class RollCall {
 public:
  struct Ports {
    storage::Reactor& reactor;
    storage::NodesAtWork& store;
    // For their names. A node that is at work need not be among them.
    std::function<const std::vector<storage::NodeRecord>&()> listed;
    // Both directions of the bus work. Calls that nobody can hear do not count.
    std::function<bool()> is_bus_up;
    // Says over the bus that whoever hears it shall answer.
    std::function<void()> call;
  };

  // Begins. What `ports` names outlives it.
  RollCall(Ports ports, const storage::NodeId& self);
  ~RollCall();
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;

  // Somebody may have come or gone.
  void look();
  // The bus is back, and may be another one: whoever was heard over it is to be heard again.
  void begin_anew();
  // That node said something over the bus.
  void heard(const storage::NodeId& node);

  // A start may go on: everybody at work has been heard, or one has and the others are cut off, or nobody is there.
  [[nodiscard]] bool is_over() const { return is_over_; }
  // Instead of that: of those at work nobody answered. Their names; empty: it did not come to that.
  [[nodiscard]] const std::string& strangers() const { return strangers_; }
  [[nodiscard]] const RollCallCounters& counters() const { return counters_; }

 private:
  void ask();
  void ask_after(std::uint32_t ms);
  void answered(const Result<std::vector<storage::NodeDigest>, storage::StoreError>& at_work);
  // Who is `unheard` was called often enough.
  void end_round(const std::vector<storage::NodeDigest>& unheard, bool is_any_heard);
  [[nodiscard]] std::string names_of(const std::vector<storage::NodeDigest>& nodes) const;

  Ports ports_;
  const storage::NodeDigest self_;
  RollCallCounters counters_;
  std::vector<storage::NodeDigest> heard_;              // the newest kHeardNodesMax
  std::vector<storage::NodeDigest> given_up_;           // told about
  std::map<storage::NodeDigest, std::uint32_t> calls_;  // of those who are not heard
  bool is_asking_ = false;
  bool asks_again_ = false;
  std::optional<storage::Reactor::TimerId> timer_;
  bool is_over_ = false;
  std::string strangers_;
  std::shared_ptr<bool> is_there_ = std::make_shared<bool>(true);  // false: an answer is too late
};

}  // namespace uproar::server
