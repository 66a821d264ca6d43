#pragma once

// Mailbox: bounded single-producer single-consumer queue, one per ordered pair of shards. Pushes
// are staged and become visible together at publish(), so a turn costs one release store per target
// however much it says.
//
// Use, sender's turn:    mailbox.try_push(parcel) …; at the end  if (mailbox.publish())
// waker.wake_from(ring);
//      receiver's turn:  mailbox.drain(on_parcel, parcels_max);  before sleeping  !mailbox.empty()
//      (Waker, waker.h)
//
// Memory order. The producer writes slots, then stores tail_ (release); the consumer loads tail_
// (acquire), reads the slots, then stores head_ (release), which the producer loads (acquire)
// before it writes them again. Each side keeps a copy of the other's index, so the shared lines
// move only when that copy runs out.
//
// Hot path: per parcel. Allocations: 0.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "proto/base/check.h"

namespace uproar::runtime {

inline constexpr std::size_t kCacheLineBytes = 64;

template <class T>
class Mailbox {
 public:
  // `capacity`: a power of two.
  explicit Mailbox(std::uint32_t capacity) : mask_(capacity - 1) {
    UPROAR_CHECK(std::has_single_bit(capacity), capacity);
    slots_ = std::allocator<T>{}.allocate(capacity);
  }
  // REQUIRES: both sides have ended.
  ~Mailbox() {
    for (std::uint32_t i = head_.load(std::memory_order_acquire); i != staged_; ++i)
      std::destroy_at(at(i));
    std::allocator<T>{}.deallocate(slots_, std::size_t{mask_} + 1);
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Producer. False: full, `value` is untouched; the sender decides what that means and counts it.
  [[nodiscard]] bool try_push(T&& value) {
    if (staged_ - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (staged_ - head_seen_ > mask_) return false;
    }
    std::construct_at(at(staged_), std::move(value));
    ++staged_;
    return true;
  }
  // Producer. Makes what was pushed visible. False: there was nothing new, nobody needs waking.
  bool publish() {
    if (staged_ == tail_.load(std::memory_order_relaxed)) return false;
    tail_.store(staged_, std::memory_order_release);
    return true;
  }

  // Consumer.
  [[nodiscard]] bool empty() const {
    return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_relaxed);
  }
  // Consumer. Calls on_parcel(T&&) for at most `parcels_max`, in order; their places are free when
  // it returns.
  template <class F>
  std::uint32_t drain(F&& on_parcel, std::uint32_t parcels_max) {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    if (tail_seen_ == head) tail_seen_ = tail_.load(std::memory_order_acquire);
    std::uint32_t count = 0;
    for (; count < parcels_max && head + count != tail_seen_; ++count) {
      T* parcel = at(head + count);
      on_parcel(std::move(*parcel));
      std::destroy_at(parcel);
    }
    if (count != 0) head_.store(head + count, std::memory_order_release);
    return count;
  }

 private:
  T* at(std::uint32_t position) { return slots_ + (position & mask_); }

  // Producer's line, consumer's line, and what neither writes.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> tail_{0};
  std::uint32_t staged_ = 0;
  std::uint32_t head_seen_ = 0;
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> head_{0};
  std::uint32_t tail_seen_ = 0;
  alignas(kCacheLineBytes) T* slots_ = nullptr;
  std::uint32_t mask_;
};

}  // namespace uproar::runtime
