#pragma once

// Token buckets by key (an address, an account): bounded, on simulated time like everything else. A bucket that has
// filled up again says nothing and is forgotten.

#include <algorithm>
#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "proto/base/now.h"

namespace uproar::gateway {

class RateBuckets {
 public:
  struct Options {
    std::uint32_t burst;
    std::int64_t us_per_token;  // 0: no limit
    std::uint32_t buckets_max;
  };
  explicit RateBuckets(Options options) : options_(options) {}

  // Takes so many tokens. 0: granted; else the milliseconds until there are as many.
  [[nodiscard]] std::uint32_t take(std::uint64_t key, Now now, std::uint32_t tokens = 1) {
    if (options_.us_per_token == 0) return 0;
    const std::int64_t full_us = options_.us_per_token * options_.burst;
    forget_full_ones(now);
    auto [entry, added] = spent_until_us_.try_emplace(key, now.monotonic_us);
    if (added) order_.push_back(key);
    // `spent until` is the moment at which the bucket will be full again; tokens move it on by
    // their own refill time.
    const std::int64_t base = std::max(entry->second, now.monotonic_us);
    const std::int64_t next = base + options_.us_per_token * tokens;
    if (next - now.monotonic_us > full_us) {
      return static_cast<std::uint32_t>((next - now.monotonic_us - full_us + 999) / 1000);
    }
    entry->second = next;
    return 0;
  }
  // What was taken and turned out to cost nothing. A bucket that has been forgotten is full.
  void give_back(std::uint64_t key, std::uint32_t tokens = 1) {
    const auto entry = spent_until_us_.find(key);
    if (entry != spent_until_us_.end()) entry->second -= options_.us_per_token * tokens;
  }
  [[nodiscard]] std::size_t size() const { return spent_until_us_.size(); }

 private:
  // Looks at two of the oldest per call: enough to shrink faster than one call can grow. A bucket that is not full yet goes to the
  // back, unless the table is at its limit: then the oldest is forgotten all the same.
  void forget_full_ones(Now now) {
    for (int i = 0; i < 2 && !order_.empty(); ++i) {
      const std::uint64_t key = order_.front();
      const auto entry = spent_until_us_.find(key);
      const bool full = entry->second <= now.monotonic_us;
      if (!full && spent_until_us_.size() < options_.buckets_max) {
        order_.pop_front();
        order_.push_back(key);
        continue;
      }
      order_.pop_front();
      spent_until_us_.erase(entry);
    }
  }

  const Options options_;
  absl::flat_hash_map<std::uint64_t, std::int64_t> spent_until_us_;
  std::deque<std::uint64_t> order_;
};

}  // namespace uproar::gateway
