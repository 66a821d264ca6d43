#include "core/server/ring_reactor.h"

#include <poll.h>

namespace uproar::server {

runtime::CompletionKey RingReactor::key_of(WatchId id) {
  return {.kind = runtime::OpKind::kPoll, .generation = 0, .slot = id};
}

void RingReactor::post(Task task) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  // One task in the inbox wakes the shard for all that is posted until it runs. With a full inbox the shard is awake
  // anyway and looks here in its next turn.
  if (first) (void)thread_.post(runtime::Task([this] { run_posted(); }));
}

bool RingReactor::posted_waiting() {
  const std::lock_guard lock(mutex_);
  return !posted_.empty();
}

void RingReactor::run_posted() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
  }
  for (Task& task : running_) task();
  running_.clear();
}

RingReactor::WatchId RingReactor::watch(int fd, short events, std::function<void(short)> ready) {
  const WatchId id = next_watch_++;
  watches_.emplace(id, Watch{.fd = fd, .events = events, .ready = std::move(ready)});
  context_->ring().arm_poll(fd, static_cast<std::uint32_t>(events), key_of(id),
                            runtime::Ring::PollMode::kOnce);
  return id;
}

void RingReactor::unwatch(WatchId id) {
  if (watches_.erase(id) == 0 || context_ == nullptr) return;
  context_->ring().cancel(key_of(id), {.kind = runtime::OpKind::kPoll, .generation = 0, .slot = 0});
  // The library may close the descriptor right after this: the cancel must be in the kernel by then.
  context_->ring().submit();
}

void RingReactor::on_completion(const runtime::Completion& completion) {
  const WatchId id = completion.key.slot;
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;     // unwatched meanwhile, or the cancel's own completion
  const auto ready = found->second.ready;  // a copy: it may unwatch itself
  ready(completion.result >= 0 ? static_cast<short>(completion.result)
                               : static_cast<short>(POLLERR));
  const auto still = watches_.find(id);
  if (still == watches_.end()) return;
  context_->ring().arm_poll(still->second.fd, static_cast<std::uint32_t>(still->second.events),
                            key_of(id), runtime::Ring::PollMode::kOnce);
}

RingReactor::TimerId RingReactor::arm_timer(std::uint32_t delay_ms, Task task) {
  const TimerId id = next_timer_++;
  const std::int64_t deadline_us = context_->now().monotonic_us + std::int64_t{delay_ms} * 1000;
  const runtime::TimerHandle handle = context_->timers().arm(deadline_us, id);
  UPROAR_CHECK(handle.is_set());  // the store keeps a handful of timers
  timers_.emplace(id, Timer{.handle = handle, .task = std::move(task)});
  return id;
}

void RingReactor::cancel_timer(TimerId id) {
  const auto found = timers_.find(id);
  if (found == timers_.end()) return;
  if (context_ != nullptr) context_->timers().cancel(found->second.handle);
  timers_.erase(found);
}

void RingReactor::on_timer(std::uint64_t key) {
  auto found = timers_.extract(key);
  if (!found.empty()) found.mapped().task();
}

}  // namespace uproar::server
