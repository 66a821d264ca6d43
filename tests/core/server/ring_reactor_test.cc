// The reactor on a real shard thread and ring. Nothing here waits by sleeping: each test ends with something that comes
// after what it looks for.

#include "core/server/ring_reactor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/core/server/small_thread.h"

namespace uproar::server {
namespace {

class SocketPair {
 public:
  SocketPair() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_.data()), 0);
  }
  ~SocketPair() {
    close_ours();
    close_theirs();
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  [[nodiscard]] int ours() const { return fds_[0]; }
  void write_theirs() { EXPECT_EQ(::write(fds_[1], "x", 1), 1); }
  [[nodiscard]] int read_ours() {  // bytes there were
    std::array<char, 64> bytes{};
    return static_cast<int>(::read(fds_[0], bytes.data(), bytes.size()));
  }
  void close_ours() { close_one(fds_[0]); }
  void close_theirs() { close_one(fds_[1]); }

 private:
  static void close_one(int& fd) {
    if (fd >= 0) ::close(std::exchange(fd, -1));
  }
  std::array<int, 2> fds_{-1, -1};
};

class RingReactorTest : public ::testing::Test, public runtime::TurnHandler {
 protected:
  RingReactorTest() : thread_(small_thread_options(), *this), reactor_(thread_) {
    EXPECT_TRUE(thread_.prepare().ok());
  }
  void SetUp() override { start(); }
  void TearDown() override {
    stop();
  }  // before the destructor: the shard calls virtual functions of this object

