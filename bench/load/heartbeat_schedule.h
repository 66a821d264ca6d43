#pragma once

// Whose heartbeat is due: each client once per interval, at a time of its own, so that a quarter of a million of them are a steady
// trickle and no burst. Client i of n speaks first i / n of an interval after the beginning. Hot path: per turn and per heartbeat.

#include <cstdint>
#include <optional>

#include "bench/load/open_loop.h"

namespace uproar::bench {

class HeartbeatSchedule {
 public:
  // `interval_seconds` 0: nobody ever speaks.
  HeartbeatSchedule(std::uint32_t clients, double interval_seconds, std::int64_t begin_ns)
      : clients_(clients),
        loop_{.per_second =
                  interval_seconds > 0 ? static_cast<double>(clients) / interval_seconds : 0,
              .begun_ns = begin_ns} {}

  // The next client whose time has come, the one that waits longest first; to be asked until it names none.
  std::optional<std::uint32_t> next(std::int64_t now_ns) {
    if (loop_.per_second <= 0 || spoken_ >= loop_.due_by(now_ns)) return std::nullopt;
    return static_cast<std::uint32_t>(spoken_++ % clients_);
  }

 private:
  std::uint32_t clients_;
  OpenLoop loop_;             // heartbeats of all clients
  std::uint64_t spoken_ = 0;  // that were due so far
};

}  // namespace uproar::bench
