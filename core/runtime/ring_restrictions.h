#pragma once

// What a ring may do once it runs: the operations that Ring starts, the flags it gives them and the
// registrations it makes, and nothing else. Whoever gets hold of a shard's memory can write entries
// into its queue; without this they would open files and start connections past a seccomp filter,
// which sees io_uring_enter and no more.

#include <cstdint>
#include <span>

struct io_uring;

namespace uproar::runtime {

// Before the ring is enabled, and after its tables were registered; holds until it is closed. 0 or
// -errno.
[[nodiscard]] int restrict_ring(const io_uring& ring);

// How many operations are left.
[[nodiscard]] unsigned allowed_operations();
// The opcodes of io_uring_register that are.
[[nodiscard]] std::span<const std::uint8_t> allowed_registrations();

}  // namespace uproar::runtime
