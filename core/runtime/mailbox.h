#pragma once

// Mailbox: bounded single-producer single-consumer queue, one per ordered pair of shards. Pushes
// are staged and become visible together at publish(), so a turn costs one release store per target
// however much it says.
//
// Use, sender's turn:    mailbox.try_push(parcel) …;
//                        at the end  if (mailbox.publish()) waker.wake_from(ring);   (waker.h)
//      receiver's turn:  mailbox.drain(on_parcel, parcels_max);
//                        before sleeping  !mailbox.empty()
//
// Parcels lie in a list of chunks, of which one goes round while the reader keeps up: shards squared
// times the bound would be more memory than all else that a shard keeps.
//
// Memory order. The producer writes slots and links chunks, then stores tail_ (release); the consumer
// loads tail_ (acquire), reads the slots, then stores head_ (release), which the producer loads
// (acquire) to know what is still there. An emptied chunk goes back through spare_. Each side keeps a
// copy of the other's index, so the shared lines move only when that copy runs out.
//
// Hot path: per parcel. Allocations: 0 while the reader keeps up; else one for each kChunkParcels, which the
// reader's thread frees: a reader that is behind pays for it, not the path that keeps up.

#include <array>
#include <atomic>
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
  static constexpr std::uint32_t kChunkParcels = 16;

  explicit Mailbox(std::uint32_t capacity) : capacity_(capacity) {
    UPROAR_CHECK(capacity > 0);
    write_chunk_ = read_chunk_ = new Chunk;
  }
  // REQUIRES: both sides have ended.
  ~Mailbox() {
    for (std::uint32_t i = head_.load(std::memory_order_acquire); i != staged_; ++i)
      std::destroy_at(next_to_read());
    delete read_chunk_;
    delete spare_.load(std::memory_order_acquire);
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Producer. False: full, `value` is untouched; the sender decides what that means and counts it.
  [[nodiscard]] bool try_push(T&& value) {
    if (staged_ - head_seen_ >= capacity_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (staged_ - head_seen_ >= capacity_) return false;
    }
    if (written_ == kChunkParcels) add_chunk();
    std::construct_at(write_chunk_->at(written_++), std::move(value));
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
      T* parcel = next_to_read();
      on_parcel(std::move(*parcel));
      std::destroy_at(parcel);
    }
    if (count != 0) head_.store(head + count, std::memory_order_release);
    return count;
  }

 private:
  struct Chunk {
    T* at(std::uint32_t i) { return std::launder(reinterpret_cast<T*>(slots.data())) + i; }

    Chunk* next = nullptr;
    alignas(T) std::array<std::byte, sizeof(T) * kChunkParcels> slots;
  };

  void add_chunk() {
    Chunk* chunk = spare_.exchange(nullptr, std::memory_order_acquire);
    if (chunk == nullptr) chunk = new Chunk;
    chunk->next = nullptr;
    write_chunk_->next = chunk;
    write_chunk_ = chunk;
    written_ = 0;
  }
  T* next_to_read() {
    if (read_ == kChunkParcels) {
      Chunk* emptied = std::exchange(read_chunk_, read_chunk_->next);
      read_ = 0;
      Chunk* none = nullptr;
      if (!spare_.compare_exchange_strong(none, emptied, std::memory_order_release,
                                          std::memory_order_relaxed))
        delete emptied;
    }
    return read_chunk_->at(read_++);
  }

  // Producer's line, consumer's line, and what both write.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> tail_{0};
  const std::uint32_t capacity_;
  std::uint32_t staged_ = 0;
  std::uint32_t head_seen_ = 0;
  std::uint32_t written_ = 0;  // slots of write_chunk_ that were used
  Chunk* write_chunk_;
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> head_{0};
  std::uint32_t tail_seen_ = 0;
  std::uint32_t read_ = 0;
  Chunk* read_chunk_;
  alignas(kCacheLineBytes) std::atomic<Chunk*> spare_{nullptr};
};

}  // namespace uproar::runtime
