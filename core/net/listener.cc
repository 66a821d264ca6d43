#include "core/net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace uproar::net {

namespace {

Err<SystemError> failed(std::string_view operation, std::string_view address, int code,
                        std::string_view hint = {}) {
  return Err<SystemError>{SystemError{.operation = std::string(operation),
                                      .subject = std::string(address),
                                      .code = code,
                                      .hint = std::string(hint)}};
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

template <class T>
bool set_option(int fd, int level, int name, const T& value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

std::string_view bind_hint(int code) {
  if (code == EADDRINUSE)
    return "stop what listens there (ss -ltnp names it), or choose another port with --listen";
  if (code == EACCES)
    return "choose a port from 1024 on with --listen, or give the right to lower ones: "
           "CAP_NET_BIND_SERVICE";
  if (code == EADDRNOTAVAIL)
    return "name an address of this machine (ip -brief address) with --listen, or :PORT for all";
  return {};
}

Result<int, SystemError> bind_socket(std::string_view address, bool reuseport) {
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return failed("listen", address, 0, "write HOST:PORT");
  std::string host(address.substr(0, colon));
  const std::string port(address.substr(colon + 1));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host == "*") host.clear();

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int looked_up =
      getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &raw);
  if (looked_up != 0)
    return failed("look up", std::string(address) + ": " + gai_strerror(looked_up), 0,
                  "correct the host in --listen, or give an address of this machine as a number");
  const std::unique_ptr<addrinfo, FreeAddresses> list(raw);

  const int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed("socket", address, errno);
  const int on = 1;
  bool set = set_option(fd, SOL_SOCKET, SO_REUSEADDR, on);
  if (reuseport) set = set_option(fd, SOL_SOCKET, SO_REUSEPORT, on) && set;
  set = set_option(fd, IPPROTO_TCP, TCP_NODELAY, on) && set;
  set = set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kNotSentLowWaterBytes) && set;
  set = set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs) && set;
  if (!set) {
    const int code = errno;
    ::close(fd);
    return failed("setsockopt", address, code);
  }
  if (bind(fd, list->ai_addr, list->ai_addrlen) != 0) {
    const int code = errno;
    ::close(fd);
    return failed("bind", address, code, bind_hint(code));
  }
  return fd;
}

}  // namespace

Result<int, SystemError> listen_reuseport(std::string_view address) {
  auto bound = bind_socket(address, true);
  if (!bound.ok()) return bound;
  if (listen(bound.value(), kListenBacklog) != 0) {
    const int code = errno;
    ::close(bound.value());
    return failed("listen", address, code, bind_hint(code));
  }
  return bound;
}

Result<void, SystemError> check_address_free(std::string_view address) {
  // Without SO_REUSEPORT a second server is refused, whoever runs it.
  const auto bound = bind_socket(address, false);
  if (!bound.ok()) return Err{bound.error()};
  ::close(bound.value());
  return {};
}

int accept_waiting(int listen_fd) {
  int fd = -1;
  do {
    fd = accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC);
  } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  return fd;
}

void stop_listening(int listen_fd) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  const bool is_known = getsockopt(listen_fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0;
  if (is_known && listens != 0) (void)shutdown(listen_fd, SHUT_RD);
}

std::uint16_t local_port(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof(v4));
    return ntohs(v4.sin_port);
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &storage, sizeof(v6));
  return ntohs(v6.sin6_port);
}

}  // namespace uproar::net
