#pragma once

// Single-use tickets of one node of several: a login is sent to any node, so any must be able to redeem them. The ticket
// says itself whose it is, signed with the key that all nodes share; that it is used once is kept where all nodes look
// (TicketClaims). Alone, Tickets does without both.
//
//   "n" and base64url of: user (16) | session (16) | number (16, random) |
//   expires, Unix seconds (8) | the access token expires, Unix seconds (8) | HMAC-SHA-256 (32)

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/gateway/tickets.h"
#include "proto/auth/secret.h"
#include "proto/base/now.h"
#include "proto/base/uuid.h"

namespace uproar::gateway {

// Owned by core/server, over what the nodes share.
class TicketClaims {
 public:
  virtual ~TicketClaims() = default;
  // Whether nobody has claimed `number` before. `done` runs once, in a later turn or at once.
  virtual void claim(const Uuid& number, std::function<void(bool is_first)> done) = 0;
};

class NodeTickets {
 public:
  struct Ticket {
    chat::TokenProof holder;
    Uuid number;
  };

  // `key`: what all nodes sign with.
  explicit NodeTickets(auth::Secret key) : key_(std::move(key)) {}

  // `holder`: what the access token proves that is issued with it.
  [[nodiscard]] std::string issue(const chat::TokenProof& holder, Now now) const;
  // nullopt: not signed by a node, changed, or expired. It may have been used.
  [[nodiscard]] std::optional<Ticket> read(std::string_view ticket, Now now) const;
  // By its looks.
  [[nodiscard]] static bool is_one(std::string_view ticket);

 private:
  const auth::Secret key_;
};

}  // namespace uproar::gateway
