#include "core/server/system_calls.h"

#include <array>

namespace uproar::server {
namespace {

using Only = SystemCall::Only;
constexpr auto kOut = SystemCall::Who::kReachesOut;
constexpr auto kAll = SystemCall::Who::kAnyNode;

// One a line: the lists are compared by a script.
constexpr auto kCalls = std::to_array<SystemCall>({
    // memory
    {"brk"},
    {"madvise"},
    {"membarrier"},
    {"mlock"},
    {"mlock2"},
    {"mmap", kAll, Only::kNothingToExecute},
    {"mprotect", kAll, Only::kNotExecutable},
    {"mremap"},
    {"munlock"},
    {"munmap"},
    // threads
    {"clone", kAll, Only::kThreads},
    {"exit"},
    {"exit_group"},
    {"futex"},
    {"get_robust_list"},
    {"getcpu"},
    {"prctl", kAll, Only::kNamesAndLabels},
    {"rseq"},
    {"sched_getaffinity"},
    {"sched_yield"},
    {"set_robust_list"},
    {"setpriority"},
    // who and what am I
    {"getegid"},
    {"geteuid"},
    {"getgid"},
    {"getpid"},
    {"getppid"},
    {"getrusage"},
    {"gettid"},
    {"getuid"},
    {"prlimit64", kAll, Only::kReading},
    {"sysinfo"},
    {"uname"},
    // signals and time
    {"clock_getres"},
    {"clock_gettime"},
    {"clock_nanosleep"},
    {"gettimeofday"},
    {"nanosleep"},
    {"restart_syscall"},
    {"rt_sigaction"},
    {"rt_sigpending"},
    {"rt_sigprocmask"},
    {"rt_sigreturn"},
    {"rt_sigtimedwait"},
    {"sigaltstack"},
    {"tgkill", kAll, Only::kOwnThreads},
    {"time"},
    // files: which ones, Landlock says
    {"access"},
    {"close"},
    {"faccessat"},
    {"faccessat2"},
    {"fadvise64"},
    {"fallocate"},
    {"fchmod"},
    {"fchown"},
    {"fcntl"},
    {"fdatasync"},
    {"flock"},
    {"fstat"},
    {"fstatfs"},
    {"fsync"},
    {"ftruncate"},
    {"getcwd"},
    {"getdents64"},
    {"ioctl", kAll, Only::kTerminalsAndQueues},
    {"lseek"},
    {"lstat"},
    {"newfstatat"},
    {"open"},
    {"openat"},
    {"pread64"},
    {"preadv"},
    {"pwrite64"},
    {"pwritev"},
    {"read"},
    {"readlink"},
    {"readlinkat"},
    {"readv"},
    {"stat"},
    {"statfs"},
    {"statx"},
    {"unlink"},
    {"unlinkat"},
    {"write"},
    {"writev"},
    // the door
    {"accept"},
    {"accept4"},
    {"epoll_create1"},
    {"epoll_ctl"},
    {"epoll_pwait"},
    {"epoll_wait"},
    {"eventfd2"},
    {"getpeername"},
    {"getsockname"},
    {"getsockopt"},
    {"io_uring_enter"},
    {"io_uring_register", kAll, Only::kRingInUse},
    {"pipe2"},
    {"poll"},
    {"ppoll"},
    {"pselect6"},
    {"recvfrom"},
    {"recvmsg"},
    {"select"},
    {"sendmsg"},
    {"sendto"},
    {"setsockopt"},
    {"shutdown"},
    {"socketpair", kAll, Only::kPairs},
    // services: names are looked up, sessions are opened again
    {"bind", kOut},
    {"connect", kOut},
    {"getgroups", kOut},
    {"recvmmsg", kOut},
    {"sendmmsg", kOut},
    {"socket", kOut, Only::kFamilies},
    // randomness
    {"getrandom"},
});

constexpr auto kFallBack = std::to_array<const char*>({
    "cachestat",
    "clone3",
    "epoll_pwait2",
    "fchmodat2",
    "futex_requeue",
    "futex_wait",
    "futex_waitv",
    "futex_wake",
    "map_shadow_stack",
    "mseal",
    "openat2",
    "preadv2",
    "process_madvise",
    "pwritev2",
});

}  // namespace

std::span<const SystemCall> system_calls() {
  return kCalls;
}

std::span<const char* const> system_calls_to_fall_back_from() {
  return kFallBack;
}

}  // namespace uproar::server
