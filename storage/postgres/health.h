#pragma once

// Whether all sessions of a store stand, and commits work. Sessions tell, anybody asks.

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
  // One more, or one less, of those that know that they cannot do their work.
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

// One session's part in it.
class HealthOfOne {
 public:
  explicit HealthOfOne(Health& health) : health_(health) {}
  ~HealthOfOne() { set(false); }
  HealthOfOne(const HealthOfOne&) = delete;
  HealthOfOne& operator=(const HealthOfOne&) = delete;

  // True: it is another than it was.
  bool set(bool is_sick) {
    if (is_sick == is_sick_) return false;
    is_sick_ = is_sick;
    if (is_sick) {
      health_.fell_sick();
    } else {
      health_.recovered();
    }
    return true;
  }
  // Before set(true): what is asked next is said with its reason.
  void say(const std::string& why) { health_.say(why); }

 private:
  Health& health_;
  bool is_sick_ = false;
};

}  // namespace uproar::storage::postgres
