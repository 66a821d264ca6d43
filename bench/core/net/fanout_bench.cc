// Fan-out of one topic: what this layer itself costs per delivery (sends that go nowhere), and over real sockets beside
// a plain send() loop over the same sockets in the same run.
//
//   NetOnly/members/frames   CPU in user space alone; allocations per delivery are counted and must be 0
//   Sockets/members/frames   ring and loopback TCP; ns per delivery is the thread's CPU
//   SendLoop/members/frames  send() of each frame to each of those sockets
//   SendLoopRun/...          send() of the frames of a turn as one buffer: what coalescing alone would give
//
// Readers are a second thread on another core; a run says nothing if that thread is the bottleneck: compare the rows.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <time.h>

#include "bench/core/net/allocation_counter.h"
#include "bench/core/net/null_room.h"
#include "core/net/listener.h"
#include "core/net/shard_net-inl.h"
#include "core/runtime/clock.h"
#include "core/runtime/ring.h"
#include "proto/ws/frame_writer.h"

namespace uproar::net {
namespace {

std::int64_t thread_cpu_ns() {
  timespec at{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return at.tv_sec * 1'000'000'000LL + at.tv_nsec;
}

void pin(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % std::thread::hardware_concurrency(), &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

EncodedMessage payload() {
  return {.plain = ws::text_frame(std::string(128, 'x')), .deflated = {}};
}

void NetOnly(benchmark::State& state) {
  const auto members = static_cast<std::uint32_t>(state.range(0));
  const auto frames = state.range(1);
  NullRoom room(members);
  const EncodedMessage message = payload();
  const auto round = [&] { room.turn(frames, message, DeliveryClass::kEphemeral); };
  for (int i = 0; i < 10; ++i) round();
  const std::uint64_t sent_before = room.sends();
  const std::uint64_t before = allocations_so_far();
  for (auto _ : state) round();
  const auto deliveries =
      static_cast<double>(state.iterations()) * members * static_cast<double>(frames);
  state.counters["allocations_per_delivery"] =
      static_cast<double>(allocations_so_far() - before) / deliveries;
  state.counters["sends_per_delivery"] =
      static_cast<double>(room.sends() - sent_before) / deliveries;
  state.SetItemsProcessed(static_cast<std::int64_t>(deliveries));
}
BENCHMARK(NetOnly)->ArgsProduct({{1000, 10000}, {1, 16}});

// Connected loopback pairs: the near ends for the sender, the far ends drained by a thread on the other core.
class Readers {
 public:
  Readers() : epoll_(epoll_create1(EPOLL_CLOEXEC)), thread_([this] { run(); }) {}
  ~Readers() {
    stop_ = true;
    thread_.join();
    for (const int fd : fds_) ::close(fd);
    ::close(epoll_);
  }
  int connect(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) std::abort();
    return fd;
  }
  void watch(int fd) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    fds_.push_back(fd);
  }
  void wait_for(std::uint64_t bytes) const {
    while (read_.load(std::memory_order_acquire) < bytes) sched_yield();
  }
  [[nodiscard]] std::uint64_t read() const { return read_.load(); }

 private:
  void run() {
    pin(1);
    std::vector<char> buffer(65536);
    epoll_event events[256];
    while (!stop_) {
      const int count =
          epoll_wait(epoll_, events, 256, 0);  // spins: a sleeping reader would charge the sender
      for (int i = 0; i < count; ++i) {
        for (;;) {
          const ssize_t got = ::read(events[i].data.fd, buffer.data(), buffer.size());
          if (got <= 0) break;
          read_.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_release);
          if (static_cast<std::size_t>(got) < buffer.size()) break;
        }
      }
    }
  }

