#pragma once

// What wrong guesses of one kind cost: some are free, then the wait for the next one doubles with
// each, up to a bound, so that nobody is locked out for ever. One is forgotten again after every so
// many seconds.

#include <algorithm>
#include <cstdint>

#include "proto/base/now.h"

namespace uproar::gateway {

struct GuessPolicy {
  std::uint32_t free = 0;  // a slip of the finger costs nobody a second
  std::int64_t first_wait_us = 0;
  std::int64_t wait_us_max = 0;
  std::int64_t forget_us = 0;
};

class WrongGuesses {
 public:
  // What is due after as many as are remembered; 0 as long as they are free.
  [[nodiscard]] std::int64_t wait_us(const GuessPolicy& policy, Now now) {
    forget(policy, now);
    if (count_ < policy.free || count_ == 0) return 0;
    std::int64_t wait_us = policy.first_wait_us;
    for (std::uint32_t i = policy.free; i < count_ && wait_us < policy.wait_us_max; ++i)
      wait_us *= 2;
    return std::min(wait_us, policy.wait_us_max);
  }
  // False: the longest wait is due already, and one more would only be remembered for longer.
  bool add(const GuessPolicy& policy, Now now) {
    if (wait_us(policy, now) >= policy.wait_us_max) return false;
    if (count_ == 0) since_us_ = now.monotonic_us;
    ++count_;
    return true;
  }
  // One that was added was none.
  void take_back() { count_ -= std::min(count_, 1U); }
  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  void forget(const GuessPolicy& policy, Now now) {
    const std::int64_t steps = (now.monotonic_us - since_us_) / policy.forget_us;
    if (count_ == 0 || steps <= 0) return;
    since_us_ += steps * policy.forget_us;
    count_ -= static_cast<std::uint32_t>(std::min<std::int64_t>(steps, count_));
  }

  std::uint32_t count_ = 0;
  std::int64_t since_us_ = 0;  // up to here they have been forgotten
};

}  // namespace uproar::gateway
