#pragma once

// TimerWheel: hierarchical wheel of one-shot timers, driven by advance(); reads no clock. Arm,
// cancel and re-arm are O(1); a timer costs 24 bytes here and 8 in its owner's handle, so a million
// idle connections can each have a heartbeat deadline.
//
// Ticks of 1 ms; deadlines are rounded up, so a timer is never early and at most 1 ms late (plus
// the turn). Eight levels of 64 slots cover 2^48 ms: nothing is clamped. A timer's level is the
// highest base-64 digit in which its deadline differs from the wheel's time, so it is moved at most
// seven times in its life, and usually cancelled or re-armed before that.
//
// Hot path: per received message (re-arm of a heartbeat). Allocations: 0 once the chunks exist.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "core/runtime/limits.h"

namespace uproar::runtime {

// Names one armed timer. Stale handles (fired, cancelled) are harmless: cancel and rearm say false.
// The generation has 16 bits: keep no handle across 65,536 uses of its slot; clear it when the
// timer fires.
struct TimerHandle {
  std::uint32_t index = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t generation = 0;

  [[nodiscard]] bool is_set() const { return index != std::numeric_limits<std::uint32_t>::max(); }
  friend bool operator==(const TimerHandle&, const TimerHandle&) = default;
};

class TimerWheel {
 public:
  static constexpr std::int64_t kTickUs = 1000;
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // `start_us`: monotonic time at which the wheel begins.
  explicit TimerWheel(std::int64_t start_us, std::uint32_t timers_max = kTimersMax);

  // Arms a timer for monotonic time `deadline_us`; a past one fires at the next tick. `key` comes
  // back at the fire. An unset handle: the table is full (timers_max).
  [[nodiscard]] TimerHandle arm(std::int64_t deadline_us, std::uint64_t key);
  // False: it was not armed any more.
  bool cancel(TimerHandle handle);
  // Moves the deadline; the handle stays. False: it was not armed any more.
  bool rearm(TimerHandle handle, std::int64_t deadline_us);
  [[nodiscard]] bool armed(TimerHandle handle) const;

  // Fires timers with deadline <= now_us: on_fire(key). Does at most `steps_max` steps (a fire, or
  // a timer moved a level down) and returns true when work that is due remains. on_fire may arm,
  // re-arm and cancel any timer; what it arms in the past fires in a later tick. Timers of the same
  // tick fire in no promised order.
  template <class F>
  bool advance(std::int64_t now_us, std::uint32_t steps_max, F&& on_fire) {
    const std::uint64_t now = ticks_passed(now_us);
    for (std::uint32_t step = 0; step < steps_max; ++step) {
      std::uint64_t key = 0;
      switch (next_step(now, key)) {
        case Step::kNothingDue:
          return false;
        case Step::kMoved:
          break;
        case Step::kFired:
          on_fire(key);
          break;
      }
    }
    return due(now);
  }

  // Monotonic time at which advance() next has something to do, kNever without timers. For timers
  // further away than 64 ms it may be early (the time at which they move a level down), never late.
  [[nodiscard]] std::int64_t next_deadline_us() const;
  [[nodiscard]] std::uint32_t size() const { return size_; }

 private:
  static constexpr unsigned kDigitBits = 6;
  static constexpr unsigned kSlots = 1U << kDigitBits;
  static constexpr unsigned kLevels = 8;
  static constexpr unsigned kTickBits = kDigitBits * kLevels;  // 48
  static constexpr std::uint64_t kTickMask = (1ULL << kTickBits) - 1;
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint32_t kChunkBits = 12;
  static constexpr std::uint32_t kChunkNodes = 1U << kChunkBits;

  enum class Step : std::uint8_t { kNothingDue, kMoved, kFired };

  struct Node {
    std::uint64_t key;
    std::uint64_t tick : kTickBits;  // deadline
    std::uint64_t generation : 16;   // odd while armed
    std::uint32_t next;              // slot list, or free list
    std::uint32_t previous;          // kNone at the head of a slot list
  };
  static_assert(sizeof(Node) == 24, "hundreds of thousands of idle connections have one each");

  [[nodiscard]] Node& node(std::uint32_t index) const {
    return chunks_[index >> kChunkBits][index & (kChunkNodes - 1)];
  }
  [[nodiscard]] static std::uint64_t ticks_passed(std::int64_t us);
  [[nodiscard]] std::uint64_t deadline_tick(std::int64_t us) const;
  [[nodiscard]] unsigned level_of(std::uint64_t deadline) const;
  [[nodiscard]] bool due(std::uint64_t now) const;
  Step next_step(std::uint64_t now, std::uint64_t& key);
  bool next_slot(unsigned& level, unsigned& slot, std::uint64_t& start) const;
  void link(std::uint32_t index);
  void unlink(std::uint32_t index);
  void release(std::uint32_t index);

  std::vector<std::unique_ptr<Node[]>> chunks_;
  std::array<std::array<std::uint32_t, kSlots>, kLevels> heads_;
  std::array<std::uint64_t, kLevels> occupied_{};  // a bit per non-empty slot
  std::uint64_t tick_;                             // the wheel's time
  std::uint32_t free_ = kNone;
  std::uint32_t made_ = 0;  // nodes that ever existed
  std::uint32_t size_ = 0;
  std::uint32_t timers_max_;
  std::uint32_t moving_ = kNone;  // list of a slot that came due and is being moved down
};

}  // namespace uproar::runtime
