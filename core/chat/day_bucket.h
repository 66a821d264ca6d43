#pragma once

// A quota of a day as one number (rate_bucket.h): all of it at once, and what was used comes back
// evenly over 24 hours.

#include <algorithm>
#include <cstdint>

namespace uproar::chat {

class DayBucket {
 public:
  static constexpr std::int64_t kDayUs = 24LL * 3600 * 1'000'000;

  // Microseconds until `amount` fits; 0: it fits now. Takes nothing. REQUIRES: amount <= per_day.
  [[nodiscard]] std::int64_t wait_us(std::uint32_t amount, std::uint32_t per_day,
                                     std::int64_t now_us) const {
    return std::max(used_us(now_us) + us_of(amount, per_day) - kDayUs, std::int64_t{0});
  }
  void take(std::uint32_t amount, std::uint32_t per_day, std::int64_t now_us) {
    full_at_us_ = std::max(full_at_us_, now_us) + us_of(amount, per_day);
  }
  // Of what was taken, as much as was not used after all.
  void give_back(std::uint32_t amount, std::uint32_t per_day) {
    full_at_us_ -= us_of(amount, per_day);
  }
  // How long it takes until all of it is there again: how much of the day's quota is used.
  [[nodiscard]] std::int64_t used_us(std::int64_t now_us) const {
    return std::max(full_at_us_ - now_us, std::int64_t{0});
  }

 private:
  // 2^26 * 8.64e10 = 5.8e18 fits; more than a day's is a day's.
  static std::int64_t us_of(std::uint32_t amount, std::uint32_t per_day) {
    return std::int64_t{std::min(amount, per_day)} * kDayUs / per_day;
  }

  std::int64_t full_at_us_ = 0;
};
static_assert(sizeof(DayBucket) == 8, "three for each user who is charged");

}  // namespace uproar::chat
