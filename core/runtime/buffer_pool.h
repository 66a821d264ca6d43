#pragma once

// BufferPool: the receive buffers of a ring, as one provided-buffer ring (6.0). The kernel takes a
// buffer when bytes arrive, so an idle connection holds none; whoever reaps gives it back in the
// same turn. The kernel takes them in turn, so all that are offered are touched sooner or later:
// at first it is offered only some, and twice as many each time that those ran out.
//
// Memory: `count` buffers of `bytes` each in one mapping, then kReadablePadding bytes more, so that
// a reader may look that far beyond any buffer's end (inside the mapping the next buffer serves as
// padding: contents undefined).
//
// Hot path: per received completion. Allocations: 0.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "proto/base/bytes.h"
#include "proto/base/result.h"

struct io_uring;
struct io_uring_buf_ring;

namespace uproar::runtime {

class BufferPool {
 public:
  // Maps the memory, registers it with `ring` as buffer group `group` and offers `at_first` buffers
  // (all when there are fewer). `count`: a power of two, kRecvBuffersMax at most. liburing 2.3 has
  // no helper for this; mmap and register work the same on every version.
  [[nodiscard]] static Result<std::unique_ptr<BufferPool>, SystemError> create(
      io_uring& ring, std::uint16_t group, std::uint32_t count, std::uint32_t at_first,
      std::uint32_t bytes);
  // Unmaps. REQUIRES: the ring has ended, or nothing that uses the group is in flight.
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // The first `size` bytes of buffer `id`, just taken by a completion.
  [[nodiscard]] MutableBytes lend(std::uint16_t id, std::size_t size);
  // Gives buffer `id` back to the kernel.
  void recycle(std::uint16_t id);
  // The offered ones did not suffice: offers twice as many from now on, `count` at most.
  void offer_more();

  // Offered buffers not known to be taken; completions not looked at yet may hold some of them.
  [[nodiscard]] std::uint32_t free() const { return free_; }
  [[nodiscard]] std::uint16_t group() const { return group_; }

 private:
  BufferPool(std::uint16_t group, std::uint32_t count, std::uint32_t bytes)
      : count_(count), bytes_(bytes), group_(group) {}

  void offer_up_to(std::uint32_t count);

  io_uring_buf_ring* entries_ = nullptr;
  std::byte* memory_ = nullptr;
  std::uint32_t count_;
  std::uint32_t offered_ = 0;  // ids below it
  std::uint32_t bytes_;
  std::uint32_t free_ = 0;
  std::uint16_t group_;
};

}  // namespace uproar::runtime
