#pragma once

// A shard over SimIo with a handler that writes down what it hears: the stage of the tests beside this file.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/shard_net.h"
#include "proto/ws/frame_writer.h"
#include "tests/core/net/sim_io.h"

namespace uproar::net {

using SimShardNet = BasicShardNet<SimIo>;

inline constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// A masked client frame.
inline std::string client_frame(int opcode, std::string_view payload, bool fin = true) {
  std::string out;
  out += static_cast<char>((fin ? 0x80 : 0) | opcode);
  if (payload.size() <= 125) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xFFFF) {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8U);
    out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  }
  const char mask[4] = {0x12, 0x34, 0x56, 0x78};
  out.append(mask, 4);
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

struct ServerFrame {
  int opcode = 0;
  std::string payload;
};

// Whole server frames of `wire`; `rest` is what follows the last whole one.
inline std::vector<ServerFrame> server_frames(std::string_view wire, std::string* rest = nullptr) {
  std::vector<ServerFrame> out;
  while (wire.size() >= 2) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(wire[i]); };
    std::size_t header = 2;
    std::uint64_t bytes = at(1) & 0x7FU;
    if (bytes == 126) {
      if (wire.size() < 4) break;
      bytes = (static_cast<std::uint64_t>(at(2)) << 8U) | at(3);
      header = 4;
    } else if (bytes == 127) {
      if (wire.size() < 10) break;
      bytes = 0;
      for (std::size_t i = 2; i < 10; ++i) bytes = (bytes << 8U) | at(i);
      header = 10;
    }
    if (wire.size() < header + bytes) break;
    out.push_back({.opcode = at(0) & 0x0F, .payload = std::string(wire.substr(header, bytes))});
    wire.remove_prefix(header + bytes);
  }
  if (rest != nullptr) *rest = std::string(wire);
  return out;
}

inline EncodedMessage text(std::string_view payload) {
  return {.plain = ws::text_frame(payload), .deflated = {}};
}
inline TopicId topic(std::uint64_t n) {
  return {.high = 0x7000, .low = n};
}

class RecordingHandler : public Handler {
 public:
  void on_request(ConnectionId id, const http::Request& request) override {
    requests.push_back(std::string(request.method) + " " + std::string(request.target) + " " +
                       std::string(as_text(request.body)));
    if (when_request) when_request(id, request);
  }
  UpgradeAnswer on_upgrade(ConnectionId id, const http::Request& request) override {
    if (when_upgrade) when_upgrade(id);
    if (request.path == "/refuse") {
      return {
          .accept = false, .status = 401, .subprotocol = {}, .body = "{\"no\":1}", .context = 0};
    }
    return {.accept = true, .status = 0, .subprotocol = {}, .body = {}, .context = 77};
  }
  void on_open(ConnectionId id) override {
    opened.push_back(id);
    if (when_open) when_open(id);
  }
  void on_message(ConnectionId id, MessageKind kind, MutableBytes payload) override {
    messages.emplace_back(kind == MessageKind::kText ? "text:" : "binary:");
    messages.back() += as_text(payload);
    if (when_message) when_message(id, as_text(payload));
  }
  void on_ping(ConnectionId) override { ++pings; }
  void on_drained(ConnectionId id) override { drained.push_back(id); }
  void on_draining(ConnectionId id) override {
    if (when_draining) when_draining(id);
  }
  void on_closed(ConnectionId id, CloseCause cause) override {
    closed.push_back(id);
    causes.push_back(cause);
  }

  std::vector<std::string> requests;
  std::vector<std::string> messages;
  std::vector<ConnectionId> opened;
  std::vector<ConnectionId> drained;
  std::vector<ConnectionId> closed;
  std::vector<CloseCause> causes;
  int pings = 0;
  std::function<void(ConnectionId, const http::Request&)> when_request;
  std::function<void(ConnectionId)> when_upgrade;
  std::function<void(ConnectionId)> when_open;
  std::function<void(ConnectionId)> when_draining;
  std::function<void(ConnectionId, std::string_view)> when_message;
};

class SimShard {
 public:
  explicit SimShard(NetOptions options = {}, std::uint64_t seed = 1)
      : io(seed), net(io, handler, lenient(options)) {
    net.on_tick(now);
    net.add_listener(0);
  }

  // One turn of the loop; true when the net wants another at once. `completions_max` cuts the turn short.
  bool turn(std::size_t completions_max = SIZE_MAX) {
    io.submit();
    io.poll_world();
    moved = io.reap([this](const runtime::Completion& c) { net.on_completion(c, now); },
                    completions_max) > 0;
    net.on_tick(now);
    return net.flush(now);
  }
  // Turns until nothing moves any more.
  void settle() {
    for (int quiet = 0, turns = 0; quiet < 3; ++turns) {
      UPROAR_CHECK(turns < 100'000);
      quiet = turn() || moved || io.ready() > 0 || io.working() ? 0 : quiet + 1;
    }
  }
  void pass_ms(std::int64_t ms) {
    now.monotonic_us += ms * 1000;
    now.wall_us += ms * 1000;
    settle();
  }

  // A connection that has sent nothing yet.
  std::uint32_t connect() {
    UPROAR_CHECK(io.peer_connects());
    // The slot: the one that was free before and is in use afterwards.
    std::vector<bool> used;
    for (std::uint32_t s = 0; s < 4096; ++s) used.push_back(io.socket(s).in_use);
    settle();
    for (std::uint32_t s = 0; s < 4096; ++s) {
      if (!used[s] && io.socket(s).in_use) return s;
    }
    return UINT32_MAX;
  }
  // An open WebSocket; its wire is empty afterwards.
  ConnectionId open() {
    const std::uint32_t slot = connect();
    io.peer_says(slot, kUpgrade);
    settle();
    UPROAR_CHECK(!handler.opened.empty());
    io.socket(slot).wire.clear();
    return handler.opened.back();
  }
  // Payloads of the frames that the peer has been sent.
  std::vector<std::string> heard(ConnectionId id) {
    std::vector<std::string> out;
    for (const ServerFrame& frame : server_frames(io.socket(id.slot).wire))
      out.push_back(frame.payload);
    return out;
  }

  SimIo io;
  RecordingHandler handler;
  Now now{.monotonic_us = 1'000'000'000, .wall_us = 1'700'000'000'000'000};
  SimShardNet net;
  bool moved = false;  // the last turn had completions

 private:
  static NetOptions lenient(NetOptions options) {
    options.handshakes_per_address_per_second_max = 0;  // all peers look alike here
    return options;
  }
};

}  // namespace uproar::net
