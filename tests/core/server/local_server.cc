#include "tests/core/server/local_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "core/runtime/clock.h"
#include "core/server/key_file.h"
#include "proto/auth/token.h"
#include "proto/crypto/random.h"

namespace uproar::server {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

Config local_config(const std::string& folder) {
  Config config;
  config.listen_port = 0;
  config.shards = 2;
  config.data_dir = folder;
  config.auth_secret_file = folder + "/auth.key";
  config.connections_max = 64;
  config.connections_per_address = 0;
  return config;
}

int WsMessage::close_code() const {
  return opcode == 8 && payload.size() >= 2
             ? static_cast<int>(big_endian(std::string_view(payload).substr(0, 2)))
             : 0;
}

Client::Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  set_limit();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

Client::Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  set_limit();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

void Client::set_limit() const {
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
}

Client::~Client() {
  ::close(fd_);
}

void Client::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = TEMP_FAILURE_RETRY(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (count <= 0) return;  // the other side has hung up: reading tells
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool Client::fill() {
  std::array<char, 65536> bytes;
  // The rings of the server were made on this thread: its task work interrupts calls that block here.
  const ssize_t count = TEMP_FAILURE_RETRY(::recv(fd_, bytes.data(), bytes.size(), 0));
  if (count <= 0) {
    ending_ = count == 0 ? "the other side has hung up" : std::strerror(errno);
    return false;
  }
  buffered_.append(bytes.data(), static_cast<std::size_t>(count));
  return true;
}

bool Client::at_end() {
  if (!buffered_.empty()) return false;
  char byte = 0;
  const ssize_t count = TEMP_FAILURE_RETRY(::recv(fd_, &byte, 1, MSG_PEEK));
  return count == 0 || (count < 0 && errno == ECONNRESET);
}

std::string Client::take(std::size_t bytes) {
  while (buffered_.size() < bytes) {
    if (!fill()) return {};
  }
  std::string out = buffered_.substr(0, bytes);
  buffered_.erase(0, bytes);
  return out;
}

HttpAnswer Client::read_answer(bool head) {
  std::size_t end = 0;
  while ((end = buffered_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return {};
  }
  const std::string text = take(end + 4);
  HttpAnswer answer;
  answer.status = std::atoi(text.substr(std::min<std::size_t>(text.find(' '), 8)).c_str());
  for (std::size_t at = text.find("\r\n") + 2; at + 2 < text.size();) {
    const std::size_t line_end = text.find("\r\n", at);
    const std::size_t colon = text.find(": ", at);
    EXPECT_LT(colon, line_end) << text;
    const auto [entry, added] = answer.headers.emplace(
        lower(text.substr(at, colon - at)), text.substr(colon + 2, line_end - colon - 2));
    EXPECT_TRUE(added) << entry->first << " stands twice";
    at = line_end + 2;
  }
  if (!head)
    answer.body =
        take(static_cast<std::size_t>(std::atoll(answer.header("content-length").c_str())));
  return answer;
}

HttpAnswer Client::request(std::string_view method, std::string_view target, const Headers& headers,
                           std::string_view body) {
  std::string text =
      std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  if (!body.empty() || method == "POST")
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  write(text + "\r\n" + std::string(body));
  return read_answer(method == "HEAD");
}

HttpAnswer Client::upgrade(std::string_view target, const Headers& headers) {
  Headers all = {{"Connection", "Upgrade"},
                 {"Upgrade", "websocket"},
                 {"Sec-WebSocket-Version", "13"},
                 {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                 {"Sec-WebSocket-Protocol", "uproar.v1"}};
  all.insert(all.end(), headers.begin(), headers.end());
  return request("GET", target, all);
}

void Client::say(std::string_view text) const {
  ASSERT_LE(text.size(), 65'535U);
  std::string frame = "\x81";
  if (text.size() < 126) {
    frame += static_cast<char>(0x80 | text.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size() & 0xFF);
  }
  constexpr std::string_view kMask = "\x11\x22\x33\x44";
  frame += kMask;
  for (std::size_t i = 0; i < text.size(); ++i) frame += static_cast<char>(text[i] ^ kMask[i % 4]);
  write(frame);
}

WsMessage Client::hear() {
  while (true) {
    const std::string head = take(2);
    if (head.empty()) return {};
    std::uint64_t bytes = static_cast<unsigned char>(head[1]) & 0x7FU;
    if (bytes == 126)
      bytes = big_endian(take(2));
    else if (bytes == 127)
      bytes = big_endian(take(8));
    WsMessage message{.opcode = static_cast<std::uint8_t>(head[0] & 0x0F), .payload = {}};
    if (bytes != 0) message.payload = take(bytes);
    if (message.opcode != 9) return message;
  }
}

LocalServer::LocalServer() : server_(local_config(folder_.path())) {
  const auto started = server_.start();
  if (!started.ok()) ADD_FAILURE() << started.error().operation << ' ' << started.error().subject;
}

UserId LocalServer::fresh_user() {
  return UserId(Uuid::v7(1'700'000'000'000, crypto::random_u64(), crypto::random_u64()));
}

std::string LocalServer::token(const TokenSpec& spec) const {
  const std::string key =
      spec.key.empty() ? std::string(read_key_file(folder_.file("auth.key"), false).value().text())
                       : spec.key;
  const std::int64_t now_s = runtime::read_clock().wall_us / 1'000'000;
  return auth::TokenSigner::make(key)->sign({.user = spec.user.is_nil() ? fresh_user() : spec.user,
                                             .sid = spec.sid,
                                             .name = {},
                                             .issued_at_s = now_s - 3600,
                                             .expires_at_s = now_s + spec.lives.count()});
}

std::string LocalServer::person() const {
  static std::atomic<int> number{0};
  Client client(port());
  const std::string name = "person-" + std::to_string(++number);
  const HttpAnswer answer = client.request(
      "POST", "/api/v1/register", {}, R"({"name":")" + name + R"(","password":"correct horse"})");
  EXPECT_EQ(answer.status, 201) << answer.body << client.ending() << '\n' << metrics();
  return answer.body;
}

}  // namespace uproar::server
