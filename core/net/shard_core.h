#pragma once

// The machine behind BasicShardNet<Io>: private to this folder, included by shard_net-inl.h alone. Bodies by subject:
//   shard_net-inl.h        the public face
//   shard_core_accept-inl.h who is let in: per connection
//   shard_core_life-inl.h  receive, close, deadlines: per event
//   shard_core_pause-inl.h how reading stops for a while
//   shard_core_proxy-inl.h whose the connections of trusted proxies are
//   shard_core_share-inl.h what one client may use
//   shard_core_drain-inl.h how a shard stops
//   shard_core_talk-inl.h  HTTP and WebSocket: per request and per message
//   shard_core_send-inl.h  queues, topics, batches: per frame and per recipient

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/net/address_limiter.h"
#include "core/net/client_table.h"
#include "core/net/connection.h"
#include "core/net/egress_queue.h"
#include "core/net/shard_net.h"
#include "core/net/topic_table.h"
#include "core/runtime/io.h"
#include "core/runtime/timer_wheel.h"
#include "proto/http/date.h"
#include "proto/http/origin.h"
#include "proto/ws/assembler_pool.h"
#include "proto/ws/deflate.h"
#include "proto/ws/frame_writer.h"

namespace uproar::net {

template <class Io>
class ShardCore {
 public:
  using Window = TopicTable::Window;

  ShardCore(Io& io, Handler& handler, NetOptions options);
  ~ShardCore();
  ShardCore(const ShardCore&) = delete;
  ShardCore& operator=(const ShardCore&) = delete;

  [[nodiscard]] static ConnectionId id_of(std::uint32_t slot, const Connection& c) {
    return {slot, c.generation};
  }
  [[nodiscard]] Connection* find(ConnectionId id) { return table_.find(id.slot, id.generation); }
  [[nodiscard]] Connection* find_open(ConnectionId id) {
    Connection* c = find(id);
    return c != nullptr && c->state == ConnectionState::kOpen && !c->doomed ? c : nullptr;
  }
  [[nodiscard]] runtime::CompletionKey key(runtime::OpKind kind, std::uint32_t slot,
                                           const Connection& c) const {
    return {.kind = kind, .generation = c.generation, .slot = slot};
  }
  [[nodiscard]] std::uint32_t now_ms() const {
    return static_cast<std::uint32_t>(now_.monotonic_us / 1000);
  }
  [[nodiscard]] std::uint32_t now_s() const {
    return static_cast<std::uint32_t>(now_.monotonic_us / 1'000'000);
  }

  // --- shard_core_life-inl.h ----------------------------------------------------------------------------------------

  void add_listener(int fd);
  void admit(int fd);
  void on_completion(const runtime::Completion& completion);
  void on_tick(Now now);
  [[nodiscard]] std::optional<std::int64_t> next_deadline() const;
  void drain(std::uint32_t closes_per_second);
  [[nodiscard]] bool drained() const { return draining_ && table_.used() == 0; }

  bool respond(ConnectionId id, const http::Response& response, bool close_after,
               bool shared = true);
  void close(ConnectionId id, ws::CloseCode code, std::string_view reason);

  // Accepting.
  struct Listener {
    int fd = -1;
    bool armed = false;
    bool cancelling = false;
  };
  void on_accept(const runtime::Completion& completion);
  void arm_listeners();
  void pause_accept();
  void stop_listening(const Listener& listener);
  // Whose connection it is while it speaks HTTP, or whose request waits for its answer; all zero: a probe of our own,
  // and a WebSocket.
  [[nodiscard]] static PeerAddress client_address(const Connection& c) {
    return c.http() == nullptr ? PeerAddress{} : c.http()->client_address();
  }
  [[nodiscard]] std::string_view refusal_of(const PeerAddress& client, bool is_handshake);

  // Connections of trusted proxies: shard_core_proxy-inl.h.
  [[nodiscard]] bool take_client(std::uint32_t slot, Connection& c, const HttpStep& step);
  void leave_address(std::uint32_t slot, Connection& c);
  void refuse_client(std::uint32_t slot, Connection& c, HttpStep::Kind kind,
                     std::string_view message, std::int64_t retry_after_s);

  // Receiving.
  void on_recv(const runtime::Completion& completion);
  void on_received(std::uint32_t slot, Connection& c, MutableBytes bytes);
  void on_peer_fin(std::uint32_t slot, Connection& c);
  void discard(std::uint32_t slot, Connection& c, std::size_t bytes);
  void arm_recv(std::uint32_t slot, Connection& c);
  void rearm_starved();

