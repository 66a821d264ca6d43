#pragma once

// Who is at the other end, in 16 bytes: an IPv6 address, or IPv4 as ::ffff:a.b.c.d.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace uproar::net {

struct PeerAddress {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool is_v4() const;
  // What limits are counted by: the IPv4 address, or the /64 of an IPv6 address (one customer commonly has a whole
  // /64). Not a secret-keyed hash: collisions only make a limit shared.
  [[nodiscard]] std::uint64_t limit_key() const;
  // "203.0.113.7" or "2001:db8::1".
  [[nodiscard]] std::string text() const;

  // The peer of a connected socket; all zero for one without addresses (a Unix socket). nullopt: the peer has reset it.
  [[nodiscard]] static std::optional<PeerAddress> of_socket(int fd);

  friend constexpr auto operator<=>(const PeerAddress&, const PeerAddress&) = default;
};
static_assert(sizeof(PeerAddress) == 16);

}  // namespace uproar::net
