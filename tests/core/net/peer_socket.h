#pragma once

// A real TCP socket as accept() gives it, whose peer has the address that a test wants.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/check.h"

namespace uproar::net {

enum class PeerEnd { kClosed, kReset };

// `address`: of 127.0.0.0/8. The peer's own end is gone already.
inline int accepted_from(const char* address, PeerEnd end = PeerEnd::kClosed) {
  const auto socket_at = [](const char* text) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    UPROAR_CHECK(::inet_pton(AF_INET, text, &at.sin_addr) == 1);
    UPROAR_CHECK(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0);
    return fd;
  };
  const int listener = socket_at("127.0.0.1");
  UPROAR_CHECK(::listen(listener, 1) == 0);
  sockaddr_in where{};
  socklen_t size = sizeof(where);
  UPROAR_CHECK(::getsockname(listener, reinterpret_cast<sockaddr*>(&where), &size) == 0);
  const int peer = socket_at(address);
  UPROAR_CHECK(::connect(peer, reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0);
  const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  UPROAR_CHECK(accepted >= 0);
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (end == PeerEnd::kReset)
    UPROAR_CHECK(::setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
  ::close(peer);
  ::close(listener);
  return accepted;
}
inline int accepted_and_reset_from(const char* address) {
  return accepted_from(address, PeerEnd::kReset);
}

}  // namespace uproar::net
