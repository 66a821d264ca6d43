#include "bench/load/server_watch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <thread>

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

std::uint64_t of_this_thread_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec) * 1000 * kMs +
         static_cast<std::uint64_t>(used.tv_nsec);
}

pid_t ended_process() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return pid;
}

// A server that gives each burst a thread of its own must not look free.
TEST(ServerWatch, CountsThreadsThatHaveEnded) {
  ServerWatch watch({::getpid()});
  const CpuTime before = watch.cpu();
  std::thread([] {
    while (of_this_thread_ns() < 50 * kMs) {
    }
  }).join();
  EXPECT_GE(watch.used(before, watch.cpu()).total_ns, 50 * kMs);
  EXPECT_EQ(watch.fault(), "");
}

TEST(ServerWatch, AServerThatEndedIsAFaultAndNotFree) {
  ServerWatch watch({ended_process()});
  EXPECT_EQ(watch.cpu().total_ns, 0U);
  EXPECT_NE(watch.fault().find("CPU time"), std::string::npos);
  ServerWatch memory({ended_process()});
  EXPECT_EQ(memory.memory().rss_bytes, 0U);
  EXPECT_NE(memory.fault().find("memory"), std::string::npos);
}

TEST(ServerWatch, LessThanBeforeIsAFaultAndNoUnderflow) {
  ServerWatch watch({::getpid()});
  const CpuTime used = watch.used({.shard_ns = 5, .total_ns = 9}, {.shard_ns = 4, .total_ns = 10});
  EXPECT_EQ(used.shard_ns, 0U);
  EXPECT_EQ(used.total_ns, 0U);
  EXPECT_NE(watch.fault(), "");
}

TEST(ServerWatch, SeveralProcessesAreCountedTogetherAndNoneMayBeMissing) {
  ServerWatch one({::getpid()});
  ServerWatch twice({::getpid(), ::getpid()});
  EXPECT_GT(twice.memory().rss_bytes, one.memory().rss_bytes);
  EXPECT_EQ(twice.fault(), "");
  ServerWatch half({::getpid(), ended_process()});
  EXPECT_GT(half.memory().rss_bytes, 0U);
  EXPECT_NE(half.fault(), "");
}

TEST(ServerWatch, WithoutAProcessAllIsZeroAndNothingIsWrong) {
  ServerWatch watch({});
  EXPECT_EQ(watch.used(watch.cpu(), watch.cpu()).total_ns, 0U);
  EXPECT_EQ(watch.memory().rss_bytes, 0U);
  EXPECT_EQ(watch.fault(), "");
}

TEST(MemoryRest, IsReachedWhenTwoReadingsAreAlikeButNotAtOnce) {
  const auto mib = [](std::uint64_t n) { return Memory{.rss_bytes = n << 20}; };
  MemoryRest rest;
  for (int i = 1; i < MemoryRest::kReadingsMin; ++i) EXPECT_FALSE(rest.is_reached_by(mib(1)));
  EXPECT_FALSE(rest.is_reached_by(mib(2)));
  EXPECT_TRUE(rest.is_reached_by({.rss_bytes = (2 << 20) - 1000}));
}

TEST(MemoryRest, IsNotWaitedForForEver) {
  MemoryRest rest;
  for (std::uint64_t i = 1; i < MemoryRest::kReadingsMax; ++i)
    EXPECT_FALSE(rest.is_reached_by({.rss_bytes = i << 20}));
  EXPECT_TRUE(rest.is_reached_by({.rss_bytes = 1}));
}

}  // namespace
}  // namespace uproar::bench
