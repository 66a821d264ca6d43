// The same layer over a real ring and loopback sockets: what no simulation can promise.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/net/listener.h"
#include "core/net/shard_net.h"
#include "core/runtime/clock.h"
#include "core/runtime/ring.h"
#include "tests/core/net/sim_shard.h"

namespace uproar::net {
namespace {

using ::testing::StartsWith;

// A client socket; reads never block.
class Client {
 public:
  explicit Client(std::uint16_t port, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0)
        << std::strerror(errno);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t taken = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (taken < 0) return;  // the test sees it by what is missing
      bytes.remove_prefix(static_cast<std::size_t>(taken));
    }
  }
  void listen_once() {
    char buffer[65536];
    for (;;) {
      const ssize_t got = ::recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
      if (got > 0) {
        wire.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      if (got == 0) ended = true;
      if (got < 0 && errno != EAGAIN) broken = errno;
      return;
    }
  }
  // Frames after the handshake.
  std::vector<ServerFrame> frames() const {
    const auto head = wire.find("\r\n\r\n");
    return head == std::string::npos ? std::vector<ServerFrame>{}
                                     : server_frames(std::string_view(wire).substr(head + 4));
  }

  std::string wire;
  bool ended = false;  // the server has ended TCP in good order
  int broken = 0;      // errno of a reset

 private:
  int fd_;
};

class RingShard : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = runtime::Ring::create(
        {.sq_entries = 256, .cq_entries = 4096, .direct_slots = 1024, .recv_buffers = 64});
    ASSERT_TRUE(made.ok()) << made.error().text();
    ring_ = std::move(*made);
    const auto enabled = ring_->enable();
    ASSERT_TRUE(enabled.ok());
    const auto listening = listen_reuseport("127.0.0.1:0");
    ASSERT_TRUE(listening.ok()) << listening.error().text();
    listen_fd_ = *listening;
    port_ = local_port(listen_fd_);
    NetOptions options;
    options.connections_max = 1024;
    options.handshakes_per_address_per_second_max = 0;
    options.message_bytes_max = 1U << 20U;
    options.egress_bytes_max = 8U << 20U;
    net_ = std::make_unique<ShardNet>(*ring_, handler_, options);
    net_->add_listener(listen_fd_);
  }
  void TearDown() override {
    if (ring_) ring_->shut_down();
    if (listen_fd_ >= 0) ::close(listen_fd_);
  }

  void turn() {
    ring_->submit_and_wait(busy_ ? 0 : 1, 2000);
    const Now now = runtime::read_clock();
    ring_->reap([&](const runtime::Completion& c) { net_->on_completion(c, now); }, 4096);
    net_->on_tick(now);
    busy_ = net_->flush(now);
  }
  // Turns until `done`, at most about 10 seconds.
  template <class Done>
  bool until(Done&& done) {
    for (int i = 0; i < 5000; ++i) {
      if (done()) return true;
      turn();
      for (const auto& client : clients_) client->listen_once();
    }
    return done();
  }
  Client& connect(int receive_bytes = 0) {
    clients_.push_back(std::make_unique<Client>(port_, receive_bytes));
    return *clients_.back();
  }
  ConnectionId open(int receive_bytes = 0) {
    const std::size_t before = handler_.opened.size();
    Client& client = connect(receive_bytes);
    client.say(kUpgrade);
    EXPECT_TRUE(until([&] {
      return handler_.opened.size() > before && client.wire.find("\r\n\r\n") != std::string::npos;
    }));
    EXPECT_THAT(client.wire, StartsWith("HTTP/1.1 101 "));
    return handler_.opened.back();
  }
  void echo() {
    handler_.when_message = [this](ConnectionId id, std::string_view payload) {
      net_->send(id, ws::text_frame(payload), DeliveryClass::kMessage);
    };
  }

  std::unique_ptr<runtime::Ring> ring_;
  RecordingHandler handler_;
  std::unique_ptr<ShardNet> net_;
  std::vector<std::unique_ptr<Client>> clients_;
  int listen_fd_ = -1;
  std::uint16_t port_ = 0;
  bool busy_ = false;
};

