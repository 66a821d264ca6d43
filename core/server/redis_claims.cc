#include "core/server/redis_claims.h"

#include <string>

#include "core/gateway/limits.h"

namespace uproar::server {

using storage::redis::RedisLost;
using storage::redis::RedisReply;

void RedisClaims::claim(const Uuid& number, std::function<void(bool is_first)> done) {
  if (bus_ == nullptr) return done(claim_here(number));
  const std::string key = bus_->prefix() + "ticket:" + number.text();
  const std::string life = std::to_string(gateway::kTicketLifeUs / 1000);
  const auto sent =
      bus_->commands().send(key, {"SET", key, "1", "PX", life, "NX"},
                            [this, number, done](const Result<RedisReply, RedisLost>& answer) {
                              if (!answer.ok() || answer.value().value().is_error())
                                return done(claim_here(number));
                              done(!answer.value().value().is_nil());
                            });
  if (sent != storage::redis::SendResult::kQueued) done(claim_here(number));
}

bool RedisClaims::claim_here(const Uuid& number) {
  while (!by_expiry_.empty() && by_expiry_.front().first <= now_.monotonic_us) {
    claimed_here_.erase(by_expiry_.front().second);
    by_expiry_.pop_front();
  }
  if (by_expiry_.size() >= gateway::kTicketsMax) return false;
  if (!claimed_here_.insert(number).second) return false;
  by_expiry_.emplace_back(now_.monotonic_us + gateway::kTicketLifeUs, number);
  return true;
}

}  // namespace uproar::server
