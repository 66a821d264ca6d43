#include "core/runtime/shard_thread.h"

#include <pthread.h>
#include <sched.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/runtime/clock.h"

namespace uproar::runtime {
namespace {

// Best effort: containers may refuse, and a shard works on any processor.
void pin_this_thread(std::uint32_t index) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  if (cpus.empty()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpus[index % cpus.size()], &one);
  (void)::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
}

}  // namespace

// How start() learns what became of on_start().
struct ShardThread::Start {
  std::mutex mutex;
  std::condition_variable ended;
  std::optional<Result<void, SystemError>> result;

  void end(Result<void, SystemError> value) {
    const std::lock_guard lock(mutex);
    result = std::move(value);
    ended.notify_one();  // under the lock: the waiter destroys this object
  }
};

ShardThread::ShardThread(Options options, TurnHandler& handler)
    : options_(options), handler_(handler) {}

ShardThread::~ShardThread() {
  request_stop();
  join();
}

Result<void, SystemError> ShardThread::prepare() {
  if (ring_ != nullptr) return {};
  auto ring = Ring::create(options_.ring);
  if (!ring.ok()) return Err{ring.error()};
  auto waker = Waker::create((*ring)->fd());
  if (!waker.ok()) return Err{waker.error()};
  ring_ = std::move(*ring);
  waker_ = std::move(*waker);
  inbox_ = std::make_unique<Inbox>(options_.inbox_tasks, waker_.get());
  return {};
}

Result<void, SystemError> ShardThread::start() {
  UPROAR_CHECK(!thread_.joinable());
  if (auto prepared = prepare(); !prepared.ok()) return prepared;
  Start start;
  thread_ = std::thread([this, &start] { main(start); });
  std::unique_lock lock(start.mutex);
  start.ended.wait(lock, [&start] { return start.result.has_value(); });
  return *std::move(start.result);
}

void ShardThread::request_stop() {
  stop_requested_.store(true, std::memory_order_release);
  if (waker_ != nullptr) (void)waker_->wake_from_thread();
}

void ShardThread::join() {
  if (thread_.joinable()) thread_.join();
}

const RingCounters& ShardThread::ring_counters() const {
  return ring_->counters();
}

void ShardThread::main(Start& start) {
  ::pthread_setname_np(::pthread_self(), ("shard-" + std::to_string(options_.index)).c_str());
  if (options_.pin) pin_this_thread(options_.index);
  now_ = read_clock();
  timers_ = std::make_unique<TimerWheel>(now_.monotonic_us, options_.timers_max);

  Result<void, SystemError> started = ring_->enable();
  if (started.ok()) {
    watch_wakes();
    started = handler_.on_start(context_);
  }
  const bool runs = started.ok();
  start.end(std::move(started));  // `start` is gone from here on
  if (runs) {
    loop();
    // Results that were promised to this shard still reach it; what the tasks start leaves with
    // on_stop's submit.
    inbox_->drain([](Task&& task) { task(); }, options_.inbox_tasks);
    handler_.on_stop();
  }
  ring_->shut_down();
}

void ShardThread::loop() {
  bool left_over =
      true;  // the last turn did not finish everything; at first, on_start may have output
  while (!stop_requested_.load(std::memory_order_acquire)) {
    const bool idle = !left_over && ring_->ready() == 0;
    if (idle) waker_->prepare_sleep();
    // Looked at after the flag is up: what came before is seen here, what comes later wakes.
    if (idle && inbox_->empty() && !handler_.parcels_waiting() &&
        !stop_requested_.load(std::memory_order_acquire)) {
      counters_.sleeps.add();
      ring_->submit_and_wait(1, sleep_us());
      if (ring_->ready() == 0) counters_.sleeps_idle.add();
    } else {
      ring_->submit_and_run();
    }
    if (idle) waker_->awake();

    left_over = turn();
  }
}

}  // namespace uproar::runtime
