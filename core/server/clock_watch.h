#pragma once

// Sees the wall clock jump: whoever set it, or whoever let the machine sleep, hears from nobody
// else what that does here.

#include <cstdint>
#include <optional>
#include <string>

#include "proto/base/now.h"

namespace uproar::server {

class ClockWatch {
 public:
  // Less is no jump: a token may be from a minute ahead (auth::kClockLeewayS), and a time service
  // steps by less at start.
  static constexpr std::int64_t kJumpUs = 5'000'000;

  // By how many microseconds the wall clock has gone another way than the monotonic one since the
  // last look; 0: as well as nothing. A clock that a time service slews stays far below it between
  // two looks.
  [[nodiscard]] std::int64_t look(const Now& now) {
    const std::int64_t offset_us = now.wall_us - now.monotonic_us;
    const std::int64_t jump_us = offset_us - offset_us_.value_or(offset_us);
    offset_us_ = offset_us;
    return jump_us >= kJumpUs || jump_us <= -kJumpUs ? jump_us : 0;
  }

 private:
  std::optional<std::int64_t> offset_us_;
};

// What the jump does, and what to try.
[[nodiscard]] inline std::string describe_jump(std::int64_t jump_us) {
  const std::string seconds = std::to_string((jump_us < 0 ? -jump_us : jump_us) / 1'000'000) + " s";
  const std::string what =
      jump_us < 0
          ? "the clock of this machine has jumped back by " + seconds +
                ": access tokens that were signed before are refused as not valid yet until "
                "their clients refresh them, and new messages are dated before old ones "
                "(their order stays)"
          : "the clock of this machine has jumped forward by " + seconds +
                ", or the machine slept: access tokens expire, and mutes end, by so much "
                "earlier; clients refresh their tokens";
  return what + ". Try: look at the time service (timedatectl, chronyc tracking), on all nodes";
}

}  // namespace uproar::server
