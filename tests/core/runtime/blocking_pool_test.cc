#include "core/runtime/blocking_pool.h"

#include <sys/resource.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace uproar::runtime {
namespace {

// Runs tasks of an inbox on this thread until `done` says so.
template <class Done>
void serve(Inbox& inbox, Done done) {
  while (!done()) {
    if (inbox.drain([](Task&& task) { task(); }, 16) == 0) std::this_thread::yield();
  }
}

TEST(BlockingPool, BringsTheResultBackToTheOwnerOfTheInbox) {
  Inbox inbox(4);
  BlockingPool pool({.threads = 1, .jobs_max = 4});
  std::thread::id worked_on;
  std::string answer;
  ASSERT_TRUE(pool.run(
      inbox,
      [&worked_on, text = std::make_unique<std::string>("hash")] {
        worked_on = std::this_thread::get_id();
        return *text + "ed";
      },
      [&answer](std::string result) { answer = std::move(result); }));
  serve(inbox, [&] { return !answer.empty(); });
  EXPECT_EQ(answer, "hashed");
  EXPECT_NE(worked_on, std::this_thread::get_id());
}

TEST(BlockingPool, StandsBackBehindTheThreadsThatServe) {
  const int ours = ::getpriority(PRIO_PROCESS, 0);
  std::promise<int> theirs;
  BlockingPool pool({.threads = 1, .jobs_max = 1});
  ASSERT_TRUE(pool.try_submit([&] { theirs.set_value(::getpriority(PRIO_PROCESS, 0)); }));
  EXPECT_EQ(theirs.get_future().get(), std::max(ours, kBlockingNice));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), ours) << "it alone";
}

TEST(BlockingPool, RefusesByNameWhenItsQueueIsFull) {
  Inbox inbox(16);
  BlockingPool pool({.threads = 1, .jobs_max = 2});
  std::promise<void> begun;
  std::promise<void> gate;
  ASSERT_TRUE(pool.try_submit([&] {
    begun.set_value();
    gate.get_future().wait();
  }));
  begun.get_future().wait();
  int done = 0;
  EXPECT_TRUE(pool.run(
      inbox, [] {}, [&] { ++done; }));
  EXPECT_TRUE(pool.run(
      inbox, [] {}, [&] { ++done; }));
  EXPECT_FALSE(pool.run(
      inbox, [] {}, [&] { ++done; }));
  EXPECT_EQ(pool.waiting(), 2U);
  gate.set_value();
  serve(inbox, [&] { return done == 2; });
}

TEST(BlockingPool, RefusesWhenTheResultWouldHaveNoPlace) {
  Inbox inbox(1);
  BlockingPool pool({.threads = 1, .jobs_max = 8});
  int done = 0;
  EXPECT_TRUE(pool.run(
      inbox, [] { return 1; }, [&](int) { ++done; }));
  EXPECT_FALSE(pool.run(
      inbox, [] { return 1; }, [&](int) { ++done; }));
  serve(inbox, [&] { return done == 1; });
  EXPECT_TRUE(pool.run(
      inbox, [] { return 1; }, [&](int) { ++done; }));
  serve(inbox, [&] { return done == 2; });
}

TEST(BlockingPool, StopRunsWhatWasAcceptedAndRefusesTheRest) {
  Inbox inbox(64);
  int done = 0;
  BlockingPool pool({.threads = 2, .jobs_max = 64});
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(pool.run(
        inbox, [] {}, [&] { ++done; }));
  pool.stop();
  EXPECT_FALSE(pool.try_submit([] {}));
  EXPECT_FALSE(pool.run(
      inbox, [] {}, [&] { ++done; }));
  inbox.drain([](Task&& task) { task(); }, 64);
  EXPECT_EQ(done, 50);
}

}  // namespace
}  // namespace uproar::runtime
