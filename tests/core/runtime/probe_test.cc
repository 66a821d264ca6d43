#include "core/runtime/probe.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace uproar::runtime {
namespace {

TEST(Probe, FindsEverythingRequiredHereOrSaysHowToMendIt) {
  const auto findings = probe_features({});
  ASSERT_FALSE(findings.empty());
  for (const Finding& finding : findings) {
    SCOPED_TRACE(finding.name + ": " + std::string(status_name(finding.status)) + ", " +
                 finding.detail);
    EXPECT_FALSE(finding.detail.empty());
    if (finding.status != Finding::Status::kOk) {
      EXPECT_FALSE(finding.remedy.empty());
    }
    EXPECT_FALSE(finding.fatal());  // the suite needs a kernel that can run the server
  }
  EXPECT_TRUE(require_features(findings).ok());
}

TEST(Probe, LeavesNoDescriptorBehind) {
  const auto descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 256; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
  };
  const int before = descriptors();
  (void)probe_features({});
  EXPECT_EQ(descriptors(), before);
}

TEST(Probe, RequireReportsTheFirstFatalFindingWithItsRemedy) {
  const std::vector<Finding> findings = {
      {.name = "fine",
       .status = Finding::Status::kOk,
       .required = true,
       .code = 0,
       .detail = "",
       .remedy = ""},
      {.name = "nice",
       .status = Finding::Status::kMissing,
       .required = false,
       .code = 0,
       .detail = "",
       .remedy = ""},
      {.name = "needed",
       .status = Finding::Status::kMissing,
       .required = true,
       .code = EPERM,
       .detail = "refused",
       .remedy = "allow it"},
  };
  const auto verdict = require_features(findings);
  ASSERT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.error().text(),
            "needed refused: Operation not permitted (errno 1). Try: allow it");
}

TEST(Probe, EveryRefusalOfSetupNamesARemedy) {
  for (const int code : {EPERM, ENOSYS, EINVAL, ENOMEM, EMFILE, ENFILE}) {
    const SystemError error = explain_ring_refusal("io_uring_setup", code);
    EXPECT_FALSE(error.hint.empty()) << code;
    EXPECT_FALSE(error.subject.empty()) << code;
  }
}

// What a container's default profile does, in a child process: one system call answers with `code`.
void refuse_system_call(long number, int code) {
  const auto call = static_cast<unsigned>(number);
  const auto answer = static_cast<unsigned>(code);
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(filter), .filter = filter};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    ::_exit(9);
  }
}

TEST(Probe, ExplainsASandboxInsteadOfCrashingInIt) {
  struct Row {
    long call;
    int code;
    const char* operation;
    const char* remedy;
  };
  const Row rows[] = {
      {__NR_io_uring_setup, EPERM, "io_uring_setup", "seccomp"},
      {__NR_io_uring_setup, ENOSYS, "io_uring_setup", "gVisor"},
      {__NR_io_uring_setup, EINVAL, "io_uring_setup", "6.1"},
      {__NR_io_uring_enter, EPERM, "io_uring_enter", "seccomp"},
      {__NR_io_uring_register, EPERM, "io_uring_setup", "seccomp"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.operation + std::string(" ") + std::to_string(row.code));
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      refuse_system_call(row.call, row.code);
      const auto verdict = require_features(probe_features({}));
      if (verdict.ok()) ::_exit(1);
      const SystemError& error = verdict.error();
      std::fprintf(stderr, "%s\n", error.text().c_str());
      const bool named =
          error.operation == "io_uring" &&
          error.text().find("(errno " + std::to_string(row.code) + ")") != std::string::npos &&
          error.subject.find(row.operation) != std::string::npos &&
          error.hint.find(row.remedy) != std::string::npos;
      ::_exit(named ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

// Rings are made, so all is well for one shard; for as many as were asked for there is no room.
TEST(Probe, TooLittleLockedMemoryForTheShardsIsFatal) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{.rlim_cur = 4 << 20, .rlim_max = 4 << 20};
    if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) ::_exit(9);
    if (::getuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(9);  // no CAP_IPC_LOCK
    const auto verdict = require_features(probe_features({.shards = 64}));
    if (verdict.ok()) ::_exit(1);
    std::fprintf(stderr, "%s\n", verdict.error().text().c_str());
    ::_exit(verdict.error().operation == "memlock" ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace uproar::runtime
