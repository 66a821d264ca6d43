#pragma once

// Kernel constants that the headers of liburing 2.3 do not have, under our own names, checked
// against the real ones where a newer header brings them. Included by core/runtime sources only.

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include <liburing.h>

namespace uproar::runtime::abi {

inline constexpr std::uint32_t kRecvSendBundle = 1U << 4;  // 6.10
inline constexpr std::uint32_t kSendVectorized = 1U << 5;  // 6.17
inline constexpr std::uint32_t kFeatRecvSendBundle = 1U << 14;
inline constexpr std::uint32_t kFeatMinTimeout = 1U << 15;  // 6.12
inline constexpr std::uint32_t kPbufRingInc = 2;            // 6.12
inline constexpr std::uint32_t kCqeBufMore = 1U << 4;       // 6.12

#ifdef IORING_RECVSEND_BUNDLE
static_assert(kRecvSendBundle == IORING_RECVSEND_BUNDLE);
#endif
#ifdef IORING_SEND_VECTORIZED
static_assert(kSendVectorized == IORING_SEND_VECTORIZED);
#endif
#ifdef IORING_FEAT_RECVSEND_BUNDLE
static_assert(kFeatRecvSendBundle == IORING_FEAT_RECVSEND_BUNDLE);
#endif
#ifdef IORING_FEAT_MIN_TIMEOUT
static_assert(kFeatMinTimeout == IORING_FEAT_MIN_TIMEOUT);
#endif
#ifdef IORING_CQE_F_BUF_MORE
static_assert(kCqeBufMore == IORING_CQE_F_BUF_MORE);
#endif
#if defined(IO_URING_VERSION_MAJOR) && (IO_URING_VERSION_MAJOR > 2 || IO_URING_VERSION_MINOR >= 8)
static_assert(kPbufRingInc == IOU_PBUF_RING_INC);
#endif

// The argument of io_uring_enter with IORING_ENTER_EXT_ARG. Before 6.12 the word min_wait_us was
// padding and must be zero; the header's own struct has it under two names, so it is declared here.
struct GetEventsArg {
  std::uint64_t sigmask = 0;
  std::uint32_t sigmask_bytes = 0;
  std::uint32_t min_wait_us = 0;  // only with kFeatMinTimeout
  std::uint64_t timeout = 0;      // address of a __kernel_timespec, 0: none
};
static_assert(sizeof(GetEventsArg) == 24);
static_assert(sizeof(GetEventsArg) == sizeof(io_uring_getevents_arg));

// Set-up flags of a shard's ring.
inline constexpr std::uint32_t kShardSetup =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;

// io_uring_enable_rings(): declared by liburing 2.3 but missing from its shared library. 0 or
// -errno.
inline int enable_ring(const io_uring& ring) {
  const long rc =
      ::syscall(__NR_io_uring_register, ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  return rc < 0 ? -errno : 0;
}

}  // namespace uproar::runtime::abi
