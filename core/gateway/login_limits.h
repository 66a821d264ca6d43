#pragma once

// How often an address may try to log in and how often an account's password may be guessed, on the whole node: the one thing that
// shards share under a lock. An attempt costs 20 ms of argon2id, the lock some nanoseconds.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>

#include "core/gateway/limits.h"
#include "core/gateway/rate_buckets.h"
#include "core/net/peer_address.h"

namespace uproar::gateway {

class LoginLimits {
 public:
  explicit LoginLimits(std::uint32_t per_address_per_minute)
      : by_address_({.burst = std::max(kLoginsPerAddressBurst, per_address_per_minute / 2),
                     .per_minute = per_address_per_minute,
                     .buckets_max = kLoginBucketsMax}),
        by_account_({.burst = kLoginsPerAccountBurst,
                     .per_minute = kLoginsPerAccountPerMinute,
                     .buckets_max = kLoginBucketsMax}) {}

  // Any thread. 0: go ahead; else the milliseconds to wait. `account` empty: only the address counts.
  [[nodiscard]] std::uint32_t attempt(const net::PeerAddress& address, std::string_view account,
                                      Now now) {
    const std::lock_guard lock(mutex_);
    if (const std::uint32_t wait_ms = by_address_.take(address.limit_key(), now); wait_ms != 0)
      return wait_ms;
    if (account.empty()) return 0;
    return by_account_.take(std::hash<std::string_view>{}(account), now);
  }

 private:
  std::mutex mutex_;
  RateBuckets by_address_;
  RateBuckets by_account_;
};

}  // namespace uproar::gateway
