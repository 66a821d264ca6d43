#pragma once

// What each user may ask over REST, at the shard that is asked. One bucket a user: were it shared by those whose ids hash alike,
// whoever finds such an account could spend that of somebody else. A bucket that is full again says nothing and is
// forgotten; where none is, the eighth that has least to wait for.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/chat/limits.h"
#include "core/chat/rate_bucket.h"
#include "proto/chat/ids.h"

namespace uproar::chat {

class RequestBuckets {
 public:
  // Valid until the next call.
  [[nodiscard]] RateBucket& of(UserId user, std::int64_t now_us) {
    const auto found = buckets_.find(user);
    if (found != buckets_.end()) return found->second;
    if (buckets_.size() >= std::max(swept_above_, kRequestBucketsSweptAbove)) make_room(now_us);
    return buckets_[user];
  }
  [[nodiscard]] std::size_t size() const { return buckets_.size(); }

 private:
  // Each look at all of them is paid for by as many that have come since.
  void make_room(std::int64_t now_us) {
    absl::erase_if(buckets_, [&](const auto& entry) { return entry.second.used_us(now_us) == 0; });
    if (buckets_.size() >= kRequestBucketsMax) {
      std::vector<std::int64_t> used;
      used.reserve(buckets_.size());
      for (const auto& [user, bucket] : buckets_) used.push_back(bucket.used_us(now_us));
      const auto eighth = used.begin() + static_cast<std::ptrdiff_t>(used.size() / 8);
      std::nth_element(used.begin(), eighth, used.end());
      const std::int64_t kept_above_us = *eighth;
      absl::erase_if(buckets_, [&](const auto& entry) {
        return entry.second.used_us(now_us) <= kept_above_us;
      });
    }
    swept_above_ = std::min(kRequestBucketsMax, 2 * buckets_.size());
  }

  absl::flat_hash_map<UserId, RateBucket> buckets_;
  std::size_t swept_above_ = 0;
};

}  // namespace uproar::chat
