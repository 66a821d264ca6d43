#pragma once

// All connections of one shard: accepts, speaks HTTP and WebSocket, fans topics out. READ FIRST in this folder.
//
//   Ring --completions--> BasicShardNet --requests, payloads--> Handler (gateway, echo server)
//   Ring <--sends-------- BasicShardNet <--send, publish, ...-- whoever answers
//
// Single-threaded: every call comes from the shard's thread. One turn of its loop is
//
//     io.submit(), waiting only if the last flush() said false, and not beyond next_deadline()
//     net.on_completion(c, now) ...            // what has completed, in the order of the queue
//     ... whatever calls publish(), send() ...
//     net.on_tick(now);                        // deadlines
//     busy = net.flush(now);                   // reports, then queues at most one batch of sends
//
// A send that came back short must be known before its socket is written again. So flush() makes no new batch before
// the completions that the last one may have posted were handed over; where a turn was cut short it says "busy" and waits.
//
// Order. On one connection the frames of send() keep their order, and so do those of one topic; a send() comes after
// every frame published before it, a published frame after every send() before it. Frames of different topics may
// pass each other. Each frame is written once and whole.
//
// Ids of connections that have ended are recognised by their generation: every call with one is a no-op that says so.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/net/handler.h"
#include "core/net/net_counters.h"
#include "core/net/net_options.h"
#include "core/net/peer_address.h"
#include "core/net/topic_table.h"
#include "core/runtime/io.h"
#include "proto/base/now.h"
#include "proto/http/response_writer.h"

namespace uproar::runtime {
class Ring;
}

namespace uproar::net {

using ReplyHeader = http::Header;  // {name, value}

// An answer to Handler::on_request(). Everything is borrowed for the call. Content-Length, Date, Connection and the
// keep-alive decision are this layer's; a HEAD request gets the headers alone.
struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";  // empty: no Content-Type header
  std::string_view body;
  std::span<const ReplyHeader> headers =
      {};              // e.g. Cache-Control, Retry-After; values are checked for CR LF
  bool close = false;  // true: the connection ends after this answer
  bool shared = true;  // pages of listed origins may read it (Access-Control-Allow-Origin)
};

enum class SendOutcome : std::uint8_t {
  kQueued,      // will be written this turn or when the reader makes room
  kDropped,     // a lossy class, and the reader is too slow for it (counted)
  kSlowReader,  // kMessage did not fit: the connection is being closed with 4201
  kGone,        // no such open connection
};

enum class PublishOutcome : std::uint8_t {
  kQueued,
  kNobody,   // no subscriber on this shard
  kDropped,  // lossy, and the topic's run is full beyond its bound (counted)
};

// What happens to frames of the topic that this member has not been sent yet.
enum class PendingFrames : std::uint8_t {
  kDeliver,  // they go out before anything that is sent later
  kDrop,     // they are forgotten, also in a hold and in the egress queue (a sync will page them)
};

// What this layer needs besides the operations of runtime::Io.
template <class T>
concept NetIo = runtime::Io<T> && requires(T io, int fd, runtime::CompletionKey key) {
  { io.arm_accept(fd, key) } -> std::same_as<void>;      // multishot
  { io.ready() } -> std::convertible_to<std::uint32_t>;  // completions not handed over yet
};

template <class Io>
class ShardCore;  // shard_core.h

template <class Io>
class BasicShardNet {
 public:
  // `io` and `handler` outlive this object.
  BasicShardNet(Io& io, Handler& handler, NetOptions options);
  ~BasicShardNet();
  BasicShardNet(const BasicShardNet&) = delete;
  BasicShardNet& operator=(const BasicShardNet&) = delete;

  // --- Driven by the shard's loop ---------------------------------------------------------------------------------

  // `fd` is bound and listening (listen_reuseport() in listener.h); owned by the caller, stays open while this lives.
  // At most kListenersMax.
  void add_listener(int fd);
  // Takes a connected socket as if a listener had accepted it: same checks, same limits; refused ones are closed. For
  // probes that must travel the whole receive path.
  void admit(int fd);

  // Takes kAccept, kRecv, kSend, kWritable, kCancel and kClose; other kinds are not this layer's. `now` is the turn's.
  void on_completion(const runtime::Completion& completion, Now now);
  // The same with the time of the last on_tick() or flush().
  void on_completion(const runtime::Completion& completion);

  // Runs deadlines that have passed.
  void on_tick(Now now);
  // Monotonic microseconds of the next deadline, nullopt when there is none.
  [[nodiscard]] std::optional<std::int64_t> next_deadline() const;

  // End of the turn: reports closings and drained queues, then queues one batch of sends. True: more is waiting, do
  // not sleep. The batch must be submitted before the next on_completion().
  [[nodiscard]] bool flush(Now now);

