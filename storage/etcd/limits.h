#pragma once

// Bounds and times of storage/etcd.

#include <cstddef>
#include <cstdint>

namespace uproar::storage::etcd {

// One answer, or one line of a watch: kNodesMax (256) records of 1 KiB, a third more in base64, are 350 KiB. Beyond it:
// the request has failed.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{4} * 1024 * 1024;

// etcd 3.4 with its ordinary election time-out grants nothing shorter.
inline constexpr std::uint32_t kLeaseSecondsMin = 2;
// Looked after this many times within a lease.
inline constexpr std::uint32_t kRenewalsALease = 3;

// A stream's peer that does not answer the kernel is given up after kKeepAliveS + kKeepAliveProbes seconds.
inline constexpr int kKeepAliveS = 2;
inline constexpr int kKeepAliveProbes = 3;

// Between an end of the watch, or a failure to read the list, and the next attempt: 100 ms, doubled up to 2 s.
inline constexpr std::uint32_t kRetryMsMin = 100;
inline constexpr std::uint32_t kRetryMsMax = 2000;

// Of so many keys that are no record of a live node the log tells; all are counted.
inline constexpr std::size_t kIgnoredToldMax = 16;

}  // namespace uproar::storage::etcd
