#pragma once

// A token bucket as one number (GCRA): the time at which it would be full again. 8 bytes, no timer.

#include <algorithm>
#include <cstdint>

namespace uproar::chat {

// retry_after_ms of somebody who has so long to wait.
[[nodiscard]] constexpr std::uint32_t retry_ms_of(std::int64_t wait_us) {
  return static_cast<std::uint32_t>((wait_us + 999) / 1000);
}

class RateBucket {
 public:
  // Microseconds until `cost` fits; 0: it fits now. Takes nothing.
  [[nodiscard]] std::int64_t wait_us(std::uint64_t cost, std::uint32_t per_s, std::uint32_t burst,
                                     std::int64_t now_us) const {
    const std::int64_t room_us = us_of(burst, per_s);
    const std::int64_t backlog_us =
        std::max(full_at_us_ - now_us, std::int64_t{0}) + us_of(cost, per_s);
    return std::max(backlog_us - room_us, std::int64_t{0});
  }
  void take(std::uint64_t cost, std::uint32_t per_s, std::int64_t now_us) {
    full_at_us_ = std::max(full_at_us_, now_us) + us_of(cost, per_s);
  }
  // Of what was taken, as much as was not used after all.
  void give_back(std::uint64_t cost, std::uint32_t per_s) { full_at_us_ -= us_of(cost, per_s); }
  [[nodiscard]] bool is_unused() const { return full_at_us_ == 0; }
  // Microseconds until it is full again.
  [[nodiscard]] std::int64_t used_us(std::int64_t now_us) const {
    return std::max(full_at_us_ - now_us, std::int64_t{0});
  }

 private:
  static std::int64_t us_of(std::uint64_t amount, std::uint32_t per_s) {
    return static_cast<std::int64_t>(amount * 1'000'000 / per_s);
  }

  std::int64_t full_at_us_ = 0;
};
static_assert(sizeof(RateBucket) == 8, "two per connection");

}  // namespace uproar::chat
