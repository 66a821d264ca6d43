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
#include "tests/core/net/client_frames.h"
#include "tests/core/net/peer_socket.h"
#include "tests/core/net/sim_io.h"

namespace uproar::net {

using SimShardNet = BasicShardNet<SimIo>;

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
  void on_left(ConnectionId id) override {
    if (when_left) when_left(id);
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
  std::function<void(ConnectionId)> when_left;
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

  // A connection that has sent nothing yet, from a local address ("127.0.0.7"); UINT32_MAX when it was not let in.
  std::uint32_t connect_from(const char* address) { return connect(accepted_from(address)); }
  // The same from nowhere: all of these are one client.
  std::uint32_t connect(int fd = -1) {
    UPROAR_CHECK(io.peer_connects(0, fd));
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
  ConnectionId open() { return upgrade(connect()); }
  ConnectionId open_from(const char* address) { return upgrade(connect_from(address)); }
  ConnectionId upgrade(std::uint32_t slot, std::string_view request = kUpgrade) {
    io.peer_says(slot, request);
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
    // All peers look alike here, so there is no limit but one that the test sets.
    if (options.handshakes_per_address_per_second_max ==
        NetOptions{}.handshakes_per_address_per_second_max)
      options.handshakes_per_address_per_second_max = 0;
    return options;
  }
};

}  // namespace uproar::net
