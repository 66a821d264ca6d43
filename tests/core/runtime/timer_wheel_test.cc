#include "core/runtime/timer_wheel.h"

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::runtime {
namespace {

constexpr std::int64_t kMs = 1000;

std::vector<std::uint64_t> fired(TimerWheel& wheel, std::int64_t now_us) {
  std::vector<std::uint64_t> keys;
  EXPECT_FALSE(wheel.advance(now_us, 1'000'000, [&](std::uint64_t key) { keys.push_back(key); }));
  return keys;
}

TEST(TimerWheel, FiresAtTheDeadlineRoundedUpToATickAndNeverBefore) {
  for (const std::int64_t delay : {1L, 999L, 1000L, 1001L, 63 * kMs, 64 * kMs, 65 * kMs, 4096 * kMs,
                                   120'000 * kMs, 86'400'000 * kMs}) {
    const std::int64_t start = 12'345'678;
    TimerWheel wheel(start);
    const std::int64_t deadline = start + delay;
    (void)wheel.arm(deadline, 7);
    EXPECT_TRUE(fired(wheel, deadline - 1).empty()) << delay;
    EXPECT_EQ(fired(wheel, deadline + kMs), std::vector<std::uint64_t>{7}) << delay;
    EXPECT_EQ(wheel.size(), 0U);
    EXPECT_EQ(wheel.next_deadline_us(), TimerWheel::kNever);
  }
}

TEST(TimerWheel, SaysWhenItNextHasWorkNeverTooLate) {
  TimerWheel wheel(0);
  (void)wheel.arm(120'000 * kMs, 1);
  std::int64_t now = 0;
  int looks = 0;
  bool done = false;
  while (!done) {
    const std::int64_t next = wheel.next_deadline_us();
    ASSERT_GT(next, now);
    ASSERT_LE(next, 120'000 * kMs);
    now = next;
    wheel.advance(now, 1000, [&](std::uint64_t) { done = true; });
    ASSERT_LE(++looks, 8);  // at most once per level
  }
  EXPECT_EQ(now, 120'000 * kMs);
}

TEST(TimerWheel, StaleHandlesAreRefused) {
  TimerWheel wheel(0);
  const TimerHandle first = wheel.arm(5 * kMs, 1);
  EXPECT_TRUE(wheel.armed(first));
  EXPECT_TRUE(wheel.cancel(first));
  EXPECT_FALSE(wheel.cancel(first));
  const TimerHandle second = wheel.arm(5 * kMs, 2);
  EXPECT_EQ(second.index, first.index);
  EXPECT_FALSE(wheel.cancel(first));
  EXPECT_FALSE(wheel.rearm(first, 9 * kMs));
  EXPECT_EQ(fired(wheel, 5 * kMs), std::vector<std::uint64_t>{2});
  EXPECT_FALSE(wheel.rearm(second, 9 * kMs));
  EXPECT_FALSE(wheel.cancel(TimerHandle{}));
}

TEST(TimerWheel, RefusesMoreTimersThanItsLimit) {
  TimerWheel wheel(0, 2);
  const TimerHandle a = wheel.arm(kMs, 1);
  EXPECT_TRUE(wheel.arm(kMs, 2).is_set());
  EXPECT_FALSE(wheel.arm(kMs, 3).is_set());
  EXPECT_TRUE(wheel.cancel(a));
  EXPECT_TRUE(wheel.arm(kMs, 3).is_set());
}

TEST(TimerWheel, BoundsTheWorkOfOneAdvanceAndLosesNothing) {
  TimerWheel wheel(0);
  for (std::uint64_t key = 0; key < 1000; ++key) (void)wheel.arm(5000 * kMs, key);
  std::vector<bool> seen(1000, false);
  int fires = 0;
  int rounds = 0;
  while (wheel.advance(6000 * kMs, 10, [&](std::uint64_t key) {
    EXPECT_FALSE(seen[key]);
    seen[key] = true;
    ++fires;
  })) {
    ++rounds;
    ASSERT_LT(rounds, 10'000);
  }
  EXPECT_EQ(fires, 1000);
  EXPECT_GE(rounds, 100);
}

TEST(TimerWheel, AFiringTimerMayArmCancelAndRearmOthers) {
  TimerWheel wheel(0);
  TimerHandle victim = wheel.arm(10 * kMs, 2);
  TimerHandle moved = wheel.arm(10 * kMs, 3);
  (void)wheel.arm(9 * kMs, 1);
  std::vector<std::uint64_t> keys;
  const auto on_fire = [&](std::uint64_t key) {
    keys.push_back(key);
    if (key != 1) return;
    EXPECT_TRUE(wheel.cancel(victim));
    EXPECT_TRUE(wheel.rearm(moved, 20 * kMs));
    (void)wheel.arm(0, 4);  // in the past: a later tick, not this one for ever
  };
  EXPECT_FALSE(wheel.advance(15 * kMs, 100, on_fire));
  EXPECT_EQ(keys, (std::vector<std::uint64_t>{1, 4}));
  EXPECT_FALSE(wheel.advance(20 * kMs, 100, on_fire));
  EXPECT_EQ(keys.back(), 3U);
}

// Random arms, cancels, re-arms and advances of every scale against a list that is searched: each
// timer fires exactly once, in the first advance at or after its tick, and no deadline is announced
// late.
TEST(TimerWheel, AgreesWithANaiveModelUnderRandomOperations) {
  struct Armed {
    TimerHandle handle;
    std::int64_t tick;
  };
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    std::int64_t now = static_cast<std::int64_t>(random() % 1'000'000'000'000);
    TimerWheel wheel(now);
    std::map<std::uint64_t, Armed> model;
    std::uint64_t next_key = 1;
    std::int64_t wheel_tick = now / kMs;
    const auto some_delay = [&] {
      return static_cast<std::int64_t>(random() % (1ULL << (random() % 38)));
    };
    const auto tick_of = [&](std::int64_t deadline) {
      return std::max((deadline + kMs - 1) / kMs, wheel_tick + 1);
    };
    for (int i = 0; i < 20'000; ++i) {
      const auto choice = random() % 100;
      if (choice < 45) {
        const std::int64_t deadline = now + some_delay();
        const TimerHandle handle = wheel.arm(deadline, next_key);
        ASSERT_TRUE(handle.is_set());
        model[next_key++] = {handle, tick_of(deadline)};
      } else if (choice < 75 && !model.empty()) {
        auto it = model.lower_bound(random() % next_key);
        if (it == model.end()) it = model.begin();
        if (choice < 60) {
          ASSERT_TRUE(wheel.cancel(it->second.handle));
          model.erase(it);
        } else {
          const std::int64_t deadline = now + some_delay();
          ASSERT_TRUE(wheel.rearm(it->second.handle, deadline));
          it->second.tick = tick_of(deadline);
        }
      } else {
        std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
        for (const auto& [key, timer] : model) earliest = std::min(earliest, timer.tick);
        if (!model.empty()) {
          ASSERT_LE(wheel.next_deadline_us(), earliest * kMs);
        }
        now += some_delay();
        bool more = true;
        const auto steps = static_cast<std::uint32_t>(1 + random() % 50);
        while (more) {
          more = wheel.advance(now, steps, [&](std::uint64_t key) {
            const auto it = model.find(key);
            ASSERT_NE(it, model.end());
            ASSERT_LE(it->second.tick, now / kMs);
            model.erase(it);
          });
          // Work left over may be interleaved with cancels: the list that is being moved down is
          // the hard case.
          if (more && !model.empty() && random() % 2 == 0) {
            auto it = model.lower_bound(random() % next_key);
            if (it == model.end()) it = model.begin();
            ASSERT_TRUE(wheel.cancel(it->second.handle));
            model.erase(it);
          }
        }
        wheel_tick = now / kMs;
        for (const auto& [key, timer] : model)
          ASSERT_GT(timer.tick, now / kMs) << "timer " << key << " is late";
      }
      ASSERT_EQ(wheel.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace uproar::runtime
