// A raw ring with the restrictions of Ring, driven as somebody would who writes into a shard's
// queue.

#include "core/runtime/ring_restrictions.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/ring.h"
#include "core/runtime/uring_abi.h"

namespace uproar::runtime {
namespace {

class RestrictedRing : public ::testing::Test {
 protected:
  void SetUp() override {
    io_uring_params params{};
    params.flags = abi::kShardSetup;
    params.cq_entries = 16;
    ASSERT_EQ(::io_uring_queue_init_params(8, &ring_, &params), 0);
    ASSERT_EQ(restrict_ring(ring_), 0);
    ASSERT_EQ(abi::enable_ring(ring_), 0);
  }
  void TearDown() override { ::io_uring_queue_exit(&ring_); }

  io_uring_sqe* entry() { return ::io_uring_get_sqe(&ring_); }
  // Submits the entry that was prepared: what became of it.
  int result() {
    io_uring_cqe* cqe = nullptr;
    __kernel_timespec limit{.tv_sec = 5, .tv_nsec = 0};
    const int rc = ::io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &limit, nullptr);
    if (cqe == nullptr) return rc;
    const int result = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    return result;
  }

  io_uring ring_{};
};

TEST_F(RestrictedRing, StillDoesWhatAShardAsksFor) {
  ::io_uring_prep_nop(entry());
  EXPECT_EQ(result(), 0);
}

TEST_F(RestrictedRing, OpensNoFile) {
  ::io_uring_prep_openat(entry(), AT_FDCWD, "/dev/null", O_RDONLY, 0);
  EXPECT_EQ(result(), -EACCES);
}

TEST_F(RestrictedRing, ConnectsNoSocket) {
  ::io_uring_prep_socket(entry(), AF_INET, SOCK_STREAM, 0, 0);
  EXPECT_EQ(result(), -EACCES);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::io_uring_prep_connect(entry(), fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  EXPECT_EQ(result(), -EACCES);
  ::close(fd);
}

TEST_F(RestrictedRing, WritesNoFile) {
  const int fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::io_uring_prep_write(entry(), fd, "x", 1, 0);
  EXPECT_EQ(result(), -EACCES);
  ::close(fd);
}

TEST_F(RestrictedRing, ChainsNothing) {
  io_uring_sqe* chained = entry();
  ::io_uring_prep_nop(chained);
  chained->flags = IOSQE_IO_LINK;
  EXPECT_EQ(result(), -EACCES);
}

// The real one, as the process creates it; the ring's thread is this one.
TEST(RingOfAShard, RegistersNothingNew) {
  auto ring = Ring::create({.sq_entries = 8,
                            .cq_entries = 16,
                            .direct_slots = 4,
                            .recv_buffers = 4,
                            .recv_buffer_bytes = 64});
  ASSERT_TRUE(ring.ok()) << ring.error().text();
  ASSERT_TRUE((*ring)->enable().ok());
  std::vector<std::byte> probe(sizeof(io_uring_probe));
  errno = 0;
  EXPECT_EQ(
      ::syscall(__NR_io_uring_register, (*ring)->fd(), IORING_REGISTER_PROBE, probe.data(), 0), -1);
  EXPECT_EQ(errno, EACCES);
}

}  // namespace
}  // namespace uproar::runtime
