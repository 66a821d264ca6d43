#pragma once

// A shard whose sends go nowhere, always succeed and allocate nothing, with a room of readers who keep up: what core/net itself
// costs per delivery. The benchmark measures it, tests/core/net/allocation_test.cc counts its allocations.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/shard_net-inl.h"

namespace uproar::net {

inline constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

class Quiet : public Handler {
 public:
  void on_request(ConnectionId, const http::Request&) override {}
  UpgradeAnswer on_upgrade(ConnectionId, const http::Request&) override {
    return {.accept = true, .status = 0, .subprotocol = {}, .body = {}, .context = 0};
  }
  void on_open(ConnectionId id) override { opened.push_back(id); }
  void on_message(ConnectionId, MessageKind, MutableBytes) override {}
  void on_ping(ConnectionId) override {}
  void on_drained(ConnectionId) override {}
  void on_closed(ConnectionId, CloseCause) override {}
  std::vector<ConnectionId> opened;
};

class NullIo {
 public:
  using Key = runtime::CompletionKey;
  bool adopt(std::uint32_t, int fd) { return ::close(fd) == 0; }
  void arm_accept(int, Key key) { accept_key = key; }
  void arm_recv(std::uint32_t, Key key) { recv_key = key; }
  void send(std::uint32_t, ByteView bytes, Key) {
    last_bytes =
        bytes.data();  // looked at, as a system call would: else the compiler could leave it out
    ++sends;
  }
  void send_gather(std::uint32_t, const msghdr*, Key) { ++sends; }
  void poll_writable(std::uint32_t, Key) {}
  void cancel(Key, Key) {}
  void shutdown_write(std::uint32_t, Key) {}
  void close(std::uint32_t, Key) {}
  void submit() {}
  [[nodiscard]] std::uint32_t buffers_free() const { return 1; }
  [[nodiscard]] std::uint32_t ready() const { return 0; }

  Key accept_key;
  Key recv_key;
  const std::byte* volatile last_bytes = nullptr;
  std::uint64_t sends = 0;
};

// Room for `members`, who all come from one address.
inline NetOptions room_options(std::uint32_t members) {
  NetOptions options;
  options.connections_max = members + 1;
  options.handshakes_per_address_per_second_max = 0;
  return options;
}

class NullRoom {
 public:
  explicit NullRoom(std::uint32_t members) : net_(io_, handler_, room_options(members)) {
    net_.on_tick(now_);
    net_.add_listener(0);
    for (std::uint32_t i = 0; i < members; ++i) join();
  }

  // One turn of the loop in which the message is published `frames` times.
  void turn(std::int64_t frames, const EncodedMessage& message, DeliveryClass cls,
            ConnectionId except = {}) {
    for (std::int64_t i = 0; i < frames; ++i) (void)net_.publish(kTopic, message, cls, except);
    while (net_.flush(now_)) net_.on_tick(now_);
    net_.on_tick(now_);
  }
  [[nodiscard]] std::uint64_t sends() const { return io_.sends; }
  [[nodiscard]] ConnectionId first() const { return handler_.opened.front(); }

 private:
  static constexpr TopicId kTopic{.high = 1, .low = 1};

  void join() {
    net_.on_completion({.key = io_.accept_key,
                        .result = ::open("/dev/null", O_RDONLY | O_CLOEXEC),
                        .more = true,
                        .buffer = {}},
                       now_);
    std::string head(kUpgrade);
    head.append(runtime::kReadablePadding, '\0');
    net_.on_completion({.key = io_.recv_key,
                        .result = static_cast<std::int32_t>(kUpgrade.size()),
                        .more = true,
                        .buffer = {reinterpret_cast<std::byte*>(head.data()), kUpgrade.size()}},
                       now_);
    (void)net_.subscribe(handler_.opened.back(), kTopic);
    while (net_.flush(now_)) {
    }
  }

  NullIo io_;
  Quiet handler_;
  Now now_{.monotonic_us = 1'000'000, .wall_us = 0};
  BasicShardNet<NullIo> net_;
};

}  // namespace uproar::net
