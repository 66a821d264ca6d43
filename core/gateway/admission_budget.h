#pragma once

// How many sessions may begin a second, so that a node which thousands reach for at once serves those it lets in. Who is
// turned away is told when to come back: one after another at the pace of the budget, each a little off, so that the
// next wave is no storm. One budget for those who resume and one for those who begin: neither keeps the other out.

#include <algorithm>
#include <cstdint>

#include "core/gateway/limits.h"
#include "proto/base/now.h"
#include "proto/base/spread.h"

namespace uproar::gateway {

class AdmissionBudget {
 public:
  // `per_second` at a steady pace, one second's worth at once. 0: no bound.
  explicit AdmissionBudget(std::uint32_t per_second)
      : us_each_(per_second == 0 ? 0 : std::max(1'000'000 / per_second, 1U)) {}

  // 0: come in. Else the milliseconds after which to come back: at most kReturnMsMax, and up to a quarter more by `random`
  // (any 32 bits).
  [[nodiscard]] std::uint32_t admit(Now now, std::uint32_t random) {
    const std::uint32_t wait = wait_ms(now, random);
    if (wait == 0) take(now);
    return wait;
  }

  // The two halves of it, for who is let in before it is known who they are: the place is taken when that has been proved,
  // and may then be one too many.
  [[nodiscard]] std::uint32_t wait_ms(Now now, std::uint32_t random) {
    if (us_each_ == 0) return 0;
    constexpr std::int64_t kBurstUs = 1'000'000;
    if (after_one_more_us(now) - now.monotonic_us <= kBurstUs) return 0;
    // Their places, behind those who were promised theirs.
    returns_us_ =
        std::max(returns_us_, now.monotonic_us + std::int64_t{kReturnMsMin} * 1000) + us_each_;
    returns_us_ = std::min(returns_us_, now.monotonic_us + std::int64_t{kReturnMsMax} * 1000);
    const auto late_ms = static_cast<std::uint32_t>((returns_us_ - now.monotonic_us) / 1000);
    return spread_ms(late_ms, late_ms / 4, random);
  }
  void take(Now now) { full_at_us_ = after_one_more_us(now); }

 private:
  [[nodiscard]] std::int64_t after_one_more_us(Now now) const {
    return std::max(full_at_us_, now.monotonic_us) + us_each_;
  }

  const std::int64_t us_each_;
  std::int64_t full_at_us_ = 0;  // GCRA: when all of the second's worth would be there again
  std::int64_t returns_us_ = 0;  // the last place that was promised
};

}  // namespace uproar::gateway
