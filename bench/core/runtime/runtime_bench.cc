// Micro benchmarks of the shard machine. Per item: one parcel, one timer operation, one ring
// operation.

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <liburing.h>

#include "core/runtime/mailbox.h"
#include "core/runtime/ring.h"
#include "core/runtime/timer_wheel.h"
#include "core/runtime/waker.h"

namespace uproar::runtime {
namespace {

struct Parcel {
  std::array<std::uint64_t, 8> words{};
};
static_assert(sizeof(Parcel) == 64);
constexpr std::uint32_t kMailboxParcels = 4096;

// Push and pop on one core: what the structure costs without the traffic between cores.
void mailbox_push_pop(benchmark::State& state) {
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  Mailbox<Parcel> mailbox(kMailboxParcels);
  std::uint64_t sum = 0;
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < batch; ++i) {
      if (!mailbox.try_push(Parcel{})) state.SkipWithError("full");
    }
    mailbox.publish();
    mailbox.drain([&](Parcel&& parcel) { sum += parcel.words[0]; }, batch);
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(mailbox_push_pop)->Arg(1)->Arg(16)->Arg(256);

// A consumer on another thread drains as fast as it can; the producer publishes every `batch`.
void mailbox_between_threads(benchmark::State& state) {
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  Mailbox<Parcel> mailbox(kMailboxParcels);
  std::atomic<bool> stop{false};
  std::thread consumer([&] {
    std::uint64_t sum = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      if (mailbox.drain([&](Parcel&& parcel) { sum += parcel.words[0]; }, 256) == 0)
        std::this_thread::yield();
    }
    benchmark::DoNotOptimize(sum);
  });
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < batch; ++i) {
      while (!mailbox.try_push(Parcel{})) {
        mailbox.publish();
        std::this_thread::yield();
      }
    }
    mailbox.publish();
  }
  stop.store(true);
  consumer.join();
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(mailbox_between_threads)->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

// What a turn pays per target that is awake.
void waker_of_an_awake_shard(benchmark::State& state) {
  auto waker = Waker::create(-1);
  for (auto _ : state) benchmark::DoNotOptimize((*waker)->wake_from_thread());
}
BENCHMARK(waker_of_an_awake_shard);

void timer_arm_cancel(benchmark::State& state) {
  TimerWheel wheel(0);
  for (int i = 0; i < state.range(0); ++i) (void)wheel.arm(120'000'000 + i, 0);
  for (auto _ : state) {
    const TimerHandle handle = wheel.arm(60'000'000, 1);
    benchmark::DoNotOptimize(wheel.cancel(handle));
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(timer_arm_cancel)->Arg(0)->Arg(100'000);

// Heartbeats: each of n connections moves its deadline in turn, a millisecond passes per 100 of
// them.
void timer_rearm_heartbeats(benchmark::State& state) {
  TimerWheel wheel(0);
  std::vector<TimerHandle> handles;
  for (int i = 0; i < state.range(0); ++i) handles.push_back(wheel.arm(120'000'000, 0));
  std::int64_t now = 0;
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(wheel.rearm(handles[next], now + 120'000'000));
    next = next + 1 == handles.size() ? 0 : next + 1;
    if (next % 100 == 0) {
      now += 1000;
      wheel.advance(now, 4096, [](std::uint64_t) {});
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(timer_rearm_heartbeats)->Arg(1'000)->Arg(100'000);

void timer_arm_and_fire(benchmark::State& state) {
  TimerWheel wheel(0);
  std::int64_t now = 0;
  std::uint64_t fired = 0;
  for (auto _ : state) {
    for (int i = 0; i < 256; ++i) (void)wheel.arm(now + 100'000 + i * 4000, 1);
    now += 2'000'000;
    wheel.advance(now, 100'000, [&](std::uint64_t) { ++fired; });
  }
  if (fired != static_cast<std::uint64_t>(state.iterations()) * 256)
    state.SkipWithError("lost a timer");
  state.SetItemsProcessed(static_cast<std::int64_t>(fired));
}
BENCHMARK(timer_arm_and_fire);

void ring_nop(benchmark::State& state) {
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  auto ring = Ring::create({.direct_slots = 16, .recv_buffers = 16});
  if (!ring.ok() || !(*ring)->enable().ok()) {
    state.SkipWithError("no ring");
    return;
  }
  std::uint64_t completed = 0;
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < batch; ++i)
      (*ring)->nop({.kind = OpKind::kClose, .generation = 0, .slot = i});
    (*ring)->submit_and_run();
    completed += (*ring)->reap([](const Completion&) {}, batch);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(completed));
}
BENCHMARK(ring_nop)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->Arg(1024);

// The floor of the one above: the same through the library alone, in the same session.
void liburing_nop(benchmark::State& state) {
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  io_uring ring{};
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = kCqEntries;
  if (::io_uring_queue_init_params(kSqEntries, &ring, &params) < 0 ||
      ::io_uring_register_ring_fd(&ring) < 0) {
    state.SkipWithError("no ring");
    return;
  }
  std::uint64_t completed = 0;
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < batch; ++i) {
      io_uring_sqe* entry = ::io_uring_get_sqe(&ring);
      ::io_uring_prep_nop(entry);
      entry->user_data = i;
    }
    ::io_uring_submit_and_get_events(&ring);
    io_uring_cqe* cqe = nullptr;
    while (::io_uring_peek_cqe(&ring, &cqe) == 0) {
      ::io_uring_cqe_seen(&ring, cqe);
      ++completed;
    }
  }
  ::io_uring_queue_exit(&ring);
  state.SetItemsProcessed(static_cast<std::int64_t>(completed));
}
BENCHMARK(liburing_nop)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->Arg(1024);

}  // namespace
}  // namespace uproar::runtime
