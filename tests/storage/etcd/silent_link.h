#pragma once

// A way to a service on loopback that can fall silent: from then on what either end says goes nowhere, and nobody is told
// that anything has ended. In the reactor of the test.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "proto/base/check.h"
#include "tests/storage/poll_reactor.h"

namespace uproar::storage {

class SilentLink {
 public:
  SilentLink(PollReactor& reactor, std::uint16_t service_port)
      : reactor_(reactor),
        service_(address_of(service_port)),
        fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = address_of(0);
    socklen_t size = sizeof(address);
    UPROAR_CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    UPROAR_CHECK(::listen(fd_, 16) == 0);
    UPROAR_CHECK(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    watch_ = reactor_.watch(fd_, POLLIN, [this](short) { accept_one(); });
  }
  ~SilentLink() {
    reactor_.unwatch(watch_);
    while (!ends_.empty()) close_both(ends_.begin()->first);
    ::close(fd_);
  }
  SilentLink(const SilentLink&) = delete;
  SilentLink& operator=(const SilentLink&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

  // Every connection that is there and has begun with something that holds `text`.
  void silence(std::string_view text) {
    for (auto& [fd, end] : ends_) {
      const End& client = end.is_client ? end : ends_.at(end.peer);
      if (client.beginning.find(text) != std::string::npos) end.is_silent = true;
    }
  }
  // Also those to come.
  void silence_all() {
    silence("");
    is_silent_ = true;
  }

 private:
  struct End {
    int peer = -1;
    bool is_client = false;
    bool is_silent = false;
    std::string beginning;
    Reactor::WatchId watch = 0;
  };

  static sockaddr_in address_of(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  void accept_one() {
    const int client = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    UPROAR_CHECK(
        ::connect(server, reinterpret_cast<const sockaddr*>(&service_), sizeof(service_)) == 0);
    open(client, server, true);
    open(server, client, false);
  }
  void open(int fd, int peer, bool is_client) {
    ends_[fd] = {.peer = peer,
                 .is_client = is_client,
                 .is_silent = is_silent_,
                 .beginning = {},
                 .watch = reactor_.watch(fd, POLLIN, [this, fd](short) { carry(fd); })};
  }
  void carry(int fd) {
    std::array<char, 16384> bytes;
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got <= 0) return close_both(fd);
    End& end = ends_.at(fd);
    const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
    if (end.beginning.size() < 1024) end.beginning += text;
    if (!end.is_silent) (void)!::send(end.peer, text.data(), text.size(), MSG_NOSIGNAL);
  }
  void close_both(int fd) {
    const int peer = ends_.at(fd).peer;
    for (const int each : {fd, peer}) {
      reactor_.unwatch(ends_.at(each).watch);
      ends_.erase(each);
      ::close(each);
    }
  }

  PollReactor& reactor_;
  const sockaddr_in service_;
  const int fd_;
  std::uint16_t port_ = 0;
  Reactor::WatchId watch_ = 0;
  bool is_silent_ = false;
  std::map<int, End> ends_;
};

}  // namespace uproar::storage
