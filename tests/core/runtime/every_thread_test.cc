#include "core/runtime/every_thread.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::runtime {
namespace {

constexpr std::size_t kThreads = 6;

// Which threads have done it.
struct Seen {
  std::array<std::atomic<int>, 64> threads{};
  std::atomic<std::size_t> count{0};
};

int note_thread(const void* what) {
  auto& seen = *const_cast<Seen*>(static_cast<const Seen*>(what));
  seen.threads[seen.count.fetch_add(1)] = ::gettid();
  return 0;
}

// Threads that wait, each in its own way, until the object dies.
class Waiting {
 public:
  Waiting() {
    for (std::size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this, i] { wait(i); });
    ready_.wait();
  }
  ~Waiting() {
    stop_.store(true);
    stop_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  std::set<int> ids;

 private:
  void wait(std::size_t i) {
    {
      const std::lock_guard lock(mutex_);
      ids.insert(::gettid());
    }
    ready_.count_down();
    if (i % 2 == 0) {
      stop_.wait(false);
    } else {
      while (!stop_.load()) std::this_thread::yield();
    }
  }
  std::mutex mutex_;
  std::atomic<bool> stop_{false};
  std::latch ready_{kThreads};
  std::vector<std::thread> threads_;
};

TEST(EveryThread, RunsOnThoseThatWorkAndThoseThatWait) {
  Waiting waiting;
  Seen seen;
  const auto done = on_every_thread(&note_thread, &seen);
  ASSERT_TRUE(done.ok()) << done.error().text();
  EXPECT_EQ(*done, seen.count.load());
  std::set<int> ran;
  for (std::size_t i = 0; i < seen.count; ++i)
    EXPECT_TRUE(ran.insert(seen.threads[i]).second) << "each of them once";
  EXPECT_TRUE(ran.contains(::gettid()));
  EXPECT_TRUE(std::includes(ran.begin(), ran.end(), waiting.ids.begin(), waiting.ids.end()));
}

TEST(EveryThread, SaysWithWhichErrorOneRefused) {
  Waiting waiting;
  const pid_t self = ::gettid();
  const auto done = on_every_thread(
      [](const void* caller) {
        return ::gettid() == *static_cast<const pid_t*>(caller) ? 0 : EPERM;
      },
      &self);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, EPERM);
  EXPECT_EQ(done.error().subject.substr(0, 7), "thread ");
}

TEST(EveryThread, NamesOneThatDoesNotHearIt) {
  std::latch blocked(1);
  std::atomic<bool> stop{false};
  std::thread deaf([&] {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    blocked.count_down();
    stop.wait(false);
  });
  blocked.wait();
  Seen seen;
  const auto done = on_every_thread(&note_thread, &seen, 200);
  stop.store(true);
  stop.notify_all();
  deaf.join();
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ETIMEDOUT);
  EXPECT_EQ(seen.threads[seen.count - 1], ::gettid()) << "the others have done it";
}

}  // namespace
}  // namespace uproar::runtime
