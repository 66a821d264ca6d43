#pragma once

// storage::Reactor over a shard's ring: watched descriptors are polls, timers are the wheel's, posts from other
// threads come through the shard's inbox.

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/runtime/io.h"
#include "core/runtime/shard_thread.h"
#include "storage/reactor.h"

namespace uproar::server {

class RingReactor final : public storage::Reactor {
 public:
  // `thread` is prepared and outlives the reactor. post() may be used at once, the rest from attach() on.
  explicit RingReactor(runtime::ShardThread& thread) : thread_(thread) {}

  // On the shard thread, once.
  void attach(runtime::ShardContext& context) { context_ = &context; }
  // On the shard thread, when it ends: the ring is about to. A store's client that dies later may still unwatch and
  // cancel, which then only forgets; nothing fires any more.
  void detach() { context_ = nullptr; }

  void post(Task task) override;
  WatchId watch(int fd, short events, std::function<void(short)> ready) override;
  void unwatch(WatchId id) override;
  TimerId arm_timer(std::uint32_t delay_ms, Task task) override;
  void cancel_timer(TimerId id) override;

  // From the shard's turn handler.
  void on_completion(const runtime::Completion& completion);  // kPoll
  void on_timer(std::uint64_t key);
  void run_posted();
  [[nodiscard]] bool posted_waiting();

 private:
  struct Watch {
    int fd = -1;
    short events = 0;
    std::function<void(short)> ready;
  };
  struct Timer {
    runtime::TimerHandle handle;
    Task task;
  };
  [[nodiscard]] static runtime::CompletionKey key_of(WatchId id);

  runtime::ShardThread& thread_;
  runtime::ShardContext* context_ = nullptr;
  // By ids that are never used twice in 2^24 watches, so a late completion finds nobody.
  absl::flat_hash_map<WatchId, Watch> watches_;
  absl::flat_hash_map<TimerId, Timer> timers_;
  WatchId next_watch_ = 1;
  TimerId next_timer_ = 1;

  std::mutex mutex_;
  std::vector<Task> posted_;  // under mutex_; bounded by the requests that the store has accepted
  std::vector<Task> running_;
};

}  // namespace uproar::server
