#pragma once

// Who comes first, over the Redis that all nodes share: a key that is set once and kept as long as a ticket lives. While
// Redis cannot be asked, a ticket is good once at each shard: a login that is refused for that would be the worse.

#include <deque>
#include <functional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "core/gateway/node_tickets.h"
#include "proto/base/now.h"
#include "storage/redis/redis_bus.h"

namespace uproar::server {

class RedisClaims final : public gateway::TicketClaims {
 public:
  // `bus`: null where there is no Redis to ask. `now` is the turn's. Both outlive it.
  RedisClaims(storage::redis::RedisBus* bus, const Now& now) : bus_(bus), now_(now) {}

  void claim(const Uuid& number, std::function<void(bool is_first)> done) override;

 private:
  [[nodiscard]] bool claim_here(const Uuid& number);

  storage::redis::RedisBus* const bus_;
  const Now& now_;
  // Those that Redis was not asked about, or did not answer.
  absl::flat_hash_set<Uuid> claimed_here_;
  std::deque<std::pair<std::int64_t, Uuid>> by_expiry_;
};

}  // namespace uproar::server
