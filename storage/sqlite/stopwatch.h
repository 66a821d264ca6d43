#pragma once

// How long a thread of the store took, for its counters alone: no decision rests on it.

#include <chrono>
#include <cstdint>

namespace uproar::storage::sqlite {

class Stopwatch {
 public:
  [[nodiscard]] std::uint64_t microseconds() const {
    const auto took = std::chrono::steady_clock::now() - start_;
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace uproar::storage::sqlite
