#pragma once

// What one connection is still to be sent: references to shared frames, in order. A connection that is idle or that
// takes everything at once has no queue; queues come from a pool.
//
// Hot path: per frame of a direct send or of a blocked socket. Budget: allocations 0 once the queue is warm, one
// reference count per queued frame.
//
//   [ partly sent | in flight ... | waiting ... ]
//     ^ head                        ^ in_flight_
//
// What a slow reader loses (docs/contract.md, D7): admit() names the outcome. Lossy classes have thresholds; when a
// message does not fit, queued lossy frames are shed first, typing before presence before receipts, and only then is
// the reader called slow, never after a message has been dropped.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/net/handler.h"
#include "core/net/limits.h"
#include "core/net/net_counters.h"
#include "core/net/net_options.h"
#include "proto/base/shared_bytes.h"

namespace uproar::net {

// All egress of one shard.
struct EgressBudget {
  std::uint64_t used = 0;
};

enum class Admission : std::uint8_t {
  kTake,
  kDrop,       // lossy and too much (counted)
  kSlow,       // a message that does not fit: close 4201
  kShardFull,  // the same, because of the shard's budget
};

class EgressQueue {
 public:
  static constexpr std::uint32_t kNoTag = 0;

  // Decides on a frame of `frame_bytes`; may shed queued frames of lossy classes. An empty queue takes any message.
  [[nodiscard]] Admission admit(std::uint32_t frame_bytes, DeliveryClass cls,
                                const NetOptions& options, EgressBudget& budget,
                                NetCounters& counters);

  // Appends. `sent`: bytes of the frame that the kernel already has. `tag`: the topic's, kNoTag for direct sends.
  void push(SharedBytes frame, std::uint32_t sent, DeliveryClass cls, std::uint32_t tag,
            EgressBudget& budget);

  // Fills at most `iovecs_max` vectors with what is next and puts those frames in flight. REQUIRES: nothing in flight.
  std::uint32_t begin_write(iovec* iovecs, std::uint32_t iovecs_max);
  // The write took `bytes` of what was in flight; nothing is in flight afterwards. Frames that were to be forgotten
  // and have not begun are forgotten.
  void end_write(std::uint64_t bytes, EgressBudget& budget);
  // The write took everything.
  void end_write_whole(EgressBudget& budget);

  // Moves everything of `later` behind what is here; its bytes stay charged to the shard. REQUIRES: `later` has nothing
  // in flight.
  void append(EgressQueue& later);

  // Forgets frames of that topic which have not been handed to the socket.
  void forget_tag(std::uint32_t tag, EgressBudget& budget);
  // Forgets everything except a frame that is partly sent, so that a last frame may follow it.
  void forget_all_but_begun(EgressBudget& budget);
  void clear(EgressBudget& budget);

  [[nodiscard]] bool empty() const { return head_ == entries_.size(); }
  [[nodiscard]] bool in_flight() const { return in_flight_ != 0; }
  [[nodiscard]] std::size_t size() const { return entries_.size() - head_; }
  // Bytes unsent plus kEgressEntryBytes a frame: what limits are compared with.
  [[nodiscard]] std::uint32_t unsent_bytes() const {
    return charged_ - static_cast<std::uint32_t>(size()) * kEgressEntryBytes;
  }
  [[nodiscard]] std::size_t capacity() const { return entries_.capacity(); }

  bool above_low_water = false;  // Handler::on_drained() is owed

 private:
  struct Entry {
    SharedBytes bytes;
    std::uint32_t sent;
    std::uint32_t tag;
    DeliveryClass cls;
    bool forget;  // while in flight: drop it if it turns out not to have begun
  };
  static_assert(sizeof(Entry) == 24);

  void pop_front(EgressBudget& budget);
  void discharge(std::uint32_t bytes, EgressBudget& budget);
  // Removes waiting entries (not begun, not in flight) that `which` chooses; returns how many.
  template <class Which>
  std::uint32_t remove_waiting(Which&& which, EgressBudget& budget);

  std::vector<Entry> entries_;
  std::uint32_t head_ = 0;
  std::uint32_t in_flight_ = 0;  // entries from head_
  std::uint32_t charged_ = 0;
};

// Queues for reuse, kEgressQueuesKept of them.
class EgressPool {
 public:
  EgressPool() = default;
  ~EgressPool();
  EgressPool(const EgressPool&) = delete;
  EgressPool& operator=(const EgressPool&) = delete;

  [[nodiscard]] EgressQueue* take();
  // REQUIRES: the queue is empty.
  void give_back(EgressQueue* queue);

 private:
  std::vector<EgressQueue*> spare_;
};

}  // namespace uproar::net
