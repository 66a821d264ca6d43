#pragma once

// Users that are known to be in the store, so that not every token costs a look-up. Bounded; forgetting is harmless.

#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "proto/chat/ids.h"

namespace uproar::gateway {

class KnownUsers {
 public:
  [[nodiscard]] bool contains(UserId user) const { return users_.contains(user); }
  void add(UserId user) {
    if (users_.size() >= kUsersMax) users_.clear();
    users_.insert(user);
  }

 private:
  // 7/8 of 16,384 places of 17 bytes: 272 KiB a shard. It is there for who comes back soon; everybody else costs one
  // read of the store on its own thread, so more would be memory of all for the few.
  static constexpr std::size_t kUsersMax = 14'336;
  absl::flat_hash_set<UserId> users_;
};

}  // namespace uproar::gateway
