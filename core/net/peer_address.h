#pragma once

// Who is at the other end of a socket, or whom a trusted proxy names in its place.

#include <cstdint>
#include <optional>

#include "proto/base/ip_address.h"

namespace uproar::net {

struct PeerAddress : IpAddress {
  // What limits are counted by: the IPv4 address, or the /64 of an IPv6 address (one customer commonly has a whole
  // /64). Not a secret-keyed hash: collisions only make a limit shared.
  [[nodiscard]] std::uint64_t limit_key() const;

  // The peer of a connected socket; all zero when it has no address (a Unix socket). nullopt: it has reset the
  // connection meanwhile, and nobody can say who it was.
  [[nodiscard]] static std::optional<PeerAddress> of_socket(int fd);

  friend constexpr auto operator<=>(const PeerAddress&, const PeerAddress&) = default;
};
static_assert(sizeof(PeerAddress) == 16);

}  // namespace uproar::net
