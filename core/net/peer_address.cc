#include "core/net/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace uproar::net {

namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

bool PeerAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

std::uint64_t PeerAddress::limit_key() const {
  std::uint64_t high = 0;
  std::memcpy(&high, bytes.data(), sizeof(high));
  if (!is_v4()) return high;
  std::uint32_t v4 = 0;
  std::memcpy(&v4, bytes.data() + kV4Prefix.size(), sizeof(v4));
  return v4 | (std::uint64_t{0xFFFF} << 32U);
}

std::string PeerAddress::text() const {
  char out[INET6_ADDRSTRLEN] = {};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + kV4Prefix.size(), out, sizeof(out));
  } else {
    inet_ntop(AF_INET6, bytes.data(), out, sizeof(out));
  }
  return out;
}

std::optional<PeerAddress> PeerAddress::of_socket(int fd) {
  PeerAddress out;
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    if (errno == ENOTCONN) return std::nullopt;
    return out;
  }
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof(v4));
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
    std::memcpy(out.bytes.data() + kV4Prefix.size(), &v4.sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof(v6));
    std::memcpy(out.bytes.data(), &v6.sin6_addr, 16);
  }
  return out;
}

}  // namespace uproar::net