  int epoll_;
  std::vector<int> fds_;
  std::atomic<std::uint64_t> read_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void report(benchmark::State& state, std::int64_t cpu_ns, double deliveries) {
  state.counters["cpu_ns_per_delivery"] = static_cast<double>(cpu_ns) / deliveries;
  state.SetItemsProcessed(static_cast<std::int64_t>(deliveries));
}

void Sockets(benchmark::State& state) {
  const auto members = static_cast<std::uint32_t>(state.range(0));
  const auto frames = state.range(1);
  pin(0);
  auto ring = runtime::Ring::create({});
  if (!ring.ok() || !(*ring)->enable().ok()) {
    state.SkipWithError("no io_uring here");
    return;
  }
  const auto listening = listen_reuseport("127.0.0.1:0");
  Quiet handler;
  BasicShardNet<runtime::Ring> net(**ring, handler, room_options(members));
  net.add_listener(*listening);
  Readers readers;
  bool busy = false;
  const auto turn = [&] {
    (*ring)->submit_and_wait(busy ? 0 : 1, 1000);
    const Now now = runtime::read_clock();
    (*ring)->reap([&](const runtime::Completion& c) { net.on_completion(c, now); }, 4096);
    net.on_tick(now);
    busy = net.flush(now);
  };
  const TopicId topic{.high = 1, .low = 1};
  for (std::uint32_t i = 0; i < members; ++i) {
    const int fd = readers.connect(local_port(*listening));
    if (::send(fd, kUpgrade.data(), kUpgrade.size(), MSG_NOSIGNAL) < 0) std::abort();
    while (handler.opened.size() <= i) turn();
    (void)net.subscribe(handler.opened.back(), topic);
    readers.watch(fd);
  }
  for (int i = 0; i < 20; ++i) turn();
  const EncodedMessage message = payload();
  std::uint64_t expected = readers.read();
  for (std::uint64_t settled = 0; settled != expected; expected = readers.read()) {
    settled = expected;
    usleep(20'000);
  }
  const std::uint64_t allocated = allocations_so_far();
  std::int64_t cpu_ns = 0;
  for (auto _ : state) {
    const std::int64_t start = thread_cpu_ns();
    for (std::int64_t i = 0; i < frames; ++i) net.publish(topic, message, DeliveryClass::kMessage);
    busy = true;
    while (busy) turn();
    (*ring)->submit();
    cpu_ns += thread_cpu_ns() - start;
    expected += std::uint64_t{message.plain.size()} * members * static_cast<std::uint64_t>(frames);
    readers.wait_for(expected);
  }
  const double deliveries =
      static_cast<double>(state.iterations()) * members * static_cast<double>(frames);
  state.counters["allocations_per_delivery"] =
      static_cast<double>(allocations_so_far() - allocated) / deliveries;
  report(state, cpu_ns, deliveries);
  (*ring)->shut_down();
  ::close(*listening);
}

void plain_loop(benchmark::State& state, bool as_one_run) {
  const auto members = static_cast<std::uint32_t>(state.range(0));
  const auto frames = state.range(1);
  pin(0);
  const auto listening = listen_reuseport("127.0.0.1:0");
  fcntl(*listening, F_SETFL, 0);
  Readers readers;
  std::vector<int> near;
  for (std::uint32_t i = 0; i < members; ++i) {
    const int fd = readers.connect(local_port(*listening));
    near.push_back(::accept4(*listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    readers.watch(fd);
  }
  const EncodedMessage message = payload();
  std::string run;
  const std::int64_t copies = as_one_run ? frames : 1;
  for (std::int64_t i = 0; i < copies; ++i) run += as_text(message.plain.view());
  std::uint64_t expected = 0;
  std::int64_t cpu_ns = 0;
  for (auto _ : state) {
    const std::int64_t start = thread_cpu_ns();
    for (std::int64_t i = 0; i < frames / copies; ++i) {
      for (const int fd : near) {
        if (::send(fd, run.data(), run.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
            static_cast<ssize_t>(run.size()))
          std::abort();
      }
    }
    cpu_ns += thread_cpu_ns() - start;
    expected += std::uint64_t{message.plain.size()} * members * static_cast<std::uint64_t>(frames);
    readers.wait_for(expected);
  }
  report(state, cpu_ns,
         static_cast<double>(state.iterations()) * members * static_cast<double>(frames));
  for (const int fd : near) ::close(fd);
  ::close(*listening);
}

void SendLoop(benchmark::State& state) {
  plain_loop(state, false);
}
void SendLoopRun(benchmark::State& state) {
  plain_loop(state, true);
}

BENCHMARK(Sockets)->ArgsProduct({{1000}, {1, 4, 16}})->UseRealTime();
BENCHMARK(SendLoop)->ArgsProduct({{1000}, {1, 4, 16}})->UseRealTime();
BENCHMARK(SendLoopRun)->ArgsProduct({{1000}, {4, 16}})->UseRealTime();

}  // namespace
}  // namespace uproar::net
