#pragma once

// The system calls of a server that has started, by name: all that the filter (seccomp_filter.h)
// lets through, which a compromised one may use, too. Starting needs more. tools/seccomp.json, the
// profile of containers, must allow all of these and what is needed before; tests/tools/hardening
// compares the two.

#include <cstdint>
#include <span>

namespace uproar::server {

struct SystemCall {
  // Who needs it.
  enum class Who : std::uint8_t {
    kAnyNode,
    kReachesOut,  // a node that connects to something: PostgreSQL, Redis, etcd, an issuer's URL
  };
  // Which arguments; the conditions stand in seccomp_filter.cc.
  enum class Only : std::uint8_t {
    kAny,
    kThreads,  // clone: a thread of this process, no process and no namespace
    // mmap: no memory that runs; where libraries may be loaded later, no other than of a file
    kNothingToExecute,
    kNotExecutable,       // mprotect: the same, without exception
    kOwnThreads,          // tgkill: this process
    kNamesAndLabels,      // prctl: the name of a thread, of a mapping
    kTerminalsAndQueues,  // ioctl: is it a terminal, how many bytes wait
    kReading,             // prlimit64: asking, of this process
    kRingInUse,           // io_uring_register: what ring_restrictions.cc leaves
    kFamilies,            // socket: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
    kPairs,               // socketpair: AF_UNIX
  };
  const char* name;
  Who who = Who::kAnyNode;
  Only only = Only::kAny;
};

[[nodiscard]] std::span<const SystemCall> system_calls();

// Newer calls that libraries try: ENOSYS makes them fall back to one of the above, where EPERM
// would not.
[[nodiscard]] std::span<const char* const> system_calls_to_fall_back_from();

}  // namespace uproar::server
