#pragma once

// What core/net needs from the outside world, as values and a concept. runtime::Ring is the production model;
// tests drive connections over a simulated one that shortens sends, starves buffers and reorders ends.
//
// Slots: a connection's index in the shard's tables is also its index in the ring's direct-descriptor table.
// Generations: every completion carries the generation of the slot it was started for; a mismatch means the
// slot was freed meanwhile and the completion is only counted (docs/rings.md, "ABA").

#include <sys/socket.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/base/bytes.h"

namespace uproar::runtime {

enum class OpKind : std::uint8_t {
  kAccept =
      1,  // multishot; slot = listener index; result = a plain fd that the handler must adopt or close
  kRecv = 2,      // multishot; bytes in Completion::buffer
  kSend = 3,      // posted only for trouble: short, -EAGAIN or an error; success posts nothing
  kWritable = 4,  // oneshot POLLOUT
  kCancel = 5,
  kClose = 6,
  kPoll = 7,  // multishot poll of a plain fd (reactor clients); slot = watch index
  kWake = 8,  // another shard or thread put something into a mailbox
  kCount
};

// Travels as user_data: kind (8 bits) | generation (24) | slot (32).
struct CompletionKey {
  OpKind kind{};
  std::uint32_t generation = 0;  // 24 bits used
  std::uint32_t slot = 0;

  static constexpr std::uint32_t kGenerationMask = 0xFFFFFF;

  [[nodiscard]] constexpr std::uint64_t pack() const {
    return (static_cast<std::uint64_t>(kind) << 56) |
           (static_cast<std::uint64_t>(generation & kGenerationMask) << 32) | slot;
  }
  [[nodiscard]] static constexpr CompletionKey unpack(std::uint64_t user_data) {
    return {.kind = static_cast<OpKind>(user_data >> 56),
            .generation = static_cast<std::uint32_t>(user_data >> 32) & kGenerationMask,
            .slot = static_cast<std::uint32_t>(user_data)};
  }
  friend constexpr bool operator==(const CompletionKey&, const CompletionKey&) = default;
};

struct Completion {
  CompletionKey key;
  std::int32_t result = 0;  // bytes, fd, poll mask or -errno
  bool more = false;        // IORING_CQE_F_MORE: the multishot request is still armed
  // kRecv with result > 0: the kernel-filled bytes. Writable (unmasked in place); at least kReadablePadding
  // readable bytes follow. They die when the handler returns: the buffer goes back to the kernel then.
  MutableBytes buffer;
};

// simdjson reads this far beyond its input.
inline constexpr std::size_t kReadablePadding = 64;

// Everything is started here and takes effect at the next submit(). Each call may submit by itself when the
// submission queue is full. Send flags are MSG_NOSIGNAL|MSG_DONTWAIT|MSG_WAITALL with CQE_SKIP_SUCCESS, so a
// send has ended, or has a kSend completion posted, when submit() returns, and no byte outlives it.
template <class T>
concept Io = requires(T io, CompletionKey key, std::uint32_t slot, ByteView bytes,
                      const msghdr* message, int fd) {
  // Moves a plain fd into the direct-descriptor table at `slot` and closes the fd. False: table refused (counted).
  { io.adopt(slot, fd) } -> std::same_as<bool>;
  { io.arm_recv(slot, key) } -> std::same_as<void>;  // multishot, buffers from the shard's ring
  {
    io.send(slot, bytes, key)
    } -> std::same_as<void>;  // never twice for one slot between two submits
  {
    io.send_gather(slot, message, key)
    } -> std::same_as<void>;  // msghdr and iovecs are free after submit()
  { io.poll_writable(slot, key) } -> std::same_as<void>;  // oneshot
  { io.cancel(key, key) } -> std::same_as<void>;          // cancel(what, own key)
  // FIN after what was sent. A kernel worker does it and finds the socket by its slot only then: wait for the
  // completion before close().
  { io.shutdown_write(slot, key) } -> std::same_as<void>;
  { io.close(slot, key) } -> std::same_as<void>;  // frees the direct descriptor
  { io.submit() } -> std::same_as<void>;
  // Recv buffers the kernel holds right now; a starved connection is re-armed only when this is above zero.
  { io.buffers_free() } -> std::convertible_to<std::uint32_t>;
};

}  // namespace uproar::runtime
