#include "core/runtime/shard_thread.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/runtime/clock.h"

namespace uproar::runtime {
namespace {

// The slot of a kWake completion: the shard that sent it, or this for the eventfd.
constexpr CompletionKey kEventKey{
    .kind = OpKind::kWake, .generation = 0, .slot = std::numeric_limits<std::uint32_t>::max()};

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

std::uint32_t ShardContext::index() const {
  return thread_.options_.index;
}
Ring& ShardContext::ring() {
  return *thread_.ring_;
}
TimerWheel& ShardContext::timers() {
  return *thread_.timers_;
}
Inbox& ShardContext::inbox() {
  return *thread_.inbox_;
}
const Now& ShardContext::now() const {
  return thread_.now_;
}

void ShardContext::wake(Waker& other) {
  (void)other.wake_from(*thread_.ring_, thread_.options_.index);
}

void ShardContext::stop() {
  thread_.stop_requested_.store(true, std::memory_order_release);
}

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

void ShardThread::watch_wakes() {
  ring_->arm_poll(waker_->event_fd(), POLLIN, kEventKey, Ring::PollMode::kMultishot);
}

void ShardThread::on_wake(const Completion& completion) {
  if (completion.key != kEventKey)
    return;  // another shard: it has done its work by ending the sleep
  waker_->clear_event();
  if (!completion.more) watch_wakes();
}

unsigned ShardThread::reap(unsigned completions_max) {
  return ring_->reap(
      [this](const Completion& completion) {
        if (completion.key.kind == OpKind::kWake) {
          on_wake(completion);
        } else {
          handler_.on_completion(completion);
        }
      },
      completions_max);
}

unsigned ShardThread::reap_turn() {
  unsigned total = reap(kCompletionsPerTurnMax);
  unsigned last = total;
  for (std::uint32_t round = 0; round < kDrainRoundsMax; ++round) {
    if (last < kDrainAgainCompletions || total >= kCompletionsPerTurnMax) break;
    ring_->submit_and_run();
    last = reap(kCompletionsPerTurnMax - total);
    total += last;
  }
  return total;
}

std::int64_t ShardThread::sleep_us() const {
  const std::int64_t deadline = std::min(timers_->next_deadline_us(), handler_.next_deadline_us());
  return std::clamp<std::int64_t>(deadline - std::min(deadline, monotonic_us()), 0, kSleepMaxUs);
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

    now_ = read_clock();
    counters_.turns.add();
    const unsigned completions = reap_turn();
    if (completions >= kCompletionsPerTurnMax) counters_.turns_cut.add();
    handler_.on_parcels();
    counters_.tasks.add(inbox_->drain([](Task&& task) { task(); }, kTasksPerTurnMax));
    left_over =
        timers_->advance(now_.monotonic_us, kTimerStepsPerTurnMax, [this](std::uint64_t key) {
          counters_.timers_fired.add();
          handler_.on_timer(key);
        });
    handler_.on_tick(now_);
    left_over = handler_.flush(now_) || left_over;

    counters_.turn_completions.record(completions);
    counters_.turn_us.record(
        static_cast<std::uint64_t>(std::max<std::int64_t>(monotonic_us() - now_.monotonic_us, 0)));
  }
}

}  // namespace uproar::runtime