TEST_F(RingShard, UpgradesEchoesAndKnowsThePeer) {
  echo();
  std::string peer;
  handler_.when_upgrade = [&](ConnectionId id) { peer = net_->client_address(id).text(); };
  open();
  EXPECT_EQ(peer, "127.0.0.1");
  clients_[0]->say(client_frame(1, "hello"));
  ASSERT_TRUE(until([&] { return !clients_[0]->frames().empty(); }));
  EXPECT_EQ(clients_[0]->frames()[0].payload, "hello");
}

TEST_F(RingShard, EchoesAMessageFarLargerThanBuffersAndSocket) {
  echo();
  open();
  const std::string big(900'000, 'b');
  std::string frame = client_frame(1, big);
  std::string_view rest = frame;
  // In pieces, so that one thread can play both sides.
  while (!rest.empty()) {
    clients_[0]->say(rest.substr(0, 30'000));
    rest.remove_prefix(std::min<std::size_t>(30'000, rest.size()));
    turn();
  }
  ASSERT_TRUE(until([&] { return !clients_[0]->frames().empty(); }));
  EXPECT_EQ(clients_[0]->frames()[0].payload, big);
  EXPECT_GE(net_->counters().sends_blocked.value(), 1U)
      << "the socket's low-water mark makes a send of 900 KB come back short";
  EXPECT_EQ(net_->counters().sends_lost_track.value(), 0U);
}

TEST_F(RingShard, FansOutToTwoHundredSocketsEachOnceAndInOrder) {
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 200; ++i) {
    ids.push_back(open());
    ASSERT_NE(net_->subscribe(ids.back(), topic(1)), SubscribeOutcome::kGone);
  }
  for (int i = 0; i < 300; ++i) {
    net_->publish(topic(1), text("message " + std::to_string(i) + std::string(100, '.')),
                  DeliveryClass::kMessage);
    if (i % 7 == 0) turn();
  }
  ASSERT_TRUE(until([&] {
    for (const auto& client : clients_) {
      if (client->wire.size() < 300 * 110 || client->frames().size() < 300) return false;
    }
    return true;
  }));
  for (const auto& client : clients_) {
    const auto frames = client->frames();
    ASSERT_EQ(frames.size(), 300U);
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(frames[static_cast<std::size_t>(i)].payload,
                "message " + std::to_string(i) + std::string(100, '.'));
    }
  }
}

// Big frames, small windows, random turns: the truth table of send flags decides whether a byte is lost or doubled.
TEST_F(RingShard, SocketsThatFillUpLoseNothingAndDelayNobody) {
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 8; ++i) {
    ids.push_back(open(i % 2 == 0 ? 2048 : 0));
    ASSERT_NE(net_->subscribe(ids.back(), topic(1)), SubscribeOutcome::kGone);
  }
  for (std::size_t i = 0; i < 200; ++i) {
    net_->publish(topic(1), text(std::to_string(i) + ":" + std::string(1 + i * 37 % 9000, 'x')),
                  DeliveryClass::kMessage);
    net_->send(ids[i % 8], text("direct"), DeliveryClass::kMessage);
    turn();
    for (std::size_t quick = 1; quick < 8; quick += 2) clients_[quick]->listen_once();
  }
  EXPECT_GE(net_->counters().sends_blocked.value(), 1U);
  EXPECT_GE(net_->counters().gathers.value(), 1U);
  ASSERT_TRUE(until([&] {
    for (const auto& client : clients_) {
      if (client->frames().size() < 225) return false;
    }
    return true;
  }));
  for (const auto& client : clients_) {
    std::size_t next = 0;
    for (const ServerFrame& frame : client->frames()) {
      if (frame.payload == "direct") continue;
      ASSERT_EQ(frame.payload, std::to_string(next) + ":" + std::string(1 + next * 37 % 9000, 'x'));
      ++next;
    }
    EXPECT_EQ(next, 200U);
  }
  EXPECT_EQ(net_->counters().sends_lost_track.value(), 0U);
}

TEST_F(RingShard, ThePeerSeesTheCloseFrameThenTheEndOfTcpFromTheServer) {
  open();
  clients_[0]->say(client_frame(8, std::string("\x03\xe8", 2) + "bye"));
  ASSERT_TRUE(until([&] { return clients_[0]->ended; }));
  ASSERT_EQ(clients_[0]->frames().size(), 1U);
  EXPECT_EQ(clients_[0]->frames()[0].opcode, 8);
  ASSERT_TRUE(until([&] { return net_->counters().connections.value() == 0; }))
      << "the slot comes back without the peer's help";
  EXPECT_EQ(clients_[0]->broken, 0);
  ASSERT_EQ(handler_.causes.size(), 1U);
  EXPECT_TRUE(handler_.causes[0].clean);
}

TEST_F(RingShard, AnErrorAnswerIsNotLostToAResetThoughThePeerGoesOnTalking) {
  Client& client = connect();
  client.say("GET / HTTP/1.1\r\nBad Header: x\r\n\r\n");
  for (int i = 0; i < 20; ++i) {
    client.say(std::string(1000, 'x'));
    turn();
  }
  ASSERT_TRUE(until([&] { return client.ended || client.broken != 0; }));
  EXPECT_EQ(client.broken, 0);
  EXPECT_THAT(client.wire, StartsWith("HTTP/1.1 400 "));
}

TEST_F(RingShard, ThePeerThatResetsIsGone) {
  const ConnectionId id = open();
  ASSERT_EQ(net_->subscribe(id, topic(1)), SubscribeOutcome::kFirst);
  clients_.clear();
  ASSERT_TRUE(until([&] { return net_->counters().connections.value() == 0; }));
  EXPECT_EQ(handler_.closed.size(), 1U);
  EXPECT_EQ(net_->publish(topic(1), text("x"), DeliveryClass::kMessage), PublishOutcome::kNobody);
}

TEST_F(RingShard, SlotsAreReusedByTheThousand) {
  echo();
  for (int round = 0; round < 300; ++round) {
    open();
    clients_.back()->say(client_frame(1, std::to_string(round)));
    ASSERT_TRUE(until([&] { return !clients_.back()->frames().empty(); }));
    ASSERT_EQ(clients_.back()->frames()[0].payload, std::to_string(round));
    clients_.clear();
  }
  ASSERT_TRUE(until([&] { return net_->counters().connections.value() == 0; }));
  EXPECT_EQ(handler_.closed.size(), 300U);
}

TEST_F(RingShard, APausedConnectionStopsItsPeerAndLosesNothing) {
  const ConnectionId id = open();
  int said = 0;
  for (int round = 0; round < 20; ++round) {
    net_->pause(id);
    open();  // turns in which the recv is cancelled
    const std::uint64_t received = net_->counters().recv_bytes.value();
    for (int i = 0; i < 10; ++i)
      clients_[0]->say(client_frame(1, std::to_string(said++) + std::string(1000, '.')));
    open();  // turns in which the kernel would have handed them over
    EXPECT_EQ(net_->counters().recv_bytes.value(), received + kUpgrade.size());
    EXPECT_EQ(handler_.messages.size(), static_cast<std::size_t>(said - 10));
    net_->resume(id);
    ASSERT_TRUE(until([&] { return handler_.messages.size() == static_cast<std::size_t>(said); }));
  }
  for (int i = 0; i < said; ++i)
    EXPECT_THAT(handler_.messages[static_cast<std::size_t>(i)],
                StartsWith("text:" + std::to_string(i) + "."));
}

TEST_F(RingShard, MoreReceivesThanBuffersStarveNobody) {
  for (int i = 0; i < 100; ++i) open();  // the ring has 64 receive buffers
  for (const auto& client : clients_) client->say(client_frame(2, std::string(5000, 'y')));
  ASSERT_TRUE(until([&] { return handler_.messages.size() == 100; }));
}

}  // namespace
}  // namespace uproar::net
