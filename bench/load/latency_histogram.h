#pragma once

// Latencies in nanoseconds with a relative error of 1/64, in the manner of HdrHistogram: log-linear buckets, fixed memory.
// Hot path: record() per delivery. Allocations: 0.
//
// proto/base has a coarser one for metrics (4 buckets an octave, 19 %); a report that compares p99.9 needs this one.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace uproar::bench {

class LatencyHistogram {
 public:
  void record(std::uint64_t ns) {
    ++counts_[bucket_of(ns)];
    ++total_;
    sum_ns_ += ns;
    max_ns_ = std::max(max_ns_, ns);
  }

  [[nodiscard]] std::uint64_t count() const { return total_; }
  [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }
  [[nodiscard]] double mean_ns() const {
    return total_ == 0 ? 0 : static_cast<double>(sum_ns_) / static_cast<double>(total_);
  }

  // The smallest bucket's upper end that at least `q` of all values do not exceed; 0 when there are none. Of fewer than 100 values
  // the p99 is the greatest.
  [[nodiscard]] std::uint64_t quantile_ns(double q) const {
    // 0.07 * 100 is a little above 7, and must not ask for the eighth.
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total_) - kRounding));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen > 0 && seen >= wanted) return std::min(upper_bound(i), max_ns_);
    }
    return max_ns_;
  }

  static constexpr double kRounding = 1e-6;  // of q * total, for up to a thousand million values
  static constexpr unsigned kSubBits = 6;    // 64 buckets an octave
  static constexpr unsigned kOctaves = 40;   // 2^46 ns: 19 hours
  static constexpr std::size_t kBuckets = (kOctaves + 1) << kSubBits;

  static constexpr std::size_t bucket_of(std::uint64_t ns) {
    if (ns < (1U << kSubBits)) return static_cast<std::size_t>(ns);
    const auto octave = static_cast<unsigned>(std::bit_width(ns)) - kSubBits;  // 1, 2, …
    const std::size_t index = (static_cast<std::size_t>(octave) << kSubBits) +
                              ((ns >> (octave - 1)) & ((1U << kSubBits) - 1));
    return std::min(index, kBuckets - 1);
  }
  // The largest value that falls into the bucket.
  static constexpr std::uint64_t upper_bound(std::size_t index) {
    if (index < (1U << kSubBits)) return index;
    const auto octave = static_cast<unsigned>(index >> kSubBits);
    const std::uint64_t within = index & ((1U << kSubBits) - 1);
    return (((1ULL << kSubBits) + within + 1) << (octave - 1)) - 1;
  }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};  // 21 KiB
  std::uint64_t total_ = 0;
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};
static_assert(LatencyHistogram::bucket_of(63) == 63 && LatencyHistogram::bucket_of(64) == 64);
static_assert(LatencyHistogram::upper_bound(64) == 64 && LatencyHistogram::upper_bound(127) == 127);
static_assert(LatencyHistogram::bucket_of(128) == 128 && LatencyHistogram::upper_bound(128) == 129);
static_assert(LatencyHistogram::bucket_of(129) == 128 && LatencyHistogram::bucket_of(130) == 129);

}  // namespace uproar::bench
