#pragma once

// BlockingPool: a few threads for work that may block (argon2id, file I/O that the ring does not
// do), bounded in jobs. A job's result comes back as a task on the shard that asked.
//
//   const bool accepted = pool.run(context.inbox(),
//       [password = std::move(password)] { return hash(password); },     // on a pool thread
//       [this, id](Hash hash) { login_hashed(id, hash); });              // on the shard, in a
//       later turn
//   if (!accepted) …overloaded…
//
// Order of the end: stop() first (runs what was accepted, joins the threads, so no result is lost),
// then the shards, which drain their inboxes, then the inboxes.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/runtime/limits.h"
#include "core/runtime/mpsc_inbox.h"
#include "core/runtime/task.h"

namespace uproar::runtime {

class BlockingPool {
 public:
  struct Options {
    std::uint32_t threads = kBlockingThreads;
    std::uint32_t jobs_max = kBlockingJobsMax;  // accepted and not yet begun
    int nice = kBlockingNice;                   // of its threads, so that shards go first
  };

  explicit BlockingPool(Options options);
  ~BlockingPool();  // stop()
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Any thread. False: jobs_max wait already, or the pool is stopping; `job` is untouched.
  [[nodiscard]] bool try_submit(Task&& job);

  // Any thread. Runs work() on the pool, then done(result) (done() for void) on the owner of
  // `inbox`. False: the pool or the inbox is full, or the pool is stopping; neither will be called.
  template <class Work, class Done>
  [[nodiscard]] bool run(Inbox& inbox, Work work, Done done) {
    if (!inbox.try_reserve()) return false;
    Task job([&inbox, work = std::move(work), done = std::move(done)]() mutable {
      if constexpr (std::is_void_v<std::invoke_result_t<Work&>>) {
        work();
        inbox.post_reserved(Task(std::move(done)));
      } else {
        inbox.post_reserved(
            Task([done = std::move(done), result = work()]() mutable { done(std::move(result)); }));
      }
    });
    if (try_submit(std::move(job))) return true;
    inbox.unreserve();
    return false;
  }

  // Accepts nothing more, runs what was accepted, joins. Not from a pool thread. May be called
  // twice.
  void stop();

  [[nodiscard]] std::uint32_t waiting() const;

 private:
  void run_jobs();

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable job_came_;
  std::deque<Task> jobs_;  // under mutex_
  bool stopping_ = false;  // under mutex_
  std::vector<std::thread> threads_;
};

}  // namespace uproar::runtime
