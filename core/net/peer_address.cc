#include "core/net/peer_address.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace uproar::net {

std::uint64_t PeerAddress::limit_key() const {
  std::uint64_t high = 0;
  std::memcpy(&high, bytes.data(), sizeof(high));
  if (!is_v4()) return high;
  std::uint32_t v4 = 0;
  std::memcpy(&v4, bytes.data() + bytes.size() - sizeof(v4), sizeof(v4));
  return v4 | (std::uint64_t{0xFFFF} << 32U);
}

std::optional<PeerAddress> PeerAddress::of_socket(int fd) {
  PeerAddress out;
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0)
    return errno == ENOTCONN ? std::nullopt : std::optional(out);
  if (storage.ss_family == AF_INET) {
    sockaddr_in peer{};
    std::memcpy(&peer, &storage, sizeof(peer));
    std::array<std::uint8_t, 4> four{};
    std::memcpy(four.data(), &peer.sin_addr, four.size());
    out = {v4(four)};
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 peer{};
    std::memcpy(&peer, &storage, sizeof(peer));
    std::memcpy(out.bytes.data(), &peer.sin6_addr, out.bytes.size());
  }
  return out;
}

}  // namespace uproar::net
