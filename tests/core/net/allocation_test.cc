// What a delivery may not cost: an allocation. In a program of its own, since it counts every operator new.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bench/core/net/allocation_counter.h"
#include "core/net/shard_net-inl.h"
#include "proto/ws/frame_writer.h"

namespace uproar::net {
namespace {

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// Sends that go nowhere, always succeed, and allocate nothing themselves.
class NullIo {
 public:
  using Key = runtime::CompletionKey;
  bool adopt(std::uint32_t, int fd) { return ::close(fd) == 0; }
  void arm_accept(int, Key key) { accept_key = key; }
  void arm_recv(std::uint32_t, Key key) { recv_key = key; }
  void send(std::uint32_t, ByteView, Key) { ++sends; }
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
  std::uint64_t sends = 0;
};

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

// A shard with `members` readers that keep up, all in one topic.
class Room {
 public:
  explicit Room(std::uint32_t members) : net_(io_, handler_, options(members)) {
    net_.on_tick(now_);
    net_.add_listener(0);
    for (std::uint32_t i = 0; i < members; ++i) join();
  }

  // One turn of the loop in which `frames` events are published.
  void turn(int frames, const EncodedMessage& message, DeliveryClass cls, ConnectionId except) {
    for (int i = 0; i < frames; ++i) (void)net_.publish(kTopic, message, cls, except);
    while (net_.flush(now_)) net_.on_tick(now_);
    net_.on_tick(now_);
  }
  [[nodiscard]] std::uint64_t sends() const { return io_.sends; }
  [[nodiscard]] ConnectionId first() const { return handler_.opened.front(); }

 private:
  static constexpr TopicId kTopic{.high = 1, .low = 1};
  static NetOptions options(std::uint32_t members) {
    NetOptions options;
    options.connections_max = members + 1;
    options.handshakes_per_address_per_second_max = 0;
    return options;
  }
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

// Allocations of 20 turns once tables and free-lists have grown to what these turns need.
std::uint64_t allocations(Room& room, int frames, DeliveryClass cls, ConnectionId except = {}) {
  const EncodedMessage message{.plain = ws::text_frame(std::string(128, 'x')), .deflated = {}};
  for (int i = 0; i < 20; ++i) room.turn(frames, message, cls, except);
  const std::uint64_t before = allocations_so_far();
  for (int i = 0; i < 20; ++i) room.turn(frames, message, cls, except);
  return allocations_so_far() - before;
}

TEST(Allocations, ADeliveryMakesNone) {
  Room room(300);
  const std::uint64_t sends_before = room.sends();
  EXPECT_EQ(allocations(room, 1, DeliveryClass::kEphemeral), 0U);
  EXPECT_EQ(allocations(room, 1, DeliveryClass::kMessage), 0U);
  EXPECT_EQ(room.sends() - sends_before, 2U * 40U * 300U) << "everybody was sent everything";
}

TEST(Allocations, ManyFramesOfOneTurnMakeNone) {
  Room room(300);
  EXPECT_EQ(allocations(room, 16, DeliveryClass::kEphemeral), 0U);
  EXPECT_EQ(allocations(room, 16, DeliveryClass::kMessage), 0U);
}

TEST(Allocations, TheSendersOwnEchoIsLeftOutWithoutOne) {
  Room room(300);
  EXPECT_EQ(allocations(room, 2, DeliveryClass::kEphemeral, room.first()), 0U);
}

TEST(Allocations, AreCountedAtAll) {  // else the others prove nothing
  const std::uint64_t before = allocations_so_far();
  const std::vector<int> made(1000);
  EXPECT_GT(allocations_so_far(), before);
  EXPECT_EQ(made.size(), 1000U);
}

}  // namespace
}  // namespace uproar::net