  // Stops accepting, and closes every WebSocket with 4300 (HTTP after its current answer), at most
  // `closes_per_second` of them a second (0: all at once) so that reconnects are spread.
  void drain(std::uint32_t closes_per_second = 0);
  // True once draining has emptied the shard.
  [[nodiscard]] bool drained() const;

  // --- Connections ------------------------------------------------------------------------------------------------

  // Answers the request that on_request() delivered. False: no request of this connection is waiting.
  bool respond(ConnectionId id, const Reply& reply);
  bool respond(ConnectionId id, const http::Response& response, bool close_after = false);
  // The request that waits for its answer was sent by a page of an origin in NetOptions::allowed_origins.
  [[nodiscard]] bool from_listed_origin(ConnectionId id) const;

  // `message`: the variant that this connection negotiated is chosen. `frame`: finished, unmasked WebSocket frame(s).
  SendOutcome send(ConnectionId id, const EncodedMessage& message, DeliveryClass cls);
  SendOutcome send(ConnectionId id, const SharedBytes& frame, DeliveryClass cls);

  // Starts the close handshake after everything already queued. `reason`: at most 123 bytes of UTF-8, cut if longer.
  // The connection leaves its topics at once; Handler::on_closed() follows when TCP has ended.
  void close(ConnectionId id, ws::CloseCode code, std::string_view reason = {});

  [[nodiscard]] bool is_open(ConnectionId id) const;           // WebSocket, and not closing
  [[nodiscard]] std::uint64_t context(ConnectionId id) const;  // 0 for unknown ids
  void set_context(ConnectionId id, std::uint64_t context);
  // Whose request this connection delivered last, the one for an upgrade included: the peer, or whom a trusted proxy
  // names (NetOptions). Another request may be another client's. All zero of our own probes and after the upgrade.
  [[nodiscard]] PeerAddress client_address(ConnectionId id) const;
  [[nodiscard]] std::uint32_t egress_bytes(
      ConnectionId id) const;  // queued, not yet taken by the kernel
  [[nodiscard]] bool negotiated_deflate(ConnectionId id) const;

  // With NetOptions::has_sessions: it is known whose WebSocket this is. From now on its messages may have full size, what it
  // causes and keeps is charged to this user instead of its address, and it does not make room for others.
  void identify(ConnectionId id, const Uuid& user);

  // Backpressure: after pause() this WebSocket delivers no further message, ping or close until
  // resume(), and its socket is not read; what had been received waits in order. A pause made in
  // on_message() holds from the next message on. No-ops for who is paused, or is not, already. A
  // paused connection is not pinged and does not count as silent.
  void pause(ConnectionId id);
  void resume(ConnectionId id);

  // --- Topics -----------------------------------------------------------------------------------------------------

  // The connection hears what is published from now on. kFirst: nobody on this shard heard it before.
  SubscribeOutcome subscribe(ConnectionId id, const TopicId& topic);
  // kLast: nobody on this shard hears it any more. A connection that closes leaves all its topics.
  UnsubscribeOutcome unsubscribe(ConnectionId id, const TopicId& topic, PendingFrames pending);
  // `except` does not hear it (its own echo), which costs the others nothing.
  PublishOutcome publish(const TopicId& topic, const EncodedMessage& message, DeliveryClass cls,
                         ConnectionId except = {});
  // A kMessage to one subscriber, in its place between what the topic publishes. It ends as send() does. REQUIRES: if the
  // connection is open, it is a subscriber.
  SendOutcome publish_to(ConnectionId id, const TopicId& topic, const EncodedMessage& message);
  [[nodiscard]] std::uint32_t subscriber_count(const TopicId& topic) const;
  [[nodiscard]] std::vector<ConnectionId> subscribers(const TopicId& topic) const;  // in no order

  // --- Hold: between "ready" and the end of a client's first sync ---------------------------------------------------

  // From now on topic frames of class kMessage for this connection are kept (held_frames_max, held_bytes_max), tagged
  // by topic, instead of being sent; other classes and send() pass. Frames published before the call are sent; when it is
  // on hold already, they are forgotten.
  void hold(ConnectionId id);
  // Sends what was kept, in order, and goes live. No-op when not on hold.
  void release(ConnectionId id);
  // Of what was kept, the frames of this topic are forgotten, also of one that the connection has left since.
  void forget_held(ConnectionId id, const TopicId& topic);
  // False also after an overflow has released it.
  [[nodiscard]] bool is_held(ConnectionId id) const;

  // --- Watching ---------------------------------------------------------------------------------------------------

  [[nodiscard]] const NetCounters& counters() const;
  [[nodiscard]] const NetOptions& options() const;
  // Bytes of user-space memory held for connections, topics and queues, without free-lists kept for reuse.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  std::unique_ptr<ShardCore<Io>> core_;
};

using ShardNet = BasicShardNet<runtime::Ring>;

}  // namespace uproar::net
