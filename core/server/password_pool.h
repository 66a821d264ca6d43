#pragma once

// Passwords on the blocking pool: argon2id takes 20 ms, which is a thousand deliveries.

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/gateway/password_queue.h"
#include "core/gateway/password_worker.h"
#include "core/runtime/blocking_pool.h"
#include "proto/auth/password_hash.h"

namespace uproar::server {

// The one line of the node's passwords before its pool. A place in the pool's own queue belongs to
// nobody: a thread that comes to it takes whoever is next by then.
class PasswordLine {
 public:
  // `pool` outlives it, is for passwords alone and is stopped before it goes: what is accepted is
  // run.
  explicit PasswordLine(runtime::BlockingPool& pool) : pool_(pool) {}

  // Any thread. `job` is called once, on a thread of the pool or, when it has no place or loses it,
  // on the thread that pushes.
  void push(gateway::PasswordTurn turn, gateway::PasswordQueue::Job job) {
    std::optional<gateway::PasswordQueue::Job> without_room;
    {
      const std::lock_guard lock(mutex_);
      without_room = queue_.push(turn, std::move(job));
      // The pool has as many places as there are jobs in the line. It takes nothing more once it is
      // being stopped.
      if (!without_room && !pool_.try_submit(runtime::Task([this] { run_next(); })))
        without_room = queue_.pop();
    }
    if (without_room) (*without_room)(gateway::PasswordQueue::Fate::kNoRoom);
  }

 private:
  void run_next() {
    std::optional<gateway::PasswordQueue::Job> job;
    {
      const std::lock_guard lock(mutex_);
      job = queue_.pop();
    }
    if (job) (*job)(gateway::PasswordQueue::Fate::kRun);
  }

  runtime::BlockingPool& pool_;
  std::mutex mutex_;
  gateway::PasswordQueue queue_;  // under mutex_
};

// One shard's door to it.
class PasswordPool final : public gateway::PasswordWorker {
 public:
  // Both outlive it.
  PasswordPool(PasswordLine& line, runtime::Inbox& inbox) : line_(line), inbox_(inbox) {}

  bool hash(gateway::PasswordTurn turn, std::string password,
            std::function<void(std::optional<std::string>)> done) override {
    return run<std::optional<std::string>>(
        turn, [password = std::move(password)] { return auth::hash_password(password); },
        std::nullopt, std::move(done));
  }
  bool verify(gateway::PasswordTurn turn, std::string password, std::string hash,
              std::function<void(gateway::PasswordVerdict)> done) override {
    using gateway::PasswordVerdict;
    return run<PasswordVerdict>(
        turn,
        [password = std::move(password), hash = std::move(hash)] {
          if (hash.empty()) {
            auth::verify_nothing(password);
            return PasswordVerdict::kWrong;
          }
          return auth::verify_password(password, hash) ? PasswordVerdict::kRight
                                                       : PasswordVerdict::kWrong;
        },
        PasswordVerdict::kUnserved, std::move(done));
  }

 private:
  template <class Answer, class Work>
  bool run(gateway::PasswordTurn turn, Work work, Answer without_room,
           std::function<void(Answer)> done) {
    if (!inbox_.try_reserve()) return false;
    line_.push(turn, [this, work = std::move(work), without_room = std::move(without_room),
                      done = std::move(done)](gateway::PasswordQueue::Fate fate) mutable {
      Answer answer = fate == gateway::PasswordQueue::Fate::kRun ? work() : std::move(without_room);
      inbox_.post_reserved(
          runtime::Task([done = std::move(done), answer = std::move(answer)]() mutable {
            done(std::move(answer));
          }));
    });
    return true;
  }

  PasswordLine& line_;
  runtime::Inbox& inbox_;
};

}  // namespace uproar::server