  // Not receiving for a while: shard_core_pause-inl.h.
  void pause(ConnectionId id);
  void resume(ConnectionId id);
  void stop_reading(std::uint32_t slot, Connection& c);
  void end_receive(std::uint32_t slot, Connection& c);
  void read_on(std::uint32_t slot, Connection& c);
  void list_resumed(std::uint32_t slot, Connection& c);
  void resume_reading(std::uint32_t slot, Connection& c);
  void keep_unread(std::uint32_t slot, Connection& c, MutableBytes bytes);
  [[nodiscard]] std::vector<std::byte> take_unread(std::uint32_t slot, Connection& c);
  [[nodiscard]] static bool keeps_input(const Connection& c);

  // What one client may use: shard_core_share-inl.h.
  [[nodiscard]] auto links() {
    return [this](std::uint32_t slot) -> ClientTable::Links& {
      return table_[slot].sessionless_links;
    };
  }
  void join_address(std::uint32_t slot, Connection& c, const PeerAddress& peer);
  void leave_sessionless(std::uint32_t slot, Connection& c);
  void leave_clients(Connection& c);
  void identify(ConnectionId id, const Uuid& user);
  [[nodiscard]] bool address_is_full(const PeerAddress& peer) const;
  void make_room();
  void charge(const Connection& c, std::uint64_t units);
  [[nodiscard]] std::int64_t owes_us(const Connection& c) const;
  [[nodiscard]] bool had_its_turn(const Connection& c) const;
  [[nodiscard]] bool may_go_on(const Connection& c) const {
    return !had_its_turn(c) && owes_us(c) == 0;
  }
  void defer(std::uint32_t slot, Connection& c);
  void throttle(std::uint32_t slot, Connection& c);
  void end_throttle(std::uint32_t slot, Connection& c);
  void count_held(std::uint32_t slot, Connection& c);
  void drop_input(std::uint32_t slot, Connection& c);
  void shed_input();
  void shed(std::uint32_t slot, Connection& c);
  void shed_egress();

  // HTTP.
  [[nodiscard]] bool http_waits(const Connection& c) const;
  void resume_http(std::uint32_t slot, Connection& c);
  void leave_http(std::uint32_t slot, Connection& c);
  void on_http_bytes(std::uint32_t slot, Connection& c, MutableBytes bytes);
  void on_upgrade(std::uint32_t slot, Connection& c, MutableBytes rest);
  void refuse(std::uint32_t slot, Connection& c, const HttpRefusal& refusal);
  [[nodiscard]] bool write_answer(std::uint32_t slot, Connection& c, const http::Response& response,
                                  const http::ResponseContext& context, bool shared = true);
  void answer_done(std::uint32_t slot, Connection& c, bool keep_alive);
  [[nodiscard]] std::string_view date();

  // WebSocket.
  void on_ws_bytes(std::uint32_t slot, Connection& c, MutableBytes bytes);
  void on_control(std::uint32_t slot, Connection& c, const ws::AssemblerEvent& event);
  void on_peer_close(std::uint32_t slot, Connection& c, const ws::AssemblerEvent& event);

  // Closing.
  void begin_close(std::uint32_t slot, Connection& c, ws::CloseCode code, std::string_view reason);
  void fail(std::uint32_t slot, Connection& c, ws::CloseCode code, std::string_view reason);
  void close_slow(std::uint32_t slot, Connection& c);
  void await_close(Connection& c);
  void leave(Connection& c);
  void start_draining(std::uint32_t slot, Connection& c, bool linger);
  void finish_draining(std::uint32_t slot, Connection& c);
  void end(std::uint32_t slot, Connection& c);
  void close_if_quiet(std::uint32_t slot, Connection& c);
  void drop_connection(std::uint32_t slot, Connection& c);  // reports and frees

  // Deadlines.
  void set_deadline(std::uint32_t slot, Connection& c, std::uint32_t after_ms);
  void clear_deadline(Connection& c) { c.has_deadline = false; }
  void arm_timer(std::uint32_t slot, Connection& c);
  void on_timer(std::uint64_t timer_key);
  void on_deadline(std::uint32_t slot, Connection& c);
  void drain_some();

  // --- shard_core_send-inl.h ----------------------------------------------------------------------------------------

  [[nodiscard]] bool flush(Now now);
  SendOutcome send(ConnectionId id, const SharedBytes& frame, DeliveryClass cls);
  SendOutcome send(ConnectionId id, const EncodedMessage& message, DeliveryClass cls);
  SubscribeOutcome subscribe(ConnectionId id, const TopicId& topic);
  UnsubscribeOutcome unsubscribe(ConnectionId id, const TopicId& topic, PendingFrames pending);
  PublishOutcome publish(const TopicId& topic, const EncodedMessage& message, DeliveryClass cls,
                         ConnectionId except);
  SendOutcome publish_to(ConnectionId id, const TopicId& topic, const EncodedMessage& message);
  void hold(ConnectionId id);
  void release(std::uint32_t slot, Connection& c);

