#pragma once

// MpscInbox: bounded queue from any thread to one shard, for what is rare (results of blocking
// work, commits of the SQLite thread, start and stop). Shards speak to shards through Mailbox. A
// mutex is held for a push or a swap only; the shard looks at an atomic count and takes the mutex
// only when there is something.
//
// Places are admitted before the work begins: try_reserve() at the shard when it hands work out,
// post_reserved() by the thread that did it. So a result always has room, and refusal happens where
// it can still be answered.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "core/runtime/limits.h"
#include "core/runtime/task.h"
#include "core/runtime/waker.h"
#include "proto/base/check.h"

namespace uproar::runtime {

template <class T>
class MpscInbox {
 public:
  // `waker`: the consuming shard's; it outlives the inbox. Null: the consumer polls.
  explicit MpscInbox(std::uint32_t capacity, Waker* waker = nullptr)
      : capacity_(capacity), waker_(waker) {}
  MpscInbox(const MpscInbox&) = delete;
  MpscInbox& operator=(const MpscInbox&) = delete;

  // Any thread. Takes a place for a later post_reserved(). False: full.
  [[nodiscard]] bool try_reserve() {
    std::uint32_t taken = taken_.load(std::memory_order_relaxed);
    while (taken < capacity_) {
      if (taken_.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  // Any thread. Gives back a place that will not be used.
  void unreserve() { taken_.fetch_sub(1, std::memory_order_relaxed); }
  // Any thread. REQUIRES: a reserved place. Wakes the shard if it sleeps.
  void post_reserved(T value) {
    {
      const std::lock_guard lock(mutex_);
      incoming_.push_back(std::move(value));
      waiting_.fetch_add(1, std::memory_order_release);
    }
    if (waker_ != nullptr) (void)waker_->wake_from_thread();
  }
  // Any thread. False: full, `value` is untouched.
  [[nodiscard]] bool try_post(T&& value) {
    if (!try_reserve()) return false;
    post_reserved(std::move(value));
    return true;
  }

  // Consumer.
  [[nodiscard]] bool empty() const { return waiting_.load(std::memory_order_acquire) == 0; }
  // Consumer. Calls on_value(T&&) for at most `values_max`, in order of arrival.
  template <class F>
  std::uint32_t drain(F&& on_value, std::uint32_t values_max) {
    std::uint32_t count = 0;
    while (count < values_max && !empty()) {
      if (next_ == taken_out_.size()) {
        taken_out_.clear();
        next_ = 0;
        const std::lock_guard lock(mutex_);
        taken_out_.swap(incoming_);
      }
      UPROAR_CHECK(next_ < taken_out_.size());  // counted ones are in one of the two
      T value = std::move(taken_out_[next_++]);
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      taken_.fetch_sub(1, std::memory_order_relaxed);
      on_value(std::move(value));
      ++count;
    }
    return count;
  }

 private:
  const std::uint32_t capacity_;
  Waker* const waker_;
  std::atomic<std::uint32_t> taken_{0};    // reserved or waiting
  std::atomic<std::uint32_t> waiting_{0};  // posted, not yet drained
  std::mutex mutex_;
  std::vector<T> incoming_;   // under mutex_
  std::vector<T> taken_out_;  // consumer's
  std::size_t next_ = 0;      // consumer's
};

// What a shard is told from outside: run this on your thread.
using Inbox = MpscInbox<Task>;

}  // namespace uproar::runtime
