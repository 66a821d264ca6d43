// One turn of the loop, apart from the thread that repeats it: the simulator (tests/sim) runs the same turns on virtual time.
#include <poll.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/runtime/clock.h"
#include "core/runtime/shard_thread.h"

namespace uproar::runtime {
namespace {

// The slot of a kWake completion: the shard that sent it, or this for the eventfd.
constexpr CompletionKey kEventKey{
    .kind = OpKind::kWake, .generation = 0, .slot = std::numeric_limits<std::uint32_t>::max()};

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

bool ShardThread::turn() {
  now_ = read_clock();
  counters_.turns.add();
  const unsigned completions = reap_turn();
  if (completions >= kCompletionsPerTurnMax) counters_.turns_cut.add();
  handler_.on_parcels();
  counters_.tasks.add(inbox_->drain([](Task&& task) { task(); }, kTasksPerTurnMax));
  bool left_over =
      timers_->advance(now_.monotonic_us, kTimerStepsPerTurnMax, [this](std::uint64_t key) {
        counters_.timers_fired.add();
        handler_.on_timer(key);
      });
  handler_.on_tick(now_);
  left_over = handler_.flush(now_) || left_over;

  counters_.turn_completions.record(completions);
  counters_.turn_us.record(
      static_cast<std::uint64_t>(std::max<std::int64_t>(monotonic_us() - now_.monotonic_us, 0)));
  return left_over;
}

}  // namespace uproar::runtime
