#include "core/runtime/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "core/runtime/io.h"
#include "core/runtime/limits.h"
#include "core/runtime/uring_abi.h"
#include "proto/base/check.h"

namespace uproar::runtime {
namespace {

std::size_t entries_bytes(std::uint32_t count) {
  return std::size_t{count} * sizeof(io_uring_buf);
}
std::size_t memory_bytes(std::uint32_t count, std::uint32_t bytes) {
  return std::size_t{count} * bytes + kReadablePadding;
}

void* map_bytes(std::size_t bytes) {
  void* address =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  return address == MAP_FAILED ? nullptr : address;
}

}  // namespace

Result<std::unique_ptr<BufferPool>, SystemError> BufferPool::create(io_uring& ring,
                                                                    std::uint16_t group,
                                                                    std::uint32_t count,
                                                                    std::uint32_t at_first,
                                                                    std::uint32_t bytes) {
  UPROAR_CHECK((count & (count - 1)) == 0 && count > 0 && count <= kRecvBuffersMax, count);
  std::unique_ptr<BufferPool> pool(new BufferPool(group, count, bytes));
  pool->entries_ = static_cast<io_uring_buf_ring*>(map_bytes(entries_bytes(count)));
  pool->memory_ = static_cast<std::byte*>(map_bytes(memory_bytes(count, bytes)));
  if (pool->entries_ == nullptr || pool->memory_ == nullptr) {
    return Err{
        SystemError{.operation = "mmap",
                    .subject = "receive buffers",
                    .code = errno,
                    .hint = "give the process more memory or configure fewer receive buffers"}};
  }
  // What clients send, passwords and tokens among it, is in no core dump. Refused: then it is.
  (void)::madvise(pool->memory_, memory_bytes(count, bytes), MADV_DONTDUMP);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(pool->entries_);
  registration.ring_entries = count;
  registration.bgid = group;
  if (const int rc = ::io_uring_register_buf_ring(&ring, &registration, 0); rc < 0) {
    return Err{SystemError{
        .operation = "io_uring_register",
        .subject = "buffer ring",
        .code = -rc,
        .hint = rc == -ENOMEM ? "raise the memlock limit (LimitMEMLOCK=, --ulimit memlock=)"
                              : "run Linux 6.1 or later"}};
  }
  ::io_uring_buf_ring_init(pool->entries_);
  pool->offer_up_to(std::min(at_first, count));
  return pool;
}

BufferPool::~BufferPool() {
  if (entries_ != nullptr) ::munmap(entries_, entries_bytes(count_));
  if (memory_ != nullptr) ::munmap(memory_, memory_bytes(count_, bytes_));
}

MutableBytes BufferPool::lend(std::uint16_t id, std::size_t size) {
  UPROAR_CHECK(id < count_ && size <= bytes_ && free_ > 0, id, size, free_);
  --free_;
  return {memory_ + std::size_t{id} * bytes_, size};
}

void BufferPool::recycle(std::uint16_t id) {
  UPROAR_DCHECK(free_ < count_, id);
  ::io_uring_buf_ring_add(entries_, memory_ + std::size_t{id} * bytes_, bytes_, id,
                          ::io_uring_buf_ring_mask(count_), 0);
  ::io_uring_buf_ring_advance(entries_, 1);  // one release store: a plain move on x86
  ++free_;
}

void BufferPool::offer_up_to(std::uint32_t count) {
  for (; offered_ < count; ++offered_) recycle(static_cast<std::uint16_t>(offered_));
}

void BufferPool::offer_more() {
  offer_up_to(std::min(2 * offered_, count_));
}

}  // namespace uproar::runtime
