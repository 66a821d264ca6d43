#pragma once

// Where an answer goes: a WebSocket connection or a pending REST request, on some shard. Slots and generations are
// those of core/net (sessions) or of the gateway's request table; stale ones are ignored.

#include <compare>
#include <cstdint>

#include "proto/chat/client_event.h"
#include "proto/chat/ids.h"

namespace uproar::chat {

struct Endpoint {
  enum class Kind : std::uint8_t { kSession, kRequest };
  std::uint16_t shard = 0;
  Kind kind = Kind::kSession;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};
static_assert(sizeof(Endpoint) == 12, "presence keeps one per online device");

// Who asks, and where the answer goes.
struct Actor {
  UserId user;  // of a request; for a session the domain knows and fills it in
  Endpoint from;
  RequestId request;  // empty: nothing to echo
};

struct Command {
  Actor actor;
  ClientEvent event;
};

}  // namespace uproar::chat
