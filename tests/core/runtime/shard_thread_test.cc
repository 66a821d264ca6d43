#include "core/runtime/shard_thread.h"

#include <functional>
#include <future>
#include <string>

#include <gtest/gtest.h>

#include "core/runtime/mailbox.h"
#include "ring_fixture.h"

namespace uproar::runtime {
namespace {

ShardThread::Options options(std::uint32_t index = 0) {
  return {.index = index,
          .pin = true,
          .ring = {.sq_entries = 64,
                   .cq_entries = 256,
                   .direct_slots = 16,
                   .recv_buffers = 16,
                   .recv_buffer_bytes = 512},
          .inbox_tasks = 64,
          .timers_max = 64};
}

// Does what the test's functions say.
class Scripted : public TurnHandler {
 public:
  Result<void, SystemError> on_start(ShardContext& context) override {
    context_ = &context;
    return start ? start(context) : Result<void, SystemError>{};
  }
  void on_completion(const Completion& completion) override {
    if (complete) complete(*context_, completion);
  }
  void on_timer(std::uint64_t key) override {
    if (timer) timer(*context_, key);
  }
  bool flush(const Now&) override { return flushing ? flushing(*context_) : false; }
  void on_stop() override { stopped = true; }

  std::function<Result<void, SystemError>(ShardContext&)> start;
  std::function<void(ShardContext&, const Completion&)> complete;
  std::function<void(ShardContext&, std::uint64_t)> timer;
  std::function<bool(ShardContext&)> flushing;
  bool stopped = false;

