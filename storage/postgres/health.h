#pragma once

// Whether commits work, over all sessions of a store that write. Sessions tell, anybody asks.

#include <atomic>
#include <mutex>
#include <string>
#include <utility>

namespace uproar::storage::postgres {

class Health {
 public:
  [[nodiscard]] bool is_good() const { return sick_.load(std::memory_order_acquire) == 0; }
  // Why not; empty while it is good.
  [[nodiscard]] std::string last_error() const {
    const std::lock_guard lock(mutex_);
    return is_good() ? std::string() : last_error_;
  }
  // One more, or one less, of those that know that they cannot write.
  void fell_sick() { sick_.fetch_add(1, std::memory_order_acq_rel); }
  void recovered() { sick_.fetch_sub(1, std::memory_order_acq_rel); }
  void say(const std::string& why) {
    const std::lock_guard lock(mutex_);
    last_error_ = why;
  }

 private:
  std::atomic<int> sick_{0};
  mutable std::mutex mutex_;
  std::string last_error_;
};

}  // namespace uproar::storage::postgres
