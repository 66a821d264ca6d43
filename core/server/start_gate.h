#pragma once

// Where the process waits until all shards have reached the services they need, or says why not.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/result.h"

namespace uproar::server {

class StartGate {
 public:
  explicit StartGate(std::uint32_t shards) : is_ready_(shards, false) {}

  // From the shards' threads.
  void ready(std::uint32_t shard) {
    const std::lock_guard lock(mutex_);
    is_ready_[shard] = true;
    changed_.notify_all();
  }
  // Why that shard is not ready so far; the last word counts.
  void waits(std::uint32_t shard, SystemError why) {
    const std::lock_guard lock(mutex_);
    if (!is_ready_[shard]) why_ = std::move(why);
  }
  // Waiting is in vain.
  void refuse(SystemError why) {
    const std::lock_guard lock(mutex_);
    refusal_ = std::move(why);
    changed_.notify_all();
  }

  // Blocks until all are ready, one refuses, or the time is over.
  [[nodiscard]] Result<void, SystemError> wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    const bool is_decided =
        changed_.wait_for(lock, limit, [this] { return refusal_ || all_ready(); });
    if (refusal_) return Err{*refusal_};
    if (!is_decided) return Err{why_};
    return {};
  }

 private:
  [[nodiscard]] bool all_ready() const {
    for (const bool is_ready : is_ready_)
      if (!is_ready) return false;
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> is_ready_;
  SystemError why_{.operation = "start", .subject = "", .code = 0, .hint = "look at the log"};
  std::optional<SystemError> refusal_;
};

}  // namespace uproar::server
