#pragma once

// One socket: its state, and what the ring still owes it. A plain record; shard_core_life-inl.h moves it through its life:
//
//   kFree -> kHttp -> kOpen -> kCloseSent -+-> kDraining -> kLingering -> kEnding -> kClosing -> kEnded -> kFree
//              |        |                  |       ^
//              +--------+------------------+-------+        (any state -> kEnding when TCP breaks)
//
//   kHttp       reads requests, answers them
//   kOpen       WebSocket
//   kCloseSent  our close frame is queued or sent; the peer's is awaited
//   kDraining   nothing more is said; what is queued is still written
//   kLingering  FIN sent; bytes are thrown away until the peer's FIN, so that our last words are not lost to a reset
//   kEnding     recv and poll are being cancelled; their last completions are awaited
//   kClosing    close is under way
//   kEnded      closed; Handler::on_closed() is owed, then the slot is free
//
// Memory of an idle, authenticated WebSocket connection with one topic (docs/operations.md):
//   Connection 168 + timer 24 + membership 24 = 216 bytes; a topic of its own adds 96 + 21 + malloc 32 = 365. Its client
//   (client_table.h) has 96, shared by its connections.

#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <variant>
#include <vector>

#include "core/net/client_table.h"
#include "core/net/egress_queue.h"
#include "core/net/handler.h"
#include "core/net/http_stage.h"
#include "core/net/topic_table.h"
#include "core/net/ws_stage.h"
#include "core/runtime/io.h"
#include "core/runtime/timer_wheel.h"
#include "proto/base/check.h"

namespace uproar::net {

enum class ConnectionState : std::uint8_t {
  kFree,
  kHttp,
  kOpen,
  kCloseSent,
  kDraining,
  kLingering,
  kEnding,
  kClosing,
  kEnded,
};

// Topic frames kept by hold(), in order.
struct HeldFrames {
  struct Entry {
    SharedBytes bytes;
    TopicId topic;
    std::uint32_t tag;
  };
  std::vector<Entry> entries;
  std::uint32_t bytes = 0;
};

struct Connection {
  std::uint32_t generation = 0;  // 24 bits; changes when the slot is freed
  ConnectionState state = ConnectionState::kFree;

  // What the ring owes us.
  bool recv_armed : 1 = false;
  bool poll_armed : 1 = false;
  std::uint8_t requests : 3 = 0;  // completions of cancels (3 at most) and of the shutdown to come
  bool starved : 1 = false;       // recv ended with ENOBUFS; stands in the starved list

  // Sending. `slow_path` is the one thing the fan-out looks at besides the state.
  // Has an egress queue, or is held: topic frames are queued, not sent directly.
  bool slow_path : 1 = false;
  bool blocked : 1 = false;  // the socket is full: nothing is sent before POLLOUT
  bool dirty : 1 = false;    // stands in the dirty list
  bool doomed : 1 = false;   // slow reader: closed before the next batch

  bool deflate : 1 = false;    // takes compressed frames of any window
  bool was_open : 1 = false;   // on_open() was called: on_closed() is owed
  bool clean : 1 = false;      // CloseCause::clean
  bool late : 1 = false;       // came as the drain began: answered, not just closed
  bool linger : 1 = false;     // after the drain, wait for the peer's FIN
  bool saw_fin : 1 = false;    // the peer has ended its side
  bool in_input : 1 = false;   // its received bytes are being worked on, further up the stack
  bool served : 1 = false;     // a request was answered: the next may be long in coming
  bool resume : 1 = false;     // stands in the resume list: bytes wait, or reading goes on
  bool ping_sent : 1 = false;  // a keep-alive ping is out and nothing has been heard since
  bool has_deadline : 1 = false;
  bool paused : 1 = false;  // nothing more is received for now
  bool recv_cancelled : 1 =
      false;  // for a pause: the recv that is armed has its last completion to come
  bool has_unread : 1 = false;  // received before the pause took effect: ShardCore keeps it
  bool throttled : 1 =
      false;              // nothing is received: its client has caused too much, or enough waits
  bool owes : 1 = false;  // until read_again_ms
  bool sessionless : 1 = false;  // stands among those of its address

  std::uint16_t batch_index = 0;  // of its record in the batch
  ws::CloseCode close_code = ws::CloseCode::kAbnormal;
  std::uint32_t batch = 0;  // last batch in which it was sent to
  std::uint32_t linger_bytes = 0;

