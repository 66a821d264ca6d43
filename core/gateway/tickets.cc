#include "core/gateway/tickets.h"

#include <array>

#include "core/gateway/limits.h"
#include "proto/base/parse_number.h"
#include "proto/crypto/base64.h"
#include "proto/crypto/random.h"

namespace uproar::gateway {
namespace {
constexpr std::size_t kShardChars = 4;  // hexadecimal
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kTicketChars = kShardChars + 43;  // base64url of 32 bytes without padding
}  // namespace

std::optional<std::string> Tickets::issue(const chat::TokenProof& holder, Now now) {
  forget_expired(now);
  if (by_expiry_.size() >= kTicketsMax)
    return std::nullopt;  // redeemed ones keep their place until they expire
  const auto secret = crypto::random_bytes<kSecretBytes>();
  std::array<char, kShardChars> shard{'0', '0', '0', '0'};
  for (std::size_t i = 0; i < kShardChars; ++i) {
    shard[i] = "0123456789abcdef"[(shard_ >> (12 - 4 * i)) & 15U];
  }
  std::string ticket(shard.data(), shard.size());
  ticket += crypto::base64url_encode(secret);
  const std::int64_t expires_us = now.monotonic_us + kTicketLifeUs;
  entries_.emplace(ticket, Entry{.holder = holder, .expires_us = expires_us});
  by_expiry_.emplace_back(expires_us, ticket);
  return ticket;
}

std::optional<chat::TokenProof> Tickets::redeem(std::string_view ticket, Now now) {
  forget_expired(now);
  const auto entry = entries_.find(std::string(ticket));
  if (entry == entries_.end()) return std::nullopt;
  const chat::TokenProof holder = entry->second.holder;
  entries_.erase(entry);  // its place in the queue is passed over when it comes to the front
  return holder;
}

std::optional<std::uint16_t> Tickets::shard_of(std::string_view ticket) {
  if (ticket.size() != kTicketChars) return std::nullopt;
  return parse_number<std::uint16_t>(ticket.substr(0, kShardChars), 16);
}

void Tickets::forget_expired(Now now) {
  while (!by_expiry_.empty() && by_expiry_.front().first <= now.monotonic_us) {
    entries_.erase(by_expiry_.front().second);
    by_expiry_.pop_front();
  }
}

}  // namespace uproar::gateway