 private:
  ShardContext* context_ = nullptr;
};

TEST(ShardThread, StartReturnsTheErrorOfItsHandler) {
  Scripted handler;
  handler.start = [](ShardContext&) {
    return Result<void, SystemError>(
        Err{SystemError{.operation = "listen", .subject = "", .code = EADDRINUSE, .hint = ""}});
  };
  ShardThread shard(options(), handler);
  const auto started = shard.start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().operation, "listen");
  shard.join();
  EXPECT_FALSE(handler.stopped) << "what never started is not stopped";
}

TEST(ShardThread, RunsTasksFromOutsideOnItsOwnThreadAndStopsWhileItSleeps) {
  Scripted handler;
  ShardThread shard(options(), handler);
  ASSERT_TRUE(shard.start().ok());
  for (int i = 0; i < 200; ++i) {
    std::promise<std::thread::id> ran;
    ASSERT_TRUE(shard.post([&ran] { ran.set_value(std::this_thread::get_id()); }));
    EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
  }
  shard.request_stop();
  shard.join();
  EXPECT_TRUE(handler.stopped);
  EXPECT_GE(shard.counters().tasks.value(), 200U);
  EXPECT_EQ(shard.counters().sleeps_idle.value(), 0U) << "no wake was lost";
}

TEST(ShardThread, RunsTasksAcceptedBeforeTheStop) {
  Scripted handler;
  ShardThread shard(options(), handler);
  ASSERT_TRUE(shard.prepare().ok());
  std::atomic<int> ran{0};
  int accepted = 0;
  while (shard.post([&ran] { ran.fetch_add(1); })) ++accepted;
  EXPECT_EQ(accepted, 64) << "the inbox is bounded";
  shard.request_stop();
  ASSERT_TRUE(shard.start().ok());
  shard.join();
  EXPECT_EQ(ran.load(), 64);
}

TEST(ShardThread, FiresTimersAndLetsThemStopTheLoop) {
  Scripted handler;
  std::vector<std::uint64_t> fired;
  handler.start = [](ShardContext& context) {
    (void)context.timers().arm(context.now().monotonic_us + 3000, 2);
    (void)context.timers().arm(context.now().monotonic_us + 1000, 1);
    return Result<void, SystemError>{};
  };
  handler.timer = [&](ShardContext& context, std::uint64_t key) {
    fired.push_back(key);
    if (key == 2) context.stop();
  };
  ShardThread shard(options(), handler);
  ASSERT_TRUE(shard.start().ok());
  shard.join();
  EXPECT_EQ(fired, (std::vector<std::uint64_t>{1, 2}));
}

TEST(ShardThread, FlushMayAskToComeAgain) {
  Scripted handler;
  int completed = 0;
  int batches = 0;
  handler.complete = [&](ShardContext&, const Completion&) { ++completed; };
  handler.flushing = [&](ShardContext& context) {
    EXPECT_EQ(completed, batches * 16) << "the completions of a batch come before the next one";
    for (int i = 0; i < 16; ++i)
      context.ring().nop({.kind = OpKind::kClose, .generation = 0, .slot = 0});
    if (++batches == 10) context.stop();
    return true;  // more output is waiting
  };
  ShardThread shard(options(), handler);
  ASSERT_TRUE(shard.start().ok());
  shard.join();
  EXPECT_EQ(batches, 10);
  EXPECT_LE(shard.counters().sleeps.value(), 1U);
}

// The smallest server: accept, adopt, echo, close in order.
TEST(ShardThread, EchoesOverTcp) {
  const Listener listener;
  Scripted handler;
  bool end_heard = false;
  constexpr CompletionKey kRecv{.kind = OpKind::kRecv, .generation = 1, .slot = 0};
  handler.start = [&](ShardContext& context) {
    context.ring().arm_accept(listener.fd.get(),
                              {.kind = OpKind::kAccept, .generation = 0, .slot = 0});
    return Result<void, SystemError>{};
  };
  handler.complete = [&](ShardContext& context, const Completion& completion) {
    Ring& ring = context.ring();
    switch (completion.key.kind) {
      case OpKind::kAccept:
        ASSERT_TRUE(ring.adopt(0, completion.result));
        ring.arm_recv(0, kRecv);
        break;
      case OpKind::kRecv:
        if (completion.result > 0) {
          ring.send(0, completion.buffer, {.kind = OpKind::kSend, .generation = 1, .slot = 0});
          ring.submit();  // before the buffer goes back
        } else {
          ring.close(0, {.kind = OpKind::kClose, .generation = 1, .slot = 0});
        }
        break;
      case OpKind::kClose:
        end_heard = true;
        break;
      default:
        FAIL();
    }
  };
  ShardThread shard(options(), handler);
  ASSERT_TRUE(shard.start().ok());
  const Fd client = listener.connect();
  const std::string text = pattern(100'000);
  std::string echoed;
  char piece[4096];
  for (std::size_t sent = 0; sent < text.size(); sent += 400) {
    ASSERT_EQ(::send(client.get(), text.data() + sent, 400, 0), 400);
    ASSERT_EQ(::recv(client.get(), piece, 400, MSG_WAITALL), 400);
    echoed.append(piece, 400);
  }
  EXPECT_TRUE(echoed == text);
  ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  EXPECT_EQ(::recv(client.get(), piece, 1, 0), 0);
  shard.request_stop();
  shard.join();
  EXPECT_TRUE(end_heard);
  EXPECT_EQ(shard.counters().sleeps_idle.value(), 0U);
}

// Two shards throw a ball: every throw finds the other asleep or about to sleep, so a wake that is
// lost shows as a sleep that ended by its timeout.
class Player : public TurnHandler {
 public:
  Player(Mailbox<std::uint32_t>& in, Mailbox<std::uint32_t>& out, std::uint32_t throws)
      : in_(in), out_(out), throws_(throws) {}
  Waker* other = nullptr;
  bool begins = false;
  std::uint32_t caught = 0;

  Result<void, SystemError> on_start(ShardContext& context) override {
    context_ = &context;
    if (begins) throw_ball(0);
    return {};
  }
  void on_completion(const Completion&) override {}
  void on_parcels() override {
    in_.drain(
        [this](std::uint32_t ball) {
          ++caught;
          if (ball + 1 < throws_) throw_ball(ball + 1);
          if (ball + 2 >= throws_) context_->stop();
        },
        16);
  }
  bool parcels_waiting() const override { return !in_.empty(); }
  bool flush(const Now&) override {
    if (out_.publish()) context_->wake(*other);
    return false;
  }
  void on_stop() override { context_->ring().submit(); }

 private:
  void throw_ball(std::uint32_t ball) { EXPECT_TRUE(out_.try_push(std::uint32_t{ball})); }

  Mailbox<std::uint32_t>& in_;
  Mailbox<std::uint32_t>& out_;
  std::uint32_t throws_;
  ShardContext* context_ = nullptr;
};

TEST(ShardThread, WakesItsPeerByRingWithoutEverLosingAWake) {
  constexpr std::uint32_t kThrows = 10'000;
  Mailbox<std::uint32_t> left_to_right(16);
  Mailbox<std::uint32_t> right_to_left(16);
  Player left(right_to_left, left_to_right, kThrows);
  Player right(left_to_right, right_to_left, kThrows);
  ShardThread left_shard(options(0), left);
  ShardThread right_shard(options(1), right);
  ASSERT_TRUE(left_shard.prepare().ok());
  ASSERT_TRUE(right_shard.prepare().ok());
  left.other = &right_shard.waker();
  right.other = &left_shard.waker();
  left.begins = true;
  ASSERT_TRUE(right_shard.start().ok());
  ASSERT_TRUE(left_shard.start().ok());
  left_shard.join();
  right_shard.join();
  EXPECT_EQ(left.caught + right.caught, kThrows);
  EXPECT_EQ(left_shard.counters().sleeps_idle.value() + right_shard.counters().sleeps_idle.value(),
            0U);
  EXPECT_GT(left_shard.ring_counters().wakes_sent.value(), 0U);
  EXPECT_EQ(left_shard.ring_counters().wakes_refused.value(), 0U);
}

}  // namespace
}  // namespace uproar::runtime
