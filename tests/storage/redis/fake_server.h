#pragma once

// Listens on loopback and says one thing to everybody who says anything.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>
#include <utility>

#include "proto/base/check.h"
#include "tests/storage/poll_reactor.h"

namespace uproar::storage {

class FakeServer {
 public:
  FakeServer(PollReactor& reactor, std::string answer)
      : reactor_(reactor),
        answer_(std::move(answer)),
        fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    UPROAR_CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    UPROAR_CHECK(::listen(fd_, 16) == 0);
    UPROAR_CHECK(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    watch_ = reactor_.watch(fd_, POLLIN, [this](short) { accept_one(); });
  }
  ~FakeServer() {
    reactor_.unwatch(watch_);
    for (const auto& [fd, watch] : clients_) {
      reactor_.unwatch(watch);
      ::close(fd);
    }
    ::close(fd_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void accept_one() {
    const int client = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    clients_[client] = reactor_.watch(client, POLLIN, [this, client](short) { answer(client); });
  }
  void answer(int client) {
    std::array<char, 4096> bytes;
    if (::recv(client, bytes.data(), bytes.size(), 0) > 0 &&
        ::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL) > 0)
      return;
    reactor_.unwatch(clients_.at(client));
    clients_.erase(client);
    ::close(client);
  }

  PollReactor& reactor_;
  const std::string answer_;
  const int fd_;
  std::uint16_t port_ = 0;
  Reactor::WatchId watch_ = 0;
  std::map<int, Reactor::WatchId> clients_;
};

}  // namespace uproar::storage
