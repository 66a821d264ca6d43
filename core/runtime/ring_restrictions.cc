#include "core/runtime/ring_restrictions.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "core/runtime/uring_abi.h"

namespace uproar::runtime {
namespace {

// Those of ring.cc, one for each of its functions that start something.
constexpr std::array<std::uint8_t, 10> kOperations = {
    IORING_OP_NOP,     IORING_OP_ACCEPT,   IORING_OP_RECV,         IORING_OP_SEND,
    IORING_OP_SENDMSG, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_SHUTDOWN,
    IORING_OP_CLOSE,   IORING_OP_MSG_RING,
};
constexpr std::uint8_t kEntryFlags =
    IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
// enable() makes the first three, adopt() updates the table, shut_down() cancels and gives back.
constexpr std::array<std::uint8_t, 5> kRegistrations = {
    IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS, IORING_REGISTER_IOWQ_MAX_WORKERS,
    IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_SYNC_CANCEL};

}  // namespace

int restrict_ring(const io_uring& ring) {
  std::array<io_uring_restriction, kOperations.size() + kRegistrations.size() + 1> allowed{};
  std::size_t count = 0;
  for (const std::uint8_t operation : kOperations) {
    allowed[count].opcode = IORING_RESTRICTION_SQE_OP;
    allowed[count++].sqe_op = operation;
  }
  for (const std::uint8_t registration : kRegistrations) {
    allowed[count].opcode = IORING_RESTRICTION_REGISTER_OP;
    allowed[count++].register_op = registration;
  }
  allowed[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  allowed[count++].sqe_flags = kEntryFlags;
  const long rc = ::syscall(__NR_io_uring_register, ring.ring_fd, IORING_REGISTER_RESTRICTIONS,
                            allowed.data(), count);
  return rc < 0 ? -errno : 0;
}

unsigned allowed_operations() {
  return kOperations.size();
}

std::span<const std::uint8_t> allowed_registrations() {
  return kRegistrations;
}

}  // namespace uproar::runtime
