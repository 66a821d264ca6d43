#pragma once

// The seam between sockets and what is said over them. core/net owns connections, framing, topics and egress; it
// knows nothing of chat. Whoever sits above implements Handler and calls ShardNet (shard_net.h).
//
// Everything here happens on the shard's own thread, inside a turn. Handler calls never nest inside each other:
// a ShardNet call made from a handler queues its effects; closings are reported at the end of the turn.

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/bytes.h"
#include "proto/base/shared_bytes.h"
#include "proto/base/uuid.h"
#include "proto/http/headers.h"
#include "proto/http/request_parser.h"
#include "proto/ws/close_code.h"

namespace uproar::net {

// A connection of this shard. Stale ids (the slot was reused) are recognised and ignored by every call.
struct ConnectionId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0 is never a live generation: a default id names nobody

  [[nodiscard]] bool is_none() const { return generation == 0; }
  friend constexpr auto operator<=>(const ConnectionId&, const ConnectionId&) = default;
};

// Who hears: opaque to this layer.
using TopicId = Uuid;

// What may be lost, first to last, when a reader is slow (docs/contract.md, D7). kMessage is never dropped: the
// connection is closed with 4201 before that.
enum class DeliveryClass : std::uint8_t {
  kEphemeral = 0,
  kPresence = 1,
  kReceipt = 2,
  kMessage = 3
};

// One server message as finished WebSocket frames, encoded once for all its hearers.
struct EncodedMessage {
  SharedBytes plain;  // unmasked text or binary frame
  SharedBytes
      deflated;  // the same with RSV1, for connections that negotiated permessage-deflate; may be empty
};

enum class MessageKind : std::uint8_t { kText, kBinary };

// Why a connection ended, for metrics and presence ("clean" counts as a goodbye: docs/contract.md, D8).
struct CloseCause {
  bool clean = false;    // the close handshake was completed or started by the peer
  ws::CloseCode code{};  // sent or received; kAbnormal when TCP just ended
};

struct UpgradeAnswer {
  bool accept = false;
  int status = 400;              // when refused
  std::string_view subprotocol;  // must outlive the call; empty: none is selected
  std::string body;              // when refused: JSON error body
  http::Header header = {};      // when refused: one header line more; static text
  std::uint64_t context = 0;     // when accepted: handed back by ShardNet::context()
};

class Handler {
 public:
  virtual ~Handler() = default;

  // A whole HTTP request that is not an upgrade. `request` dies with the call. Answer with ShardNet::respond(), now or
  // in a later turn; the next pipelined request is delivered after the answer.
  virtual void on_request(ConnectionId connection, const http::Request& request) = 0;
  // A WebSocket handshake that passed every RFC 6455 and Origin check.
  virtual UpgradeAnswer on_upgrade(ConnectionId connection, const http::Request& request) = 0;
  // The 101 response is queued; messages may be sent from here on.
  virtual void on_open(ConnectionId connection) = 0;
  // One whole payload. Writable; runtime::kReadablePadding readable bytes follow; dies with the call.
  virtual void on_message(ConnectionId connection, MessageKind kind, MutableBytes payload) = 0;
  // A ping arrived (the pong is already queued), or the pong to a ping of ours: a heartbeat for those who count them.
  virtual void on_ping(ConnectionId connection) = 0;
  // The egress queue, having been above its low-water mark, is below it again: bulk senders may go on.
  virtual void on_drained(ConnectionId connection) = 0;
  // The shard drains and closes this connection right after the call: the place for last words.
  virtual void on_draining(ConnectionId connection) { (void)connection; }
  // Its peer has closed an open WebSocket: nothing more is said or heard. Called before our close
  // frame is queued, so that whoever has seen that frame has left this shard; other shards hear of
  // it in the same turn as a rule.
  virtual void on_left(ConnectionId connection) { (void)connection; }
  // The last call for this id. Only for connections whose on_open() was called.
  virtual void on_closed(ConnectionId connection, CloseCause cause) = 0;
};

}  // namespace uproar::net
