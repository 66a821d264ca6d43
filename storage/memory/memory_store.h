#pragma once

// Store over a MemoryModel: for development and for tests. Nothing survives the process. Work is done at once, under a
// lock, on the calling thread; answers come by the reactor as from any backend.
//
// MemoryFaults are the switches by which tests (and simulators) play a store that fails, stalls or loses its answer.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "storage/memory/memory_model.h"
#include "storage/store.h"

namespace uproar::storage {

class MemoryStore final : public Store {
 public:
  enum class CommitFault : std::uint8_t {
    kNone,
    kRefused,    // nothing is stored, every row is kUnavailable
    kAnswerLost  // all is stored, every row is kUnavailable: what a broken connection leaves behind
  };

  MemoryStore() = default;
  ~MemoryStore() override = default;

  std::unique_ptr<StoreClient> open_client(Reactor& reactor) override;
  [[nodiscard]] bool healthy() const override;
  [[nodiscard]] std::string_view kind() const override { return "memory"; }

  // Until it is set again. Counts from the next commit that is executed (held ones included).
  void set_commit_fault(CommitFault fault);
  // While on, commits wait, unexecuted, until release_commit() runs the oldest. Turning it off runs all that wait.
  void hold_commits(bool on);
  bool release_commit();
  [[nodiscard]] std::size_t held_commits() const;
  // The same for history and directory (set_last_online excepted); failing ones answer kUnavailable.
  void fail_reads(bool on);
  void hold_reads(bool on);
  bool release_read();
  [[nodiscard]] std::size_t held_reads() const;

  // Looks at or changes the content directly; `look` runs under the lock.
  void with_model(const std::function<void(MemoryModel&)>& look);

 private:
  friend class MemoryClient;
  using Work = std::function<void()>;

  // Bounded by their callers: one batch per shard; tests release what they hold.
  struct Line {
    bool is_held = false;
    std::deque<Work> waiting;
  };
  void run_or_hold(Line& line, Work work);
  void hold(Line& line, bool on);
  bool release(Line& line);

  mutable std::recursive_mutex
      mutex_;  // a reactor that runs tasks inside post() may come back to us
  MemoryModel model_;
  CommitFault commit_fault_ = CommitFault::kNone;
  bool fail_reads_ = false;
  bool healthy_ = true;
  Line commits_;
  Line reads_;
};

}  // namespace uproar::storage
