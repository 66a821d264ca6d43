#pragma once

// Sessions that were logged out while tokens of theirs are still unexpired. Each shard holds all of them: a
// revocation is told to every shard of every node, and read back from the store at start and whenever one may have been
// missed.

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_set.h"
#include "core/gateway/limits.h"
#include "proto/base/counters.h"
#include "proto/base/now.h"
#include "proto/chat/ids.h"

namespace uproar::gateway {

// Written on the shard's thread, read from any.
struct RevocationCounters {
  Counter forgotten_early;
};

class Revocations {
 public:
  // In the order of time. Beyond the limit the oldest is forgotten, though tokens of it may be good again.
  // False: it was known.
  bool add(SessionId session, std::int64_t revoked_at_us) {
    if (!sessions_.insert(session).second) return false;
    by_age_.push_back({.wall_us = revoked_at_us + kAccessTokenLifeUs,
                       .monotonic_us = seen_us_ + kAccessTokenLifeUs,
                       .session = session});
    if (by_age_.size() <= kRevokedMax) return true;
    forget_oldest();
    counters_.forgotten_early.add();
    return true;
  }
  [[nodiscard]] bool contains(SessionId session) const { return sessions_.contains(session); }
  // Forgets those whose last access token has expired by itself, by both clocks: the tokens are
  // good again when the wall clock jumps forward, so that they are forgotten, and then back.
  void trim(Now now) {
    seen_us_ = now.monotonic_us;
    while (!by_age_.empty() && by_age_.front().wall_us <= now.wall_us &&
           by_age_.front().monotonic_us <= now.monotonic_us)
      forget_oldest();
  }
  [[nodiscard]] const RevocationCounters& counters() const { return counters_; }

 private:
  struct Entry {  // forgotten not before
    std::int64_t wall_us;
    std::int64_t monotonic_us;
    SessionId session;
  };

  void forget_oldest() {
    sessions_.erase(by_age_.front().session);
    by_age_.pop_front();
  }

  absl::flat_hash_set<SessionId> sessions_;
  std::deque<Entry> by_age_;
  std::int64_t seen_us_ = 0;  // of the last trim(): the shard's turn, or the one before
  RevocationCounters counters_;
};

}  // namespace uproar::gateway