  // One send request of the batch that is with the kernel or on its way there.
  struct SendRecord {
    std::uint32_t slot;
    std::uint32_t generation;
    Window window;        // topic kNone: a write of the egress queue
    bool done = false;    // its trouble has been handled
    bool forget = false;  // the member has left with kDrop: what has not begun is not sent
  };

  void on_send_trouble(const runtime::Completion& completion);
  void on_writable(const runtime::Completion& completion);
  [[nodiscard]] bool batch_settled();
  void confirm_batch();
  void report();
  void write_dirty();
  void serve_topics();
  void after_write(std::uint32_t slot, Connection& c);
  void wait_writable(std::uint32_t slot, Connection& c);
  void submit_queued();  // nothing may point into a run or a queue that is about to change

  SendOutcome queue_frame(std::uint32_t slot, Connection& c, const SharedBytes& frame,
                          std::uint32_t sent, DeliveryClass cls, std::uint32_t tag);
  void queue_always(std::uint32_t slot, Connection& c, SharedBytes frame, std::uint32_t sent,
                    DeliveryClass cls, std::uint32_t tag);
  void queue_window(std::uint32_t slot, Connection& c, const Window& window);
  void queue_unsent(std::uint32_t slot, Connection& c, const Window& window, std::uint64_t taken,
                    bool only_begun);
  void queue_pending(std::uint32_t slot, Connection& c);
  void hold_frame(std::uint32_t slot, Connection& c, const SharedBytes& frame, const TopicId& topic,
                  std::uint32_t tag);
  void forget_held(Connection& c, const TopicId& topic);
  void drop_queue(Connection& c);
  void mark_dirty(std::uint32_t slot, Connection& c);
  void doom(std::uint32_t slot, Connection& c);
  [[nodiscard]] static Variant variant_of(const Connection& c) {
    return c.deflate ? Variant::kDeflated : Variant::kPlain;
  }

  // --- State ----------------------------------------------------------------------------------------------------------

  Io& io_;
  Handler& handler_;
  const NetOptions options_;
  http::RequestLimits request_limits_;
  http::OriginPolicy origins_;
  NetCounters counters_;
  Now now_;

  ConnectionTable table_;
  TopicTable topics_;
  EgressPool egress_pool_;
  EgressBudget egress_budget_;
  ws::AssemblerPool assembler_pool_;
  AddressLimiter addresses_;
  ClientTable clients_;
  std::uint32_t turn_ = 1;
  std::uint64_t turn_units_ = 0;  // caused in this turn, by all
  runtime::TimerWheel timers_;

  std::vector<Listener> listeners_;
  std::int64_t accept_again_us_ = 0;  // after EMFILE: not before
  bool accept_paused_ = false;
  bool draining_ = false;
  std::uint32_t drain_per_second_ = 0;
  std::uint32_t drain_cursor_ = 0;
  std::int64_t drain_from_us_ = 0;
  std::uint64_t drain_closed_ = 0;
  bool drain_walk_done_ = false;

  // Work for the next flush(). Each entry stands at most once per connection (flags), so none outgrows the table.
  std::vector<ConnectionId> dirty_;
  std::vector<ConnectionId> doomed_;
  std::vector<ConnectionId> starved_;
  std::deque<ConnectionId> resume_;
  std::uint64_t input_bytes_ = 0;  // kept of unfinished and unread input
  absl::flat_hash_map<std::uint32_t, std::vector<std::byte>> unread_;  // by slot, of who has_unread
  std::vector<ConnectionId> drained_ids_;
  std::vector<std::uint32_t> ended_;

  // The batch. `batch_no_` names the one being made or on its way; 0 is never used.
  std::uint32_t batch_no_ = 1;
  std::uint32_t batch_sends_max_ = kBatchSendsMin;
  std::vector<SendRecord> batch_;
  std::vector<std::uint16_t> written_;  // records of batch_ that are egress writes
  std::vector<iovec> iovecs_;
  std::vector<msghdr> messages_;
  std::uint32_t iovecs_used_ = 0;
  bool unsubmitted_ = false;   // the batch was queued and nothing shows that it was submitted
  bool confirm_soon_ = false;  // somebody waits for the end of this batch: do not sleep on it
  std::uint64_t to_hand_over_ =
      0;  // completions there were after the batch was submitted; 0: not known yet
  std::uint64_t handed_over_ = 0;  // of them, seen

  http::HttpDate date_;
  std::int64_t date_second_ = -1;
};

}  // namespace uproar::net
