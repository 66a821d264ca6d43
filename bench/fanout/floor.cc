#include "bench/fanout/floor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "bench/client/process.h"
#include "bench/fanout/delivery_check.h"

namespace uproar::bench {
namespace {

constexpr std::uint32_t kAccept = 1;
constexpr std::uint32_t kFrame = 2;
constexpr std::uint32_t kPass = 3;

void read_all(int fd, void* out, std::size_t bytes) {
  auto* at = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t got = ::recv(fd, at, bytes, 0);
    if (got <= 0) ::_exit(0);  // the parent has ended
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

int take(int listener) {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) die("floor: accept: " + std::string(std::strerror(errno)));
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_whole(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
      pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
      (void)::poll(&wait, 1, -1);
      continue;
    }
    if (sent < 0) die("floor: send: " + std::string(std::strerror(errno)));
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

}  // namespace

Floor::Floor(int core) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener, 4096) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    die("floor: cannot listen");
  }
  port_ = ntohs(at.sin_port);
  pid_ = fork_child(core);
  if (pid_ == 0) serve(listener);
  ::close(listener);
  // Commands come over TCP as a publish does, so that the floor too pays for being told.
  control_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(control_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
    die("floor: cannot connect");
  const int on = 1;
  ::setsockopt(control_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Floor::~Floor() {
  ::close(control_);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Floor::command(const Command& command) {
  if (::send(control_, &command, sizeof command, MSG_NOSIGNAL) != sizeof command)
    die("floor: gone");
}

void Floor::accept(std::uint32_t sockets) {
  command({.kind = kAccept, .count = sockets});
}

void Floor::set_frame(const std::string& frame) {
  command({.kind = kFrame, .count = static_cast<std::uint32_t>(frame.size())});
  if (::send(control_, frame.data(), frame.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(frame.size()))
    die("floor: gone");
}

void Floor::pass(std::uint64_t number, std::uint32_t frames) {
  command({.kind = kPass, .count = frames, .number = number});
}

void Floor::serve(int listener) {
  const int control = take(listener);
  std::vector<int> sockets;
  std::string frame;
  std::size_t number_at = 0;
  std::string run;
  while (true) {
    Command command;
    read_all(control, &command, sizeof command);
    if (command.kind == kAccept) {
      while (sockets.size() < command.count) sockets.push_back(take(listener));
    } else if (command.kind == kFrame) {
      frame.resize(command.count);
      read_all(control, frame.data(), frame.size());
      number_at = frame.find(kMarker) + kMarker.size();
    } else {
      run.clear();
      for (std::uint32_t i = 0; i < command.count; ++i) {
        write_number(frame.data() + number_at, command.number + i);
        run += frame;
      }
      for (const int socket : sockets) send_whole(socket, run.data(), run.size());
    }
  }
}

}  // namespace uproar::bench
