#include "bench/floor/epoll_floor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "bench/floor/rooms.h"
#include "bench/load/program.h"

namespace uproar::bench {
namespace {

class EpollFloor {
 public:
  EpollFloor(int listener, bool gather)
      : listener_(listener), gather_(gather), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    watch(listener);
  }

  [[noreturn]] void serve() {
    std::array<epoll_event, 512> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_)
          accept_all();
        else
          read(fd);
        if (!gather_) send_all();
      }
      send_all();
    }
  }

 private:
  void watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl failed");
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      rooms_.open(static_cast<std::uint32_t>(fd));
      watch(fd);
    }
  }

  void read(int fd) {
    const auto connection = static_cast<std::uint32_t>(fd);
    const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    FloorRooms::Outcome outcome;
    outcome.alive = false;
    if (got > 0)
      outcome = rooms_.on_bytes(connection, {buffer_.data(), static_cast<std::size_t>(got)});
    if (!outcome.answer.empty()) send(fd, outcome.answer);
    if (outcome.alive) return;
    rooms_.close(connection);
    ::close(fd);
  }

  void send_all() {
    for (const std::uint32_t index : rooms_.active()) {
      FloorRoom& room = rooms_.room(index);
      if (gather_)
        send_to_all(room, room.run);
      else
        send_one_by_one(room);
      room.clear();
    }
    rooms_.active().clear();
  }

  static void send_one_by_one(const FloorRoom& room) {
    std::size_t begin = 0;
    for (const std::size_t end : room.ends) {
      send_to_all(room, std::string_view(room.run).substr(begin, end - begin));
      begin = end;
    }
  }

  static void send_to_all(const FloorRoom& room, std::string_view bytes) {
    for (const std::uint32_t member : room.members) send(static_cast<int>(member), bytes);
  }

  static void send(int fd, std::string_view bytes) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return;  // read() will see it
    if (sent != static_cast<ssize_t>(bytes.size())) die("a member's socket is full: no floor");
  }

  int listener_;
  bool gather_;
  int epoll_;
  FloorRooms rooms_;
  std::array<char, 65'536> buffer_;
};

}  // namespace

void serve_by_epoll(int listener, bool gather) {
  static EpollFloor floor(listener, gather);
  floor.serve();
}

}  // namespace uproar::bench