  std::uint32_t heard_ms = 0;  // monotonic milliseconds, wrapping: last bytes from the peer
  // Of the current state: handshake, answer, close, linger; or of the fragment.
  std::uint32_t deadline_ms = 0;
  std::uint32_t timer_ms = 0;  // when the armed timer fires
  std::uint32_t read_again_ms = 0;
  runtime::TimerHandle timer;

  // Who pays: core/net/client_table.h. The same entry twice while no user is known; none while a trusted proxy has not
  // said whose it is.
  ClientTable::Index address = ClientTable::kNone;
  ClientTable::Index client = ClientTable::kNone;
  ClientTable::Links sessionless_links;
  std::uint32_t held_bytes = 0;  // of unfinished and unread input, as charged to `client`

  TopicLinks topics;
  std::uint64_t context = 0;
  EgressQueue* egress = nullptr;  // only while something is queued or in flight
  std::unique_ptr<HeldFrames> held;
  // Who reads its bytes: HTTP, and from the upgrade on WebSocket.
  std::variant<std::monostate, std::unique_ptr<HttpStage>, WsStage> stage;

  // Null when it is the other's time.
  [[nodiscard]] HttpStage* http() {
    auto* http = std::get_if<std::unique_ptr<HttpStage>>(&stage);
    return http == nullptr ? nullptr : http->get();
  }
  [[nodiscard]] const HttpStage* http() const { return const_cast<Connection*>(this)->http(); }
  [[nodiscard]] WsStage& ws() { return std::get<WsStage>(stage); }
};
static_assert(sizeof(Connection) <= 168, "hundreds of thousands of these are idle");

// The slots of a shard. Address space for all of them is reserved at once and touched as they are used, so nothing
// moves and an empty server is small. A freed slot is the next to be used.
class ConnectionTable {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  explicit ConnectionTable(std::uint32_t slots_max) : slots_max_(slots_max) {
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    UPROAR_CHECK(memory != MAP_FAILED, slots_max);
    slots_ = static_cast<Connection*>(memory);
  }
  ~ConnectionTable() {
    for (std::uint32_t slot = 0; slot < made_; ++slot) slots_[slot].~Connection();
    ::munmap(slots_, bytes());
  }
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // A slot with a fresh generation, or kNone when all are used.
  [[nodiscard]] std::uint32_t take() {
    std::uint32_t slot = kNone;
    if (!free_.empty()) {
      slot = free_.back();
      free_.pop_back();
    } else if (made_ < slots_max_) {
      slot = made_++;
      new (&slots_[slot]) Connection;
      slots_[slot].generation = 1;
    } else {
      return kNone;
    }
    ++used_;
    return slot;
  }
  void give_back(std::uint32_t slot) {
    const std::uint32_t generation = next_generation(slots_[slot].generation);
    slots_[slot].~Connection();
    new (&slots_[slot]) Connection;
    slots_[slot].generation = generation;
    free_.push_back(slot);
    --used_;
  }

  [[nodiscard]] Connection& operator[](std::uint32_t slot) { return slots_[slot]; }
  [[nodiscard]] const Connection& operator[](std::uint32_t slot) const { return slots_[slot]; }
  // Null for slots never used and for other generations.
  [[nodiscard]] Connection* find(std::uint32_t slot, std::uint32_t generation) {
    if (slot >= made_ || slots_[slot].generation != generation) return nullptr;
    return slots_[slot].state == ConnectionState::kFree ? nullptr : &slots_[slot];
  }
  [[nodiscard]] const Connection* find(std::uint32_t slot, std::uint32_t generation) const {
    return const_cast<ConnectionTable*>(this)->find(slot, generation);
  }
  [[nodiscard]] std::uint32_t used() const { return used_; }
  [[nodiscard]] std::uint32_t made() const { return made_; }  // slots 0 .. made() - 1 exist
  [[nodiscard]] std::uint32_t slots_max() const { return slots_max_; }

 private:
  [[nodiscard]] std::size_t bytes() const { return std::size_t{slots_max_} * sizeof(Connection); }
  [[nodiscard]] static std::uint32_t next_generation(std::uint32_t generation) {
    const std::uint32_t next = (generation + 1) & runtime::CompletionKey::kGenerationMask;
    return next == 0 ? 1 : next;
  }

  Connection* slots_ = nullptr;
  std::vector<std::uint32_t> free_;
  std::uint32_t slots_max_;
  std::uint32_t made_ = 0;
  std::uint32_t used_ = 0;
};

}  // namespace uproar::net
