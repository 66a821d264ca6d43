#include "core/server/admin_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/net/listener.h"

namespace uproar::server {
namespace {

constexpr mode_t kOwnerAlone = 0600;

Err<SystemError> failed(std::string_view operation, const AdminAddress& address, int code,
                        std::string_view hint) {
  return Err<SystemError>{SystemError{.operation = std::string(operation) + " --admin-listen",
                                      .subject = address.text(),
                                      .code = code,
                                      .hint = std::string(hint)}};
}

std::string_view tcp_hint(int code) {
  if (code == EADDRINUSE)
    return "stop what listens there (ss -ltnp names it), or say --admin-listen HOST:PORT with "
           "another port (0: a free one), --admin-listen unix:/PATH or --admin-listen off";
  if (code == EACCES) return "say --admin-listen HOST:PORT with a port from 1024 on";
  if (code == EADDRNOTAVAIL)
    return "name an address of this machine (ip -brief address) with --admin-listen";
  return "correct the host in --admin-listen, or give an address of this machine as a number";
}

// What the public listener would say, with the words for this one.
Err<SystemError> in_our_words(SystemError error) {
  error.operation += " --admin-listen";
  error.hint = tcp_hint(error.code);
  return Err<SystemError>{std::move(error)};
}

Result<int, SystemError> listen_tcp(const AdminAddress& address) {
  if (address.port != 0) {
    const auto free = net::check_address_free(address.text());
    if (!free.ok()) return in_our_words(free.error());
  }
  auto listener = net::listen_reuseport(address.text());
  if (!listener.ok()) return in_our_words(listener.error());
  return listener;
}

sockaddr_un socket_address(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, path.data(), path.size());  // parse_admin_address() saw that it fits
  return out;
}

int make_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// Somebody listens there; its backlog may be full.
bool is_answered(const sockaddr_un& where) {
  const int fd = make_socket();
  if (fd < 0) return true;  // not known: leave it alone
  const bool answers = ::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0;
  const bool refused = !answers && errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

Result<void, SystemError> make_room(const AdminAddress& address, const sockaddr_un& where) {
  struct stat found {};
  if (::lstat(address.path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode))
    return failed("listen on", address, EEXIST,
                  "a file that is no socket stands at this path: name another one");
  if (is_answered(where))
    return failed("listen on", address, EADDRINUSE,
                  "another process answers at this socket: stop it, or name another path");
  (void)::unlink(address.path.c_str());
  return {};
}

Result<int, SystemError> listen_unix(const AdminAddress& address) {
  const sockaddr_un where = socket_address(address.path);
  if (auto room = make_room(address, where); !room.ok()) return Err{room.error()};
  const int fd = make_socket();
  if (fd < 0) return failed("socket for", address, errno, "");
  // Linux gives the file the mode of the socket: it never stands there with another one.
  const bool listens = ::fchmod(fd, kOwnerAlone) == 0 &&
                       ::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0 &&
                       ::listen(fd, net::kListenBacklog) == 0;
  if (listens) return fd;
  const int code = errno;
  ::close(fd);
  return failed("listen on", address, code,
                "its folder must be there and writable for the server's user, as systemd's "
                "RuntimeDirectory= makes it");
}

}  // namespace

AdminListener::AdminListener(AdminAddress address, int fd)
    : address_(std::move(address)), fd_(fd) {}

Result<std::unique_ptr<AdminListener>, SystemError> AdminListener::open(
    const AdminAddress& address) {
  UPROAR_CHECK(address.kind != AdminAddress::Kind::kOff);
  const bool is_unix = address.kind == AdminAddress::Kind::kUnix;
  const auto fd = is_unix ? listen_unix(address) : listen_tcp(address);
  if (!fd.ok()) return Err{fd.error()};
  std::unique_ptr<AdminListener> listener(new AdminListener(address, fd.value()));
  struct stat made {};
  if (!is_unix) {
    listener->address_.port = net::local_port(fd.value());
  } else if (::lstat(address.path.c_str(), &made) == 0) {
    listener->device_ = made.st_dev;
    listener->inode_ = made.st_ino;
  }
  return listener;
}

AdminListener::~AdminListener() {
  struct stat found {};
  if (address_.kind == AdminAddress::Kind::kUnix && ::lstat(address_.path.c_str(), &found) == 0 &&
      found.st_dev == device_ && found.st_ino == inode_)
    (void)::unlink(address_.path.c_str());
  ::close(fd_);
}

std::string AdminListener::url() const {
  return address_.kind == AdminAddress::Kind::kTcp ? "http://" + address_.text() : address_.text();
}

}  // namespace uproar::server
