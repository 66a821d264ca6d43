#include "bench/client/room.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "bench/client/process.h"
#include "proto/auth/token.h"
#include "proto/chat/ids.h"

namespace uproar::bench {
namespace {

constexpr std::int64_t kStallNs = 60'000'000'000;
constexpr std::int64_t kTokenSeconds = 24 * 3600;

template <class Done>
void poll_until(ClientPool& pool, FrameSink& sink, const std::string& what, Done done) {
  std::int64_t progress = monotonic_ns();
  while (!done()) {
    if (pool.poll(sink)) progress = monotonic_ns();
    if (monotonic_ns() - progress > kStallNs)
      die("nothing came for a minute while waiting for " + what);
  }
}

}  // namespace

std::string_view field(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find('"'));
}

Users make_users(std::uint32_t count, const std::string& auth_key) {
  const auto signer = auth::TokenSigner::make(auth_key);
  if (!signer) die("the key does not fit");
  const std::int64_t now_s = std::chrono::duration_cast<std::chrono::seconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count();
  std::mt19937_64 random(std::random_device{}());
  Users users;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Uuid id = Uuid::v7(static_cast<std::uint64_t>(now_s) * 1000, random(), random());
    const std::string name = "reader" + std::to_string(i);
    const std::string token = signer->sign({.user = UserId(id),
                                            .sid = {},
                                            .name = name,
                                            .issued_at_s = now_s - 1,
                                            .expires_at_s = now_s + kTokenSeconds});
    users.ids.push_back(id);
    users.tokens.push_back(token);
    users.upgrade_requests.push_back(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Authorization: Bearer " +
        token + "\r\n\r\n");
  }
  return users;
}

std::vector<std::string> unlimited_flags() {
  return {"--connections-per-address", "0", "--commands-per-second", "1000000"};
}

void Lobby::on_text(std::uint32_t client, std::string_view payload, std::string_view) {
  if (payload.starts_with(R"({"type":"session.ready")")) {
    ++ready_;
  } else if (payload.starts_with(R"({"type":"conversation.joined")")) {
    ++joined_;
  } else if (payload.starts_with(R"({"type":"conversation.created")")) {
    created_.emplace_back(field(payload, R"("conversation":{"id":")"));
  } else if (payload.starts_with(R"({"type":"error")")) {
    die("client " + std::to_string(client) + " was told " + std::string(payload));
  } else {
    ++others_;
  }
}

void sign_in(ClientPool& pool, std::uint16_t port, const Users& users, Lobby& lobby,
             std::uint32_t first, std::uint32_t count) {
  const auto from = users.upgrade_requests.begin() + first;
  const std::uint32_t before = lobby.ready();
  pool.open(port, {from, from + count}, lobby);
  poll_until(pool, lobby, "session.ready", [&] { return lobby.ready() == before + count; });
}

std::vector<std::string> make_groups(ClientPool& pool, const Users& users, Lobby& lobby,
                                     std::uint32_t size) {
  const auto total = static_cast<std::uint32_t>(users.ids.size());
  std::vector<std::string> out;
  for (std::uint32_t first = 0; first < total; first += size) {
    const std::uint32_t end = std::min(first + size, total);
    std::string command =
        R"({"type":"conversation.create","id":1,"kind":"group","name":"room","members":[)";
    for (std::uint32_t i = first + 1; i < end; ++i) {
      if (i > first + 1) command += ',';
      command += '"' + users.ids[i].text() + '"';
    }
    const std::uint32_t joined = lobby.joined();
    pool.send_text(first, command + "]}");
    poll_until(pool, lobby, "conversation.joined", [&] {
      return lobby.created().size() > out.size() && lobby.joined() >= joined + (end - first - 1);
    });
    out.push_back(lobby.created().back());
  }
  return out;
}

}  // namespace uproar::bench
