#pragma once

// What each user may ask over REST, at the shard that is asked. One bucket a user: were it shared by those whose ids hash alike,
// whoever finds such an account could spend that of somebody else. A bucket that is full again says nothing and is
// forgotten; where none is, the eighth that has least to wait for.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "core/chat/least_used.h"
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
    if (buckets_.size() >= std::max(swept_above_, kRequestBucketsSweptAbove)) {
      (void)forget_least_used(buckets_, kRequestBucketsMax, swept_above_,
                              [&](const RateBucket& bucket) { return bucket.used_us(now_us); });
    }
    return buckets_[user];
  }
  [[nodiscard]] std::size_t size() const { return buckets_.size(); }

 private:
  absl::flat_hash_map<UserId, RateBucket> buckets_;
  std::size_t swept_above_ = 0;
};

}  // namespace uproar::chat
