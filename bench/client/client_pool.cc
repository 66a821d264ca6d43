#include "bench/client/client_pool.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "bench/client/masked_frame.h"
#include "bench/client/process.h"

namespace uproar::bench {
namespace {

constexpr std::uint32_t kOpeningMax = 128;  // handshakes under way: below the listen backlog
constexpr std::uint32_t kSourceAddresses =
    63;  // 127.0.0.1 .. 127.0.0.63: ports for more than one address has
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::int64_t kOpenStallNs = 30'000'000'000;

}  // namespace

ClientPool::ClientPool() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(kReadBytes, '\0') {
  if (epoll_ < 0) die("epoll_create1 failed");
}

ClientPool::~ClientPool() {
  close_all();
  ::close(epoll_);
}

void ClientPool::close_all() {
  // Cut with a reset: thousands of sockets in TIME_WAIT would starve the next run of ports.
  const linger reset{.l_onoff = 1, .l_linger = 0};
  for (const Client& client : clients_) {
    if (client.fd < 0) continue;
    ::setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(client.fd);
  }
  clients_.clear();
}

void ClientPool::open(std::uint16_t port, const std::vector<std::string>& requests,
                      FrameSink& sink) {
  requests_ = &requests;
  first_ = clients();
  clients_.resize(first_ + requests.size());
  std::uint32_t next = first_;
  std::int64_t progress_ns = monotonic_ns();
  while (next < clients() || opening_ > 0) {
    while (next < clients() && opening_ < kOpeningMax) connect_one(port, next++);
    if (poll(sink)) progress_ns = monotonic_ns();
    if (monotonic_ns() - progress_ns > kOpenStallNs)
      die("connecting stalled at client " + std::to_string(next));
  }
  requests_ = nullptr;
}

void ClientPool::connect_one(std::uint16_t port, std::uint32_t index) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    die("socket: " + std::string(std::strerror(errno)) + " at client " + std::to_string(index));
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + index % kSourceAddresses);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
    die("bind: " + std::string(std::strerror(errno)));
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS) {
    die("connect: " + std::string(std::strerror(errno)));
  }
  clients_[index].fd = fd;
  ++opening_;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u32 = index;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void ClientPool::on_connected(std::uint32_t index) {
  Client& client = clients_[index];
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0)
    die("client " + std::to_string(index) + " cannot connect: " + std::strerror(error));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = index;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
  const std::string& request = (*requests_)[index - first_];
  if (request.empty()) return opened(client);
  client.stage = Stage::kUpgrading;
  send_bytes(client.fd, request);
}

void ClientPool::opened(Client& client) {
  client.stage = Stage::kOpen;
  --opening_;
}

bool ClientPool::poll(FrameSink& sink) {
  std::array<epoll_event, 256> events;
  const std::int64_t before = monotonic_ns();
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  if (count <= 0) return false;
  for (int i = 0; i < count; ++i) on_event(events[static_cast<std::size_t>(i)].data.u32, sink);
  busy_ns_ += monotonic_ns() - before;
  return true;
}

void ClientPool::drain(FrameSink& sink, int quiet_ms) {
  std::int64_t last = monotonic_ns();
  while (monotonic_ns() - last < static_cast<std::int64_t>(quiet_ms) * 1'000'000) {
    if (poll(sink)) last = monotonic_ns();
  }
}

void ClientPool::on_event(std::uint32_t index, FrameSink& sink) {
  if (clients_[index].stage == Stage::kConnecting) return on_connected(index);
  read(index, sink);
}

void ClientPool::read(std::uint32_t index, FrameSink& sink) {
  Client& client = clients_[index];
  const ssize_t got = ::recv(client.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  ++reads_;
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    die("client " + std::to_string(index) + " lost its connection: " +
        (got == 0 ? std::string("closed by the server") : std::strerror(errno)) + "; it had said " +
        client.partial.substr(0, 300));
  }
  std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
  if (!client.partial.empty() || client.stage == Stage::kUpgrading) {
    client.partial += bytes;
    bytes = client.partial;
  }
  std::size_t taken = 0;
  if (client.stage == Stage::kUpgrading) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return;
    if (!bytes.starts_with("HTTP/1.1 101 ")) {
      die("client " + std::to_string(index) + " was refused: " + std::string(bytes.substr(0, 500)));
    }
    taken = end + 4;
    opened(client);
  }
  taken += take_frames(index, bytes.substr(taken), sink);
  if (bytes.data() == client.partial.data()) {
    if (taken == client.partial.size())
      client.partial = std::string();
    else
      client.partial.erase(0, taken);
  } else if (taken < bytes.size()) {
    client.partial = bytes.substr(taken);
  }
}

std::size_t ClientPool::take_frames(std::uint32_t index, std::string_view bytes, FrameSink& sink) {
  std::size_t at = 0;
  while (bytes.size() - at >= 2) {
    const auto* head = reinterpret_cast<const unsigned char*>(bytes.data() + at);
    std::size_t header = 2;
    std::uint64_t length = head[1];
    if (length > 127) die("a server must not mask");
    if (length == 126) {
      header = 4;
      if (bytes.size() - at < header) break;
      length = static_cast<std::uint64_t>(head[2]) << 8 | head[3];
    } else if (length == 127) {
      header = 10;
      if (bytes.size() - at < header) break;
      length = 0;
      for (int i = 2; i < 10; ++i) length = length << 8 | head[i];
    }
    if (bytes.size() - at < header + length) break;
    const std::string_view payload = bytes.substr(at + header, length);
    switch (head[0]) {
      case 0x81:
        sink.on_text(index, payload, bytes.substr(at, header + length));
        break;
      case 0x89:
        send_frame(clients_[index].fd, kFinPong, payload);
        break;
      case 0x88:
        die("client " + std::to_string(index) +
            " was closed: " + std::string(payload.substr(payload.size() < 2 ? 0 : 2)) + " " +
            (payload.size() < 2 ? ""
                                : std::to_string(static_cast<unsigned char>(payload[0]) * 256 +
                                                 static_cast<unsigned char>(payload[1]))));
      default:
        die("client " + std::to_string(index) + " got an unexpected frame " +
            std::to_string(head[0]));
    }
    at += header + length;
  }
  return at;
}

void ClientPool::send_text(std::uint32_t client, std::string_view text) {
  send_frame(clients_[client].fd, kFinText, text);
}

void ClientPool::send_frame(int fd, std::uint8_t first_byte, std::string_view payload) {
  out_.clear();
  append_masked_frame(out_, first_byte, payload);
  send_bytes(fd, out_);
}

void ClientPool::send_bytes(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
      (void)::poll(&wait, 1, 1000);
    } else {
      die("send: " + std::string(std::strerror(errno)));
    }
  }
}

}  // namespace uproar::bench
