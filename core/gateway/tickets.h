#pragma once

// Single-use tickets: a browser opens its WebSocket with one, so that no token stands in a URL. 32 random bytes;
// the first characters name the shard that issued it, which is the one that can redeem it, once, within 30 s.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "proto/base/now.h"
#include "proto/chat/ids.h"

namespace uproar::gateway {

class Tickets {
 public:
  struct Holder {
    UserId user;
    SessionId session;
  };

  explicit Tickets(std::uint16_t shard) : shard_(shard) {}

  // nullopt: too many are out; the client uses its token instead.
  [[nodiscard]] std::optional<std::string> issue(UserId user, SessionId session, Now now);
  // Valid once. REQUIRES: shard_of(ticket) is this shard.
  [[nodiscard]] std::optional<Holder> redeem(std::string_view ticket, Now now);
  // Which shard issued it; nullopt for what is no ticket at all.
  [[nodiscard]] static std::optional<std::uint16_t> shard_of(std::string_view ticket);

 private:
  struct Entry {
    Holder holder;
    std::int64_t expires_us = 0;
  };
  void forget_expired(Now now);

  const std::uint16_t shard_;
  absl::flat_hash_map<std::string, Entry> entries_;
  std::deque<std::pair<std::int64_t, std::string>>
      by_expiry_;  // all live equally long: a queue is in order
};

}  // namespace uproar::gateway
