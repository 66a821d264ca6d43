// What else of core/runtime and proto/crypto stands between a shard and the machine: its thread, its waker, the clock and
// random bytes. A shard's turns are those of core/runtime/shard_turn.cc, one at a time, when the kernel says so.
#include <algorithm>
#include <utility>

#include "core/runtime/clock.h"
#include "core/runtime/shard_thread.h"
#include "core/runtime/waker.h"
#include "proto/crypto/random.h"
#include "tests/sim/kernel.h"

namespace uproar::runtime {

// --- clock -----------------------------------------------------------------------------------------------------------

Now read_clock() {
  return sim::Kernel::current().now();
}
std::int64_t monotonic_us() {
  return sim::Kernel::current().now_us();
}

// --- waker -----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Waker>, SystemError> Waker::create(int ring_fd) {
  return std::unique_ptr<Waker>(new Waker(ring_fd, -1));
}
Waker::~Waker() = default;
void Waker::clear_event() {}
bool Waker::wake_from(Ring& sender, std::uint32_t sender_shard) {
  if (!claim()) return false;
  sender.wake(ring_fd_, sender_shard);
  return true;
}
bool Waker::wake_from_thread() {
  if (!claim()) return false;
  sim::Kernel::current().poke(static_cast<std::uint32_t>(ring_fd_ - sim::Kernel::kRingFds));
  return true;
}

// --- thread ----------------------------------------------------------------------------------------------------------

struct ShardThread::Start {};

ShardThread::ShardThread(Options options, TurnHandler& handler)
    : options_(options), handler_(handler) {}
ShardThread::~ShardThread() {
  if (ring_ != nullptr) ring_->shut_down();
}

Result<void, SystemError> ShardThread::prepare() {
  auto ring = Ring::create(options_.ring);  // cannot fail here
  ring_ = std::move(*ring);
  auto waker = Waker::create(ring_->fd());
  waker_ = std::move(*waker);
  inbox_ = std::make_unique<Inbox>(options_.inbox_tasks, waker_.get());
  return {};
}

Result<void, SystemError> ShardThread::start() {
  now_ = read_clock();
  timers_ = std::make_unique<TimerWheel>(now_.monotonic_us, options_.timers_max);
  (void)ring_->enable();
  const auto started = handler_.on_start(context_);
  if (!started.ok()) return started;
  const auto number = static_cast<std::uint32_t>(ring_->fd() - sim::Kernel::kRingFds);
  sim::Kernel::current().started(number, [this] { loop(); });
  return {};
}

// One round of the loop: what is left over, or has come, makes the next one due soon; else it sleeps.
void ShardThread::loop() {
  sim::Kernel& kernel = sim::Kernel::current();
  const auto number = static_cast<std::uint32_t>(ring_->fd() - sim::Kernel::kRingFds);
  waker_->awake();
  ring_->submit_and_run();
  const bool left_over = turn();
  const std::int64_t turn_us = kernel.between(2, 40);
  const bool idle = !left_over && ring_->ready() == 0;
  if (idle) waker_->prepare_sleep();
  if (idle && inbox_->empty() && !handler_.parcels_waiting()) {
    ring_->submit_and_run();
    if (ring_->ready() == 0)
      return kernel.schedule(number,
                             kernel.now_us() + turn_us + std::max<std::int64_t>(sleep_us(), 1));
  }
  waker_->awake();
  kernel.schedule(number, kernel.now_us() + turn_us);
}

void ShardThread::request_stop() {
  stop_requested_.store(true, std::memory_order_release);
}
void ShardThread::join() {
  if (ring_ == nullptr || !stop_requested_.load(std::memory_order_acquire)) return;
  handler_.on_stop();
  ring_->shut_down();
}
const RingCounters& ShardThread::ring_counters() const {
  return ring_->counters();
}

}  // namespace uproar::runtime

namespace uproar::crypto {

void fill_random(MutableBytes out) {
  for (std::byte& each : out) each = static_cast<std::byte>(sim::Kernel::current().random(256));
}

}  // namespace uproar::crypto
