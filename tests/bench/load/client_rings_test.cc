// The rings against real sockets whose other ends the test holds.

#include "bench/load/client_rings.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <map>

#include <gtest/gtest.h>

#include "bench/load/masked_frame.h"

namespace uproar::bench {
namespace {

constexpr std::string_view kUpgraded = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

std::string request_of(std::uint32_t client) {
  return "GET /" + std::to_string(client) + " HTTP/1.1\r\n\r\n";
}

// More than a socket to Listener takes at once.
constexpr std::size_t kTooManyBytes = 256 * 1024;

// Small receive buffers and segments, so that a socket that nobody reads is soon full.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int bytes = 32 * 1024;
    const int segment_bytes = 536;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    ::setsockopt(fd_, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&at), size) != 0 ||
        ::listen(fd_, 1024) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      ADD_FAILURE() << "cannot listen";
    port_ = ntohs(at.sin_port);
  }
  ~Listener() { ::close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int accepted() const { return ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

class ClientRingsTest : public ::testing::Test, public ClientSink {
 protected:
  struct End {
    std::uint32_t client;
    ClientEnd end;
    std::string reason;
  };
  ~ClientRingsTest() override {
    for (const auto& [client, fd] : peers_) ::close(fd);
  }

  void make(std::uint32_t clients) {
    rings_ = std::make_unique<ClientRings>(
        ClientRings::Options{.groups = {clients}, .ports = {listener_.port()}}, *this);
  }
  // Clients first to first + count - 1 connect; the test has the other ends, with the requests read.
  void connect(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) rings_->connect(first + i, request_of(first + i));
    rings_->turn();
    for (std::uint32_t i = 0; i < count; ++i) {
      const int fd = listener_.accepted();
      ASSERT_GE(fd, 0);
      std::string head;
      while (head.find("\r\n\r\n") == std::string::npos) {
        char byte = 0;
        ASSERT_EQ(::read(fd, &byte, 1), 1);
        head += byte;
      }
      peers_[static_cast<std::uint32_t>(std::stoul(head.substr(5)))] = fd;
    }
  }
  void open(std::uint32_t clients) {
    make(clients);
    connect(0, clients);
    for (std::uint32_t i = 0; i < clients; ++i) say(i, kUpgraded);
    ASSERT_TRUE(turn_until([&] { return opened_ == clients; }));
  }
  void say(std::uint32_t client, std::string_view bytes) {
    ASSERT_EQ(::write(peers_[client], bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  void hang_up(std::uint32_t client) {
    ::close(peers_[client]);
    peers_.erase(client);
  }
  template <class Done>
  bool turn_until(Done done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      rings_->turn();
    }
    return true;
  }

  void on_open(std::uint32_t) override { ++opened_; }
  void on_payload(std::uint32_t client, std::string_view payload, std::int64_t) override {
    heard_[client] += payload;
  }
  void on_end(std::uint32_t client, ClientEnd end, std::string_view reason) override {
    ends_.push_back({.client = client, .end = end, .reason = std::string(reason)});
  }

  Listener listener_;
  std::map<std::uint32_t, int> peers_;  // by client
  std::unique_ptr<ClientRings> rings_;
  std::uint32_t opened_ = 0;
  std::map<std::uint32_t, std::string> heard_;
  std::vector<End> ends_;
};

// A visit looks at 256 completions. When the one that says "this send fell short" stands behind more of them, what is said next
// must not overtake the rest of it. Here they are of sends that fell short as well: those complete within the submission.
TEST_F(ClientRingsTest, BytesStayInOrderThoughAShortSendIsSeenLate) {
  constexpr std::uint32_t kClients = 300;
  constexpr std::uint32_t kLast = kClients - 1;
  open(kClients);
  const std::string large(kTooManyBytes, 'a');
  for (std::uint32_t i = 0; i < kClients; ++i) rings_->send_payload(i, large);
  std::string expected;
  append_masked_frame(expected, kFinText, large);
  for (int i = 0; i < 3; ++i) {
    rings_->turn();
    const std::string next = "next " + std::to_string(i);
    rings_->send_payload(kLast, next);
    append_masked_frame(expected, kFinText, next);
  }
  std::string got;
  std::string some(1 << 16, '\0');
  ASSERT_TRUE(turn_until([&] {
    const ssize_t bytes = ::recv(peers_[kLast], some.data(), some.size(), MSG_DONTWAIT);
    if (bytes > 0) got.append(some, 0, static_cast<std::size_t>(bytes));
    return got.size() >= expected.size();
  })) << got.size()
      << " bytes of " << expected.size();
  EXPECT_TRUE(got == expected);
}

// Work is work whether or not anything comes back in the same turn.
TEST_F(ClientRingsTest, ATurnThatOnlySendsIsNoIdleOne) {
  open(1);
  EXPECT_FALSE(rings_->turn());
  rings_->send_payload(0, "hello");
  EXPECT_TRUE(rings_->turn());
  EXPECT_FALSE(rings_->turn());
}

TEST_F(ClientRingsTest, WhoEndedCanConnectAgainAtOnce) {
  open(2);
  say(0, std::string_view("\x88\x06\x10\x69slow", 8));
  hang_up(1);
  ASSERT_TRUE(turn_until([&] { return ends_.size() == 2; }));
  std::map<std::uint32_t, std::string> reasons;
  for (const End& one : ends_) {
    EXPECT_EQ(one.end, ClientEnd::kClosed);
    reasons[one.client] = one.reason;
  }
  EXPECT_EQ(reasons[0], "4201 slow");
  EXPECT_EQ(reasons[1], "the stream ended");
  hang_up(0);
  connect(0, 2);
  for (const std::uint32_t client : {0U, 1U}) say(client, kUpgraded);
  EXPECT_TRUE(turn_until([&] { return opened_ == 4; }));
}

TEST_F(ClientRingsTest, AHandshakeThatIsRefusedSaysHow) {
  make(1);
  connect(0, 1);
  say(0, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(turn_until([&] { return !ends_.empty(); }));
  EXPECT_EQ(ends_[0].end, ClientEnd::kRefused);
  EXPECT_EQ(ends_[0].reason, "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(opened_, 0U);
}

TEST_F(ClientRingsTest, AHandshakeThatIsNotAnsweredCanBeCutAndMadeAgain) {
  make(1);
  connect(0, 1);
  rings_->cut(0);
  ASSERT_TRUE(turn_until([&] { return !ends_.empty(); }));
  EXPECT_EQ(ends_[0].end, ClientEnd::kCut);
  hang_up(0);
  connect(0, 1);
  say(0, kUpgraded);
  EXPECT_TRUE(turn_until([&] { return opened_ == 1; }));
}

TEST_F(ClientRingsTest, WhoStoppedReadingHearsNothingAndCanBeCut) {
  open(1);
  rings_->stop_reading(0);
  while (rings_->turn()) {
  }
  say(0, "\x81\x01x");
  rings_->turn();
  rings_->cut(0);
  ASSERT_TRUE(turn_until([&] { return !ends_.empty(); }));
  EXPECT_EQ(ends_[0].end, ClientEnd::kCut);
  EXPECT_TRUE(heard_.empty());
}

}  // namespace
}  // namespace uproar::bench