  void start() { ASSERT_TRUE(thread_.start().ok()); }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  // Runs `work` on the shard and waits for its end.
  void on_shard(std::function<void()> work) {
    std::promise<void> done;
    reactor_.post([&] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }
  // Waits until the reactor has served a readiness that came after everything before this call.
  void after_a_readiness() {
    SocketPair fence;
    std::promise<void> served;
    RingReactor::WatchId id = 0;
    on_shard([&] {
      id = reactor_.watch(fence.ours(), POLLIN, [&](short) {
        reactor_.unwatch(id);
        served.set_value();
      });
    });
    fence.write_theirs();
    served.get_future().get();
  }

  // runtime::TurnHandler: as core/server/shard.cc does it
  Result<void, SystemError> on_start(runtime::ShardContext& context) override {
    reactor_.attach(context);
    return {};
  }
  void on_completion(const runtime::Completion& completion) override {
    if (completion.key.kind == runtime::OpKind::kPoll) reactor_.on_completion(completion);
  }
  void on_timer(std::uint64_t key) override { reactor_.on_timer(key); }
  void on_tick(const Now&) override {
    if (reactor_.posted_waiting()) reactor_.run_posted();
  }
  bool flush(const Now&) override { return false; }
  void on_stop() override { reactor_.detach(); }

  runtime::ShardThread thread_;
  RingReactor reactor_;
};

TEST_F(RingReactorTest, RunsTheTasksOfEveryThreadInItsOrderAndOnTheShard) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 2000;
  std::array<int, kThreads> next{};
  int left = kThreads * kTasks;
  std::promise<void> all;
  std::vector<std::thread> threads;
  const std::thread::id here = std::this_thread::get_id();
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        reactor_.post([&, t, i] {
          EXPECT_EQ(next[static_cast<std::size_t>(t)]++, i);
          EXPECT_NE(std::this_thread::get_id(), here);
          if (--left == 0) all.set_value();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  all.get_future().get();
}

TEST_F(RingReactorTest, ATaskThatIsPostedByATaskRunsAfterIt) {
  std::vector<int> order;
  std::promise<void> done;
  reactor_.post([&] {
    reactor_.post([&] {
      order.push_back(2);
      done.set_value();
    });
    order.push_back(1);
  });
  done.get_future().get();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

class RingReactorBeforeStart : public RingReactorTest {
 protected:
  void SetUp() override {}
};

TEST_F(RingReactorBeforeStart, TakesTasksBeforeTheShardRunsAndWithAFullInbox) {
  while (thread_.post(runtime::Task([] {}))) {
  }
  std::promise<void> ran;
  reactor_.post([&] { ran.set_value(); });
  start();
  ran.get_future().get();
}

TEST_F(RingReactorTest, TellsWhenADescriptorIsReadableAsOftenAsItIs) {
  SocketPair pair;
  std::promise<void> first;
  std::promise<void> third;
  int calls = 0;
  RingReactor::WatchId id = 0;
  on_shard([&] {
    id = reactor_.watch(pair.ours(), POLLIN, [&](short events) {
      EXPECT_NE(events & POLLIN, 0);
      ++calls;
      if (calls == 1) {  // the byte is left there: it is told again
        first.set_value();
      } else if (calls == 2) {
        EXPECT_EQ(pair.read_ours(), 1);
      } else {
        EXPECT_EQ(pair.read_ours(), 1);
        third.set_value();
      }
    });
  });
  pair.write_theirs();
  first.get_future().get();
  after_a_readiness();
  pair.write_theirs();
  third.get_future().get();
  on_shard([&] {
    EXPECT_EQ(calls, 3);
    reactor_.unwatch(id);  // the pair is about to hang up
  });
}

// A store's client dies after the shard's thread and its ring, and puts its affairs in order then.
TEST_F(RingReactorTest, AfterTheShardHasEndedUnwatchingAndCancellingOnlyForget) {
  SocketPair pair;
  RingReactor::WatchId watch = 0;
  RingReactor::TimerId timer = 0;
  on_shard([&] {
    watch = reactor_.watch(pair.ours(), POLLIN, [](short) { FAIL() << "it was unwatched"; });
    timer = reactor_.arm_timer(3'600'000, [] { FAIL() << "it was cancelled"; });
  });
  stop();
  reactor_.unwatch(watch);
  reactor_.cancel_timer(timer);
  reactor_.unwatch(watch);  // and once more: it is forgotten
}

TEST_F(RingReactorTest, TellsWritableAndHungUp) {
  SocketPair pair;
  std::promise<void> writable;
  std::promise<void> hung_up;
  RingReactor::WatchId out = 0;
  RingReactor::WatchId in = 0;
  on_shard([&] {
    out = reactor_.watch(pair.ours(), POLLOUT, [&](short events) {
      EXPECT_NE(events & POLLOUT, 0);
      reactor_.unwatch(out);
      writable.set_value();
    });
    in = reactor_.watch(pair.ours(), POLLIN, [&](short events) {
      EXPECT_NE(events & POLLHUP, 0);
      reactor_.unwatch(in);
      hung_up.set_value();
    });
  });
  writable.get_future().get();
  pair.close_theirs();
  hung_up.get_future().get();
}

TEST_F(RingReactorTest, AnUnwatchedDescriptorIsSilent) {
  SocketPair pair;
  bool told = false;
  on_shard([&] {
    const auto id = reactor_.watch(pair.ours(), POLLIN, [&](short) { told = true; });
    reactor_.unwatch(id);
    reactor_.unwatch(id);  // harmless
    reactor_.unwatch(12345);
  });
  pair.write_theirs();
  after_a_readiness();
  on_shard([&] { EXPECT_FALSE(told); });
}

TEST_F(RingReactorTest, AReadinessOnItsWayDoesNotReachAnUnwatchedDescriptor) {
  SocketPair pair;
  bool told = false;
  RingReactor::WatchId id = 0;
  on_shard([&] { id = reactor_.watch(pair.ours(), POLLIN, [&](short) { told = true; }); });
  on_shard([&] {
    pair.write_theirs();  // the completion is posted while the shard is busy here
    reactor_.unwatch(id);
    told = false;
  });
  after_a_readiness();
  on_shard([&] { EXPECT_FALSE(told); });
}

// A library closes its descriptor right after unwatch(), and the next one it opens has the same number.
TEST_F(RingReactorTest, ADescriptorThatIsClosedAndUsedAgainBelongsToItsNewWatch) {
  for (int round = 0; round < 50; ++round) {
    auto old = std::make_unique<SocketPair>();
    const int number = old->ours();
    int old_told = 0;
    std::promise<void> young_told;
    RingReactor::WatchId young_id = 0;
    std::unique_ptr<SocketPair> young;
    on_shard([&] {
      const auto id = reactor_.watch(old->ours(), POLLIN, [&](short) { ++old_told; });
      reactor_.unwatch(id);
      old.reset();
      young = std::make_unique<SocketPair>();
      EXPECT_EQ(young->ours(), number) << "the kernel gives the lowest free number";
      young_id = reactor_.watch(young->ours(), POLLIN, [&](short) {
        reactor_.unwatch(young_id);
        young_told.set_value();
      });
    });
    young->write_theirs();
    young_told.get_future().get();
    EXPECT_EQ(old_told, 0);
  }
}

TEST_F(RingReactorTest, TimersFireOnceInTheOrderOfTheirDelays) {
  std::vector<int> fired;
  std::promise<void> last;
  on_shard([&] {
    (void)reactor_.arm_timer(9, [&] {
      fired.push_back(9);
      last.set_value();
    });
    (void)reactor_.arm_timer(1, [&] { fired.push_back(1); });
    (void)reactor_.arm_timer(5, [&] { fired.push_back(5); });
  });
  last.get_future().get();
  EXPECT_EQ(fired, (std::vector<int>{1, 5, 9}));
}

TEST_F(RingReactorTest, ACancelledTimerNeverFiresAndCancellingAgainIsHarmless) {
  bool fired = false;
  std::promise<void> later;
  on_shard([&] {
    const auto id = reactor_.arm_timer(1, [&] { fired = true; });
    reactor_.cancel_timer(id);
    reactor_.cancel_timer(id);
    reactor_.cancel_timer(777);
    const auto gone = reactor_.arm_timer(0, [] {});
    (void)reactor_.arm_timer(5, [&, gone] {
      reactor_.cancel_timer(gone);  // it has fired: forgotten
      later.set_value();
    });
  });
  later.get_future().get();
  EXPECT_FALSE(fired);
}

TEST_F(RingReactorTest, ATimerMayArmTheNextAndCancelItsSiblings) {
  bool sibling_fired = false;
  std::promise<void> done;
  RingReactor::TimerId sibling = 0;
  on_shard([&] {
    (void)reactor_.arm_timer(1, [&] {
      reactor_.cancel_timer(sibling);
      (void)reactor_.arm_timer(20, [&] { done.set_value(); });
    });
    sibling = reactor_.arm_timer(15, [&] { sibling_fired = true; });
  });
  done.get_future().get();
  EXPECT_FALSE(sibling_fired);
}

}  // namespace
}  // namespace uproar::server
