#pragma once

// ShardThread: one pinned thread, its ring and its loop. The owner supplies a TurnHandler;
// everything the handler does happens on this thread.
//
// A turn:
//   1. submit what was started, wait (or not), in one system call
//   2. read the clock: `now` stands still for the rest of the turn
//   3. completions        -> on_completion, kCompletionsPerTurnMax at most
//   4. parcels of shards  -> on_parcels
//   5. tasks from outside -> each task, kTasksPerTurnMax at most
//   6. timers due         -> on_timer
//   7. on_tick, then flush: the turn's output is started here
// The turn sleeps in 1 only if nothing is left over: no completion, parcel, task or due timer,
// flush() said false.
//
// The virtual calls are per completion and per turn; per recipient there is none (fan-out runs
// inside flush).

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "core/runtime/limits.h"
#include "core/runtime/mpsc_inbox.h"
#include "core/runtime/ring.h"
#include "core/runtime/timer_wheel.h"
#include "core/runtime/waker.h"
#include "proto/base/counters.h"
#include "proto/base/now.h"
#include "proto/base/result.h"

namespace uproar::runtime {

class ShardThread;

// Written by the shard thread, read by anyone.
struct TurnCounters {
  Counter turns;
  Counter sleeps;       // turns that waited
  Counter sleeps_idle;  // waits that ended by their timeout: a deadline, kSleepMaxUs, a lost wake
  Counter tasks;        // tasks run from the inbox
  Counter timers_fired;
  Counter turns_cut;  // turns that left completions for the next one
  Histogram turn_us;  // work per turn, waiting excluded
  Histogram turn_completions;
};

// What a handler may touch. Lives from on_start to the end of on_stop; shard thread only unless
// said otherwise.
class ShardContext {
 public:
  [[nodiscard]] std::uint32_t index() const;
  [[nodiscard]] Ring& ring();
  [[nodiscard]] TimerWheel& timers();    // fires come as on_timer(key)
  [[nodiscard]] Inbox& inbox();          // any thread may post
  [[nodiscard]] const Now& now() const;  // of this turn

  // After publishing into a mailbox of `other`: wakes it if it sleeps; travels with the next
  // submit.
  void wake(Waker& other);

  // Ends the loop after this turn.
  void stop();

 private:
  friend class ShardThread;
  explicit ShardContext(ShardThread& thread) : thread_(thread) {}
  ShardThread& thread_;
};

class TurnHandler {
 public:
  TurnHandler() = default;
  TurnHandler(const TurnHandler&) = delete;
  TurnHandler& operator=(const TurnHandler&) = delete;
  virtual ~TurnHandler() = default;

  // First call, on the shard thread, with the ring enabled: arm listeners here. An error ends the
  // thread and is what start() returns.
  [[nodiscard]] virtual Result<void, SystemError> on_start(ShardContext& context) = 0;
  // Every completion except kWake. `completion.buffer` dies when it returns.
  virtual void on_completion(const Completion& completion) = 0;
  // Once per turn: drain the mailboxes of this shard, a bounded number.
  virtual void on_parcels() {}
  // True if any mailbox of this shard is not empty. Asked before sleeping, after the sleeping flag
  // is up.
  [[nodiscard]] virtual bool parcels_waiting() const { return false; }
  // A timer of context.timers() was due.
  virtual void on_timer(std::uint64_t key) { (void)key; }
  // Once per turn, after all input.
  virtual void on_tick(const Now& now) { (void)now; }
  // Once per turn, last: start the turn's output, publish mailboxes, wake their shards. The last,
  // partial batch needs no submit: it travels in the call that waits. True: more output is waiting,
  // come again without sleeping.
  [[nodiscard]] virtual bool flush(const Now& now) = 0;
  // Monotonic time in microseconds at which on_tick wants to be called though nothing happens; for
  // deadlines kept outside the timer wheel.
  [[nodiscard]] virtual std::int64_t next_deadline_us() const { return TimerWheel::kNever; }
  // Last call, on the shard thread, after the loop; the ring still works for one final submit.
  virtual void on_stop() {}
};

class ShardThread {
 public:
  struct Options {
    std::uint32_t index = 0;
    bool pin = true;  // to the index-th processor this process may use, modulo their number
    Ring::Options ring;
    std::uint32_t inbox_tasks = kInboxTasks;
    std::uint32_t timers_max = kTimersMax;
  };

  // `handler` outlives this object and is called on the shard thread only.
  ShardThread(Options options, TurnHandler& handler);
  ~ShardThread();  // request_stop() and join()
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  // Makes ring, waker and inbox on the caller's thread: after it, waker() and inbox() may be given
  // to other shards, before any of them runs. start() prepares by itself if that was not done.
  [[nodiscard]] Result<void, SystemError> prepare();
  // Starts the thread; returns when on_start has returned.
  [[nodiscard]] Result<void, SystemError> start();
  // Any thread, also before the loop runs. The loop ends after its turn; tasks posted until then
  // are run.
  void request_stop();
  // Waits for the thread's end.
  void join();

  // Any thread, after prepare(). Runs the task on the shard, in a later turn. False: the inbox is
  // full.
  [[nodiscard]] bool post(Task&& task) { return inbox_->try_post(std::move(task)); }
  [[nodiscard]] Waker& waker() { return *waker_; }
  [[nodiscard]] Inbox& inbox() { return *inbox_; }
  [[nodiscard]] const TurnCounters& counters() const { return counters_; }
  // REQUIRES: prepared.
  [[nodiscard]] const RingCounters& ring_counters() const;
  [[nodiscard]] std::uint32_t index() const { return options_.index; }

 private:
  friend class ShardContext;

  struct Start;
  // shard_thread.cc: the thread, and when it sleeps.
  void main(Start& start);
  void loop();

  // shard_turn.cc: steps 2 to 7. True: something is left over, do not sleep.
  bool turn();
  void watch_wakes();
  unsigned reap(unsigned completions_max);
  unsigned reap_turn();
  void on_wake(const Completion& completion);
  [[nodiscard]] std::int64_t sleep_us() const;

  const Options options_;
  TurnHandler& handler_;
  ShardContext context_{*this};
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<Waker> waker_;
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<TimerWheel> timers_;
  Now now_;
  TurnCounters counters_;
  std::atomic<bool> stop_requested_{false};
  std::thread thread_;
};

}  // namespace uproar::runtime
