#pragma once

// Store over a MemoryModel: for development and for tests. Nothing survives the process. Work is done at once, under a
// lock, on the calling thread; answers come by the reactor as from any backend.
// Tests may hold its commits, to see what happens meanwhile.

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "storage/memory/memory_model.h"
#include "storage/store.h"

namespace uproar::storage {

class MemoryStore final : public Store {
 public:
  MemoryStore() = default;
  ~MemoryStore() override = default;

  std::unique_ptr<StoreClient> open_client(Reactor& reactor) override;
  [[nodiscard]] bool healthy() const override { return true; }
  [[nodiscard]] std::string_view kind() const override { return "memory"; }

  // While on, commits wait, unexecuted, until release_commit() runs the oldest. Turning it off runs all that wait.
  void hold_commits(bool on);
  bool release_commit();
  [[nodiscard]] std::size_t held_commits() const;

 private:
  friend class MemoryClient;
  using Work = std::function<void()>;

  void run_or_hold(Work work);

  mutable std::recursive_mutex
      mutex_;  // a reactor that runs tasks inside post() may come back to us
  MemoryModel model_;
  bool holds_commits_ = false;
  std::deque<Work> held_;  // bounded by its callers: one batch per shard
};

}  // namespace uproar::storage
