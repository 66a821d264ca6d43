#include "core/runtime/timer_wheel.h"

#include <algorithm>

#include "proto/base/check.h"

namespace uproar::runtime {

// Invariants. Every deadline is >= tick_. A timer in (level, slot) differs from tick_ in base-64
// digit `level` and in none above, so slots below the wheel's own digit are empty on every level,
// and the earliest timer is in the lowest non-empty level's first slot. Moving tick_ forward short
// of that slot's start changes no timer's level.

TimerWheel::TimerWheel(std::int64_t start_us, std::uint32_t timers_max)
    : tick_(ticks_passed(start_us)), timers_max_(timers_max) {
  for (auto& level : heads_) level.fill(kNone);
}

std::uint64_t TimerWheel::ticks_passed(std::int64_t us) {
  return us <= 0 ? 0 : std::min(static_cast<std::uint64_t>(us / kTickUs), kTickMask);
}

std::uint64_t TimerWheel::deadline_tick(std::int64_t us) const {
  const std::uint64_t rounded_up =
      us <= 0 ? 0 : static_cast<std::uint64_t>(us / kTickUs + (us % kTickUs != 0));
  return std::clamp(rounded_up, tick_ + 1, kTickMask);
}

unsigned TimerWheel::level_of(std::uint64_t deadline) const {
  const std::uint64_t difference = deadline ^ tick_;
  return difference == 0 ? 0 : (static_cast<unsigned>(std::bit_width(difference)) - 1) / kDigitBits;
}

TimerHandle TimerWheel::arm(std::int64_t deadline_us, std::uint64_t key) {
  std::uint32_t index = free_;
  if (index != kNone) {
    free_ = node(index).next;
  } else {
    if (made_ == timers_max_) return {};
    // Uninitialised but for the generations: a chunk's pages are touched as they come into use.
    if ((made_ & (kChunkNodes - 1)) == 0) chunks_.emplace_back(new Node[kChunkNodes]);
    index = made_++;
    node(index).generation = 0;
  }
  Node& timer = node(index);
  timer.key = key;
  timer.tick = deadline_tick(deadline_us);
  timer.generation = (timer.generation + 1U) & 0xFFFFU;
  link(index);
  ++size_;
  return {.index = index, .generation = static_cast<std::uint32_t>(timer.generation)};
}

bool TimerWheel::armed(TimerHandle handle) const {
  return handle.index < made_ && (handle.generation & 1U) != 0 &&
         node(handle.index).generation == handle.generation;
}

bool TimerWheel::cancel(TimerHandle handle) {
  if (!armed(handle)) return false;
  unlink(handle.index);
  release(handle.index);
  return true;
}

bool TimerWheel::rearm(TimerHandle handle, std::int64_t deadline_us) {
  if (!armed(handle)) return false;
  const std::uint64_t deadline = deadline_tick(deadline_us);
  Node& timer = node(handle.index);
  if (timer.tick == deadline) return true;  // many messages in one millisecond
  unlink(handle.index);
  timer.tick = deadline;
  link(handle.index);
  return true;
}

void TimerWheel::link(std::uint32_t index) {
  Node& timer = node(index);
  const unsigned level = level_of(timer.tick);
  const auto slot = static_cast<unsigned>(timer.tick >> (level * kDigitBits)) & (kSlots - 1);
  std::uint32_t& head = heads_[level][slot];
  timer.previous = kNone;
  timer.next = head;
  if (head != kNone) node(head).previous = index;
  head = index;
  occupied_[level] |= 1ULL << slot;
}

void TimerWheel::unlink(std::uint32_t index) {
  const Node& timer = node(index);
  if (timer.next != kNone) node(timer.next).previous = timer.previous;
  if (timer.previous != kNone) {
    node(timer.previous).next = timer.next;
    return;
  }
  if (moving_ == index) {
    moving_ = timer.next;
    return;
  }
  const unsigned level = level_of(timer.tick);
  const auto slot = static_cast<unsigned>(timer.tick >> (level * kDigitBits)) & (kSlots - 1);
  UPROAR_DCHECK(heads_[level][slot] == index, level, slot, index);
  heads_[level][slot] = timer.next;
  if (timer.next == kNone) occupied_[level] &= ~(1ULL << slot);
}

void TimerWheel::release(std::uint32_t index) {
  Node& timer = node(index);
  timer.generation = (timer.generation + 1U) & 0xFFFFU;
  timer.next = free_;
  free_ = index;
  --size_;
}

bool TimerWheel::next_slot(unsigned& level, unsigned& slot, std::uint64_t& start) const {
  for (level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    const unsigned shift = level * kDigitBits;
    const std::uint64_t above = tick_ >> (shift + kDigitBits) << (shift + kDigitBits);
    start = above | (static_cast<std::uint64_t>(slot) << shift);
    return true;
  }
  return false;
}

TimerWheel::Step TimerWheel::next_step(std::uint64_t now, std::uint64_t& key) {
  if (moving_ != kNone) {
    const std::uint32_t index = moving_;
    unlink(index);
    link(index);
    return Step::kMoved;
  }
  unsigned level = 0;
  unsigned slot = 0;
  std::uint64_t start = 0;
  if (!next_slot(level, slot, start) || start > now) {
    tick_ = std::max(tick_, now);
    return Step::kNothingDue;
  }
  tick_ = start;
  if (level != 0) {
    moving_ = heads_[level][slot];
    heads_[level][slot] = kNone;
    occupied_[level] &= ~(1ULL << slot);
    return Step::kMoved;
  }
  const std::uint32_t index = heads_[0][slot];
  key = node(index).key;
  unlink(index);
  release(index);
  return Step::kFired;
}

bool TimerWheel::due(std::uint64_t now) const {
  if (moving_ != kNone) return true;
  unsigned level = 0;
  unsigned slot = 0;
  std::uint64_t start = 0;
  return next_slot(level, slot, start) && start <= now;
}

std::int64_t TimerWheel::next_deadline_us() const {
  if (moving_ != kNone) return static_cast<std::int64_t>(tick_) * kTickUs;
  unsigned level = 0;
  unsigned slot = 0;
  std::uint64_t start = 0;
  if (!next_slot(level, slot, start)) return kNever;
  return static_cast<std::int64_t>(start) * kTickUs;
}

}  // namespace uproar::runtime
