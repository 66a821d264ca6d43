#pragma once

// A reactor over poll(2) and the real clock, for backends that have sockets. Posts come from any thread. What a test
// waits for it names as a condition; nothing sleeps for luck.

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "proto/base/check.h"
#include "storage/reactor.h"

namespace uproar::storage {

class PollReactor final : public Reactor {
 public:
  PollReactor() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { UPROAR_CHECK(wake_fd_ >= 0); }
  ~PollReactor() override { close(wake_fd_); }
  PollReactor(const PollReactor&) = delete;
  PollReactor& operator=(const PollReactor&) = delete;

  void post(Task task) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    (void)!::write(wake_fd_, &one, sizeof(one));
  }
  WatchId watch(int fd, short events, std::function<void(short)> ready) override {
    watches_[++last_id_] = {.fd = fd, .events = events, .ready = std::move(ready)};
    return static_cast<WatchId>(last_id_);
  }
  void unwatch(WatchId id) override { watches_.erase(id); }
  TimerId arm_timer(std::uint32_t delay_ms, Task task) override {
    timers_[{Clock::now() + std::chrono::milliseconds(delay_ms), ++last_id_}] = std::move(task);
    return last_id_;
  }
  void cancel_timer(TimerId id) override {
    std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
  }

  // A test that waits for what never comes is ended by ctest's timeout.
  template <class Condition>
  void run_until(Condition is_done) {
    while (!is_done()) run_once(is_done, -1);
  }
  // False when it is not done in time: then the test says what it was waiting for. The time is far above what anything
  // takes; no verdict depends on it.
  template <class Condition>
  [[nodiscard]] bool run_within(Condition is_done, int deadline_ms = 60'000) {
    const auto end = Clock::now() + std::chrono::milliseconds(deadline_ms);
    while (!is_done()) {
      if (Clock::now() >= end) return false;
      run_once(is_done, 50);
    }
    return true;
  }
  // One turn: waits for at most `wait_ms` (-1: until something comes), then runs what is there.
  void turn(int wait_ms) {
    run_once([] { return false; }, wait_ms);
  }

  // For tests of who cleans up behind himself.
  [[nodiscard]] std::size_t watched() const { return watches_.size(); }
  [[nodiscard]] std::size_t armed_timers() const { return timers_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Watch {
    int fd = -1;
    short events = 0;
    std::function<void(short)> ready;
  };

  template <class Condition>
  void run_once(const Condition& is_done, int wait_ms) {
    while (run_posted()) {
      if (is_done()) return;
    }
    if (!timers_.empty()) {
      const auto left = timers_.begin()->first.first - Clock::now();
      const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      const int due_ms = left_ms < 0 ? 0 : static_cast<int>(left_ms);
      wait_ms = wait_ms < 0 ? due_ms : std::min(wait_ms, due_ms);
    }
    std::vector<pollfd> fds = {{.fd = wake_fd_, .events = POLLIN, .revents = 0}};
    std::vector<std::uint64_t> ids = {0};
    for (const auto& [id, watch] : watches_) {
      fds.push_back({.fd = watch.fd, .events = watch.events, .revents = 0});
      ids.push_back(id);
    }
    poll(fds.data(), fds.size(), wait_ms);
    std::uint64_t ignored = 0;
    if (fds[0].revents != 0) (void)!::read(wake_fd_, &ignored, sizeof(ignored));
    for (std::size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      const auto found = watches_.find(ids[i]);
      if (found == watches_.end()) continue;
      const auto ready = found->second.ready;  // a copy: it may unwatch itself
      ready(fds[i].revents);
    }
    while (!timers_.empty() && timers_.begin()->first.first <= Clock::now()) {
      const Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
    }
  }
  bool run_posted() {
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

  const int wake_fd_;
  std::mutex mutex_;
  std::deque<Task> posted_;
  std::map<std::uint64_t, Watch> watches_;
  std::map<std::pair<Clock::time_point, TimerId>, Task> timers_;
  std::uint64_t last_id_ = 0;
};

}  // namespace uproar::storage
