#pragma once

// What may be configured about a shard's connections. Plain values with the defaults of a chat server.

#include <cstdint>
#include <string>
#include <vector>

#include "core/net/limits.h"
#include "core/net/work_share.h"
#include "proto/base/ip_address.h"

namespace uproar::net {

struct NetOptions {
  // Connections of this shard; also the size of its part of the direct-descriptor table. At the high-water mark
  // (this many) accepting stops until some have closed.
  std::uint32_t connections_max = 16384;

  // WebSocket.
  std::uint32_t message_bytes_max = 64 * 1024;  // assembled and inflated; above: close 1009
  bool deflate = false;  // accept permessage-deflate (no context takeover either way)
  // Control frames a peer may send per second (pings above all); more: close 1008.
  std::uint32_t control_frames_per_second_max = 20;
  // Nothing heard for this long: a ping is sent; nothing heard for the idle timeout: closed with 4208.
  // 0 switches either off. The idle timeout should exceed the ping interval.
  std::uint32_t ping_interval_ms = 45'000;
  std::uint32_t idle_timeout_ms = 120'000;
  // Absolute: the last byte of a message arrives this long after its first.
  std::uint32_t fragment_deadline_ms = 30'000;
  // From our close frame to the end of TCP.
  std::uint32_t close_deadline_ms = 3'000;

  // HTTP.
  // Absolute: first byte (or accept) to the end of the request.
  std::uint32_t handshake_deadline_ms = 10'000;
  std::uint32_t http_idle_ms = 60'000;  // between requests of a kept-alive connection
  // A request the handler has not answered: 503, then closed.
  std::uint32_t http_answer_ms = 60'000;
  std::uint32_t http_body_bytes_max = 1024 * 1024;
  // What was received and is not done with, of the whole shard: requests and messages that are not whole, and what waits to be
  // read. Above: connections of the client that holds most are ended (503, 4200; counted as shed_http_buffers and shed_unread)
  // until a sixteenth is free. What arrives in one piece keeps nothing.
  std::uint64_t input_shard_bytes_max = 256ULL * 1024 * 1024;
  // After an error answer or a refused upgrade: how long the peer's FIN is awaited so that the answer is not lost to
  // a reset.
  std::uint32_t linger_ms = 1'000;
  // Browser origins besides the server's own ("https://chat.example.com"). "*" allows all. Clients without an Origin
  // header are not browsers and pass.
  std::vector<std::string> allowed_origins;

  // Accepting. 0: no limit. Of a client behind a trusted proxy, when the proxy names it.
  std::uint32_t handshakes_per_address_per_second_max = 50;
  // Open connections of one address (IPv6: of its /64).
  std::uint32_t connections_per_address_max = 0;
  // Of the connections, how many may have no session. Beyond it, and when slots run short, the oldest of the address that has
  // most of them goes for each that comes.
  std::uint32_t sessionless_max = 0;
  // The handler says identify() of WebSockets whose user it knows. False: it knows no users, and a WebSocket counts as a session.
  bool has_sessions = false;
  // The largest message before that. 0: message_bytes_max.
  std::uint32_t sessionless_message_bytes_max = 0;

  // Work that one address and one user may cause (units: limits.h). Whoever is over it is not read until it is paid.
  WorkShare address_work;
  WorkShare user_work;
  // Who may say for whom it speaks (http_stage.h). With proxy_protocol nobody else may connect, and each connection
  // begins with a PROXY header.
  std::vector<IpNetwork> trusted_proxies;
  bool proxy_protocol = false;

  // Egress. A connection whose queue (bytes + 32 per frame) would grow beyond the first three loses that class; beyond
  // the last, queued lossy frames are shed, and if a message still does not fit it is closed with 4201.
  std::uint32_t egress_ephemeral_bytes_max = 64 * 1024;
  std::uint32_t egress_presence_bytes_max = 128 * 1024;
  std::uint32_t egress_receipt_bytes_max = 256 * 1024;
  std::uint32_t egress_bytes_max = 1024 * 1024;
  std::uint32_t egress_low_water_bytes = 32 * 1024;  // Handler::on_drained() speaks of this
  // All queues of the shard together. Above: lossy classes are dropped, and for a message the connections of the client that
  // holds most are closed with 4201 (counted as shed_shard_egress) until a sixteenth is free.
  std::uint64_t egress_shard_bytes_max = 256ULL * 1024 * 1024;

  // Frames kept for a connection on hold(); overflow releases it.
  std::uint32_t held_frames_max = 512;
  std::uint32_t held_bytes_max = 256 * 1024;
};

}  // namespace uproar::net
