#pragma once

// A ring on the test's own thread and loopback TCP connections. Waits are for completions, never
// for time.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/ring.h"

namespace uproar::runtime {

// A plain descriptor, closed at the end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

struct Listener {
  // `send_bytes`: SO_SNDBUF of accepted sockets, 0 the kernel's choice.
  explicit Listener(int send_bytes = 0) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (send_bytes != 0) {
      EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes), 0);
    }
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(fd.get(), 64), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  }
  [[nodiscard]] Fd connect(int recv_bytes = 0) const {
    Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (recv_bytes != 0) {
      EXPECT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes),
                0);
    }
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    return client;
  }
  Fd fd;
  sockaddr_in address{};
};

struct TcpPair {
  Fd server;
  Fd client;
};
// Small buffers make a socket that fills soon.
inline TcpPair tcp_pair(int buffer_bytes = 0) {
  const Listener listener(buffer_bytes);
  Fd client = listener.connect(buffer_bytes);
  Fd server(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_GE(server.get(), 0);
  return {.server = std::move(server), .client = std::move(client)};
}

// What a completion said, its bytes copied: the buffer is gone when the handler returns.
struct Seen {
  CompletionKey key;
  std::int32_t result = 0;
  bool more = false;
  std::string bytes;
};

class RingTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kGiveUpUs = 20'000'000;

  static Ring::Options small() {
    return {.sq_entries = 64,
            .cq_entries = 256,
            .direct_slots = 16,
            .recv_buffers = 8,
            .recv_buffer_bytes = 256};
  }
  void make_ring(const Ring::Options& options = small()) {
    auto made = Ring::create(options);
    ASSERT_TRUE(made.ok()) << made.error().text();
    ring = std::move(*made);
    const auto enabled = ring->enable();
    ASSERT_TRUE(enabled.ok()) << enabled.error().text();
  }

  // Submits, waits for at least one completion and returns all that came.
  std::vector<Seen> wait() {
    ring->submit_and_wait(1, kGiveUpUs);
    return look();
  }
  // What is in the queue now.
  std::vector<Seen> look(unsigned completions_max = 1'000'000) {
    std::vector<Seen> seen;
    ring->reap(
        [&](const Completion& completion) {
          seen.push_back({completion.key, completion.result, completion.more,
                          std::string(as_text(completion.buffer))});
        },
        completions_max);
    return seen;
  }
  // The next completion of `kind`; others are dropped.
  Seen next(OpKind kind) {
    for (;;) {
      const auto found = std::find_if(pending_.begin(), pending_.end(),
                                      [kind](const Seen& seen) { return seen.key.kind == kind; });
      if (found != pending_.end()) {
        Seen seen = std::move(*found);
        pending_.erase(found);
        return seen;
      }
      pending_ = wait();
      if (pending_.empty()) {
        ADD_FAILURE() << "no completion came";
        return {};
      }
    }
  }

  static CompletionKey key(OpKind kind, std::uint32_t slot = 0, std::uint32_t generation = 0) {
    return {.kind = kind, .generation = generation, .slot = slot};
  }

  std::unique_ptr<Ring> ring;

 private:
  std::vector<Seen> pending_;
};

// Reads until the end of the stream.
inline std::string read_to_end(int fd) {
  std::string all;
  char piece[65'536];
  for (;;) {
    const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
    if (got <= 0) return all;
    all.append(piece, static_cast<std::size_t>(got));
  }
}

inline std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

}  // namespace uproar::runtime
