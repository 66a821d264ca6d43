#pragma once

// Nodes that work on the store though the list does not have them: cut off from the bus and the list, they go on
// committing for their clients, and tell the others when they are back. One that dies before leaves messages which
// nobody was told of. So who is at work is compared with the list every so often, and when one ends that was not in it,
// the store is looked at once more (docs/decisions/0034).
//
// On the watching shard's thread. Pure but for its ports: tests turn a reactor by hand.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/counters.h"
#include "storage/node_record.h"
#include "storage/nodes_at_work.h"
#include "storage/reactor.h"

namespace uproar::server {

struct UnlistedNodeCounters {
  Counter questions;
  Counter failures;      // questions that the store did not answer
  Counter second_looks;  // since one ended that had gone on working
  Gauge unlisted;        // at work now
};

class UnlistedNodes {
 public:
  struct Ports {
    storage::Reactor& reactor;
    storage::NodesAtWork& store;
    std::function<const std::vector<storage::NodeRecord>&()> listed;
    // One has ended, or may have, that may have committed something and told nobody: compare with the store.
    std::function<void()> look;
  };

  // Asks at once, then every `interval_ms`. What `ports` names outlives it.
  UnlistedNodes(Ports ports, const storage::NodeId& self, std::uint32_t interval_ms);
  ~UnlistedNodes();
  UnlistedNodes(const UnlistedNodes&) = delete;
  UnlistedNodes& operator=(const UnlistedNodes&) = delete;

  // Its lease has run out, and it is not in the list any more. The store is asked at once; with its answer, or with
  // none, comes a look, and another one when the node, if it is still at work, is so no longer.
  void died(const storage::NodeRecord& record);

  [[nodiscard]] const UnlistedNodeCounters& counters() const { return counters_; }

 private:
  enum class State : std::uint8_t {
    kDead,    // by the list; a look is due
    kAtWork,  // all the same
    // Looked for once. A restart of the store ends sessions, and so does a broken link: a process that has made new ones
    // is there again an interval later, and one that died meanwhile is looked for once more.
    kMissing
  };
  struct Node {
    State state = State::kAtWork;
    bool is_asked = false;  // before the question under way was sent
    std::string name;       // empty: it was never in the list
    bool is_told = false;   // to the log, if so
  };

  // `is_due`: an interval has passed since the last answer.
  void ask(bool is_due);
  void answered(const Result<std::vector<storage::NodeDigest>, storage::StoreError>& at_work,
                bool is_due);
  // True: a look is due.
  [[nodiscard]] bool dead_are_due();
  [[nodiscard]] bool compare(const std::vector<storage::NodeDigest>& at_work, bool is_due);
  struct Step {
    bool looks = false;
    bool is_over = false;  // nothing more is to be asked of it
  };
  [[nodiscard]] static Step found(Node& node, bool is_due);
  [[nodiscard]] Step not_found(Node& node, bool is_due);

  Ports ports_;
  const storage::NodeDigest self_;
  const std::uint32_t interval_ms_;
  UnlistedNodeCounters counters_;
  std::map<storage::NodeDigest, Node> nodes_;  // dead, or at work and not in the list; few
  bool is_asking_ = false;
  bool asks_again_ = false;
  storage::Reactor::TimerId timer_ = 0;
  std::shared_ptr<bool> is_there_ =
      std::make_shared<bool>(true);  // false: an answer comes too late
};

}  // namespace uproar::server
