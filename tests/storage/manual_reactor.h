#pragma once

// A reactor that a test turns by hand. Posts come from any thread; time stands still until advance() moves it.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "proto/base/check.h"
#include "storage/reactor.h"

namespace uproar::storage {

class ManualReactor : public Reactor {
 public:
  void post(Task task) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
    was_posted_.notify_all();
  }
  WatchId watch(int /*fd*/, short /*events*/, std::function<void(short)> /*ready*/) override {
    UPROAR_CHECK(false);  // no backend tested with this reactor has a socket
    return 0;
  }
  void unwatch(WatchId /*id*/) override { UPROAR_CHECK(false); }
  TimerId arm_timer(std::uint32_t delay_ms, Task task) override {
    timers_[{now_ms_ + delay_ms, ++last_timer_}] = std::move(task);
    return last_timer_;
  }
  void cancel_timer(TimerId id) override {
    std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
  }

  // Runs one posted task; false when there is none.
  bool run_one() {
    Task task;
    {
      const std::lock_guard lock(mutex_);
      if (posted_.empty()) return false;
      task = std::move(posted_.front());
      posted_.pop_front();
    }
    task();
    return true;
  }
  void run_until_idle() {
    while (run_one()) {
    }
  }
  // Runs tasks, and waits for other threads to post some, until `is_done()`. A test that waits for what never comes
  // is ended by ctest's timeout.
  template <class Condition>
  void run_until(Condition is_done) {
    while (!is_done()) {
      if (run_one()) continue;
      std::unique_lock lock(mutex_);
      was_posted_.wait(lock, [this] { return !posted_.empty(); });
    }
  }

  // Moves the clock and fires what falls due, in order of time; posted tasks run in between.
  void advance(std::uint64_t by_ms) {
    const std::uint64_t until_ms = now_ms_ + by_ms;
    while (!timers_.empty() && timers_.begin()->first.first <= until_ms) {
      now_ms_ = timers_.begin()->first.first;
      const Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
      run_until_idle();
    }
    now_ms_ = until_ms;
    run_until_idle();
  }
  [[nodiscard]] std::uint64_t now_ms() const { return now_ms_; }
  [[nodiscard]] std::size_t armed_timers() const { return timers_.size(); }

 private:
  std::mutex mutex_;
  std::condition_variable was_posted_;
  std::deque<Task> posted_;
  std::map<std::pair<std::uint64_t, TimerId>, Task> timers_;
  std::uint64_t now_ms_ = 0;
  TimerId last_timer_ = 0;
};

}  // namespace uproar::storage
