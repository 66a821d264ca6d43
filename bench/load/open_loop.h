#pragma once

// The intended times of an open loop: publish (or heartbeat) k is due k / rate after the beginning, so the first one at once.

#include <cstdint>

namespace uproar::bench {

struct OpenLoop {
  double per_second = 0;
  std::int64_t begun_ns = 0;

  // How many have their time behind them. REQUIRES: now_ns >= begun_ns.
  [[nodiscard]] std::uint64_t due_by(std::int64_t now_ns) const {
    return static_cast<std::uint64_t>(static_cast<double>(now_ns - begun_ns) * per_second / 1e9) +
           1;
  }
  [[nodiscard]] std::int64_t due_ns(std::uint64_t publish) const {
    return begun_ns + static_cast<std::int64_t>(static_cast<double>(publish) / per_second * 1e9);
  }
};

}  // namespace uproar::bench
