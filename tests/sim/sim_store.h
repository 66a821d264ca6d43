#pragma once

// One database for all nodes: storage::MemoryModel behind storage::Store, with the time that a real one takes and the
// faults that it has. A batch is one transaction: all of it is applied at one moment, or nothing.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "storage/memory/memory_model.h"
#include "storage/store.h"
#include "tests/sim/kernel.h"

namespace uproar::sim {

struct StoreFaults {
  std::uint32_t refused_percent = 0;      // commits that fail: nothing is applied
  std::uint32_t answer_lost_percent = 0;  // applied, and reported as failed
  std::uint32_t reads_fail_percent = 0;
  std::int64_t stall_until_us = 0;  // nothing is answered before
  std::int64_t latency_us = 300;  // of a read or a commit, there and back; up to four times as much
};

class SimStore final : public storage::Store {
 public:
  explicit SimStore(Kernel& kernel) : kernel_(kernel) {}

  // Of a node that is alone: the one that takes its place waits until the store has done with it.
  std::unique_ptr<storage::StoreClient> open_client(storage::Reactor& reactor) override;
  // Of one of several. Batches that were under way when its process ended may arrive for kLingersUs, and so long it is
  // at work.
  std::unique_ptr<storage::StoreClient> open_client(storage::Reactor& reactor,
                                                    storage::NodeId node);
  static constexpr std::int64_t kLingersUs = 5'000'000;
  [[nodiscard]] bool healthy() const override { return true; }
  [[nodiscard]] std::string_view kind() const override { return "simulated"; }

  StoreFaults faults;
  storage::MemoryModel model;
  // What is stored, when it is.
  std::function<void(const storage::Operation&, const storage::Outcome&)> when_committed;
  // Planted bugs: outcomes and answers that are wrong on purpose. Empty: none.
  std::function<bool(const storage::Operation&, storage::Outcome&)> instead_of_apply;
  std::function<void(const storage::PageQuery&, storage::Page&)> falsify_page;
  std::function<void(storage::ConversationState&)> falsify_state;
  bool reports_refused_as_stored = false;
  bool hides_nodes_at_work = false;

 private:
  friend class SimStoreClient;
  // How long until the database does what it was asked, and until its answer is there.
  [[nodiscard]] std::int64_t delay_us();
  std::vector<storage::Outcome> apply(const std::vector<storage::Operation>& batch,
                                      bool is_refused);

  void end_session(storage::NodeId node);

  Kernel& kernel_;
  std::map<storage::NodeId, int> sessions_;  // that may commit, or that it is still working for
};

// The same as one node of several has it.
class SimNodeStore final : public storage::Store {
 public:
  SimNodeStore(SimStore& store, storage::NodeId node) : store_(store), node_(node) {}
  std::unique_ptr<storage::StoreClient> open_client(storage::Reactor& reactor) override {
    return store_.open_client(reactor, node_);
  }
  [[nodiscard]] bool healthy() const override { return store_.healthy(); }
  [[nodiscard]] std::string_view kind() const override { return store_.kind(); }

 private:
  SimStore& store_;
  const storage::NodeId node_;
};

}  // namespace uproar::sim
