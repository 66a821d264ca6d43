#pragma once

// Counters that one shard writes and any thread may read. No lock prefix: a single writer needs none.

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace uproar {

// Monotone count. One writer thread; value() from anywhere.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A level that goes up and down. One writer thread; value() from anywhere.
class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t n) { set(value_.load(std::memory_order_relaxed) + n); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Log-linear histogram of microseconds: 4 buckets an octave, so a reading is within 19 % of the truth.
// 40 octaves * 4 = 160 buckets * 8 bytes = 1,280 bytes.
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 160;

  void record(std::uint64_t value) {
    buckets_[bucket_of(value)].add();
    sum_.add(value);
  }
  [[nodiscard]] std::uint64_t bucket(std::size_t index) const { return buckets_[index].value(); }
  [[nodiscard]] std::uint64_t sum() const { return sum_.value(); }

  static constexpr std::size_t bucket_of(std::uint64_t value) {
    if (value < 4) return static_cast<std::size_t>(value);
    const auto octave = static_cast<unsigned>(std::bit_width(value)) - 1;  // >= 2
    const auto quarter = static_cast<unsigned>(value >> (octave - 2)) & 3U;
    const std::size_t index = (octave - 1) * 4 + quarter;
    return index < kBuckets ? index : kBuckets - 1;
  }
  // Largest value that falls into the bucket.
  static constexpr std::uint64_t upper_bound(std::size_t index) {
    if (index < 4) return index;
    const auto octave = static_cast<unsigned>(index / 4 + 1);
    const std::uint64_t quarter = index % 4;
    return ((5 + quarter) << (octave - 2)) - 1;
  }

 private:
  std::array<Counter, kBuckets> buckets_;
  Counter sum_;
};
static_assert(Histogram::bucket_of(3) == 3);
static_assert(Histogram::bucket_of(4) == 4);
static_assert(Histogram::upper_bound(4) == 4);
static_assert(Histogram::bucket_of(8) == 8 && Histogram::upper_bound(8) == 9);

}  // namespace uproar
