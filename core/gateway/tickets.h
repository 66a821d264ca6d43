#pragma once

// Single-use tickets: a browser opens its WebSocket with one, so that no token stands in a URL. 32 random bytes;
// the first characters name the shard that issued it, which is the one that can redeem it, once, within 30 s.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "core/chat/token_proof.h"
#include "proto/base/now.h"

namespace uproar::gateway {

class Tickets {
 public:
  explicit Tickets(std::uint16_t shard) : shard_(shard) {}

  // nullopt: too many are out; the client uses its token instead.
  // `holder`: what the access token proves that is issued with it; the ticket is as good as that.
  [[nodiscard]] std::optional<std::string> issue(const chat::TokenProof& holder, Now now);
  // Valid once. REQUIRES: shard_of(ticket) is this shard.
  [[nodiscard]] std::optional<chat::TokenProof> redeem(std::string_view ticket, Now now);
  // Which shard issued it; nullopt for what is no ticket at all.
  [[nodiscard]] static std::optional<std::uint16_t> shard_of(std::string_view ticket);

 private:
  struct Entry {
    chat::TokenProof holder;
    std::int64_t expires_us = 0;
  };
  void forget_expired(Now now);

  const std::uint16_t shard_;
  absl::flat_hash_map<std::string, Entry> entries_;
  std::deque<std::pair<std::int64_t, std::string>>
      by_expiry_;  // all live equally long: a queue is in order
};

}  // namespace uproar::gateway
