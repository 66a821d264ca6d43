#pragma once

// Waker: how a shard that sleeps in its ring is woken, at the price of nothing while it is awake.
//
//   shard (consumer)                        anyone else (producer)
//   prepare_sleep()     flag := sleeping    push, publish            (release store)
//   look at every queue once more           wake…()                  flag := awake;
//   sleep, unless there was something                                was it sleeping? then wake
//   awake()             flag := awake
//
// Why no wake is lost. Every change of the flag is an acquire-release exchange, so the changes form
// one chain in which each acquires what the one before it released. If the producer's comes after
// the shard's prepare_sleep(), it (or another producer's) reads "sleeping" and wakes. If it comes
// before, prepare_sleep() acquires through the chain what the producer released: the publish
// happened before the look, which therefore sees it. A plain store in awake() would cut the chain.
// This is the flag-and-fence protocol with the fence folded into the exchange: the same cost on x86
// (one locked instruction per turn and target), and ThreadSanitizer, which does not model fences,
// can follow it. The producer that finds "sleeping" also clears it, so a sleeping shard gets one
// wake, not one per producer.

#include <atomic>
#include <cstdint>
#include <memory>

#include "proto/base/result.h"

namespace uproar::runtime {

class Ring;

class Waker {
 public:
  // Makes the eventfd. `ring_fd`: the shard's ring.
  [[nodiscard]] static Result<std::unique_ptr<Waker>, SystemError> create(int ring_fd);
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  // ---- the shard itself
  void prepare_sleep() { (void)sleeping_.exchange(true, std::memory_order_acq_rel); }
  void awake() {
    (void)sleeping_.exchange(false, std::memory_order_acq_rel);
  }  // after prepare_sleep
  [[nodiscard]] int event_fd() const { return event_fd_; }
  void clear_event();  // after the eventfd became readable

  // ---- others, after publishing. True: it slept and is being woken.
  // From another shard: the wake travels in the sender's own next submit (MSG_RING, no completion).
  bool wake_from(Ring& sender, std::uint32_t sender_shard);
  // From a thread without a ring.
  bool wake_from_thread();

 private:
  Waker(int ring_fd, int event_fd) : ring_fd_(ring_fd), event_fd_(event_fd) {}
  [[nodiscard]] bool claim() { return sleeping_.exchange(false, std::memory_order_acq_rel); }

  alignas(64) std::atomic<bool> sleeping_{false};
  alignas(64) int ring_fd_;
  int event_fd_;
};

}  // namespace uproar::runtime
