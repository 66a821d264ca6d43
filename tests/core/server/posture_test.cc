// Each test gives something up in a child of its own, since nobody gets it back.

#include "core/server/posture.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <latch>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/server/capabilities.h"
#include "tests/core/server/temp_folder.h"

namespace uproar::server {
namespace {

using runtime::Finding;
using ::testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UPROAR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UPROAR_SANITIZED 1
#endif
#endif

struct Ended {
  int status = 0;
  std::string said;  // on stderr

  [[nodiscard]] int code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
};

// Runs `body` in a child; what it returns is the exit code.
Ended in_child(const std::function<int()>& body) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::_exit(body());
  }
  ::close(ends[1]);
  Ended ended;
  char bytes[1024];
  for (ssize_t count = 0; (count = ::read(ends[0], bytes, sizeof bytes)) > 0;)
    ended.said.append(bytes, static_cast<std::size_t>(count));
  ::close(ends[0]);
  EXPECT_EQ(::waitpid(child, &ended.status, 0), child);
  return ended;
}

PostureOptions only_seccomp(SeccompMode mode, bool reaches_out = false) {
  return {.seccomp = mode, .landlock = false, .reaches_out = reaches_out, .files = {}};
}

PostureOptions only_landlock(const std::string& folder, bool reaches_out = false) {
  return {.seccomp = SeccompMode::kOff,
          .landlock = true,
          .reaches_out = reaches_out,
          .files = {{.path = folder, .may = FileRule::May::kWrite}}};
}

bool has(const std::vector<Finding>& findings, std::string_view name) {
  for (const Finding& finding : findings)
    if (finding.name == name) return finding.status == Finding::Status::kOk;
  return false;
}

bool machine_has_landlock() {
  static const bool there = has(try_confine(only_landlock("/")), "landlock");
  return there;
}

int open_error(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

// execve is what an intruder wants most, and what no server does. With a sanitizer there is no filter to try.
[[maybe_unused]] int execve_error() {
  char* const nothing[] = {nullptr};
  ::execve("/bin/true", nothing, nothing);
  return errno;
}

TEST(Posture, EachPartIsTriedAndTold) {
  const auto findings = try_confine(posture_of(Config{}));
  ASSERT_EQ(findings.size(), 4U);
  EXPECT_EQ(findings[0].name, "no new privileges");
  EXPECT_EQ(findings[0].status, Finding::Status::kOk);
  EXPECT_EQ(findings[1].name, "capabilities");
  EXPECT_EQ(findings[1].status, Finding::Status::kOk) << findings[1].detail;
  EXPECT_EQ(findings[2].name, "landlock");
  EXPECT_EQ(findings[3].name, "seccomp");
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.detail.empty());
    EXPECT_EQ(finding.remedy.empty(), finding.status == Finding::Status::kOk) << finding.name;
  }
  EXPECT_NE(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1) << "a child tried it, not this process";
}

TEST(Posture, WhatIsSwitchedOffIsTold) {
  const auto findings = try_confine(only_seccomp(SeccompMode::kOff));
  EXPECT_FALSE(has(findings, "seccomp"));
  EXPECT_FALSE(has(findings, "landlock"));
  EXPECT_TRUE(has(findings, "no new privileges"));
  EXPECT_THAT(posture_line(findings),
              HasSubstr("; without landlock (switched off), seccomp (switched off)"));
}

TEST(Posture, NoThreadKeepsACapabilityOrMayGainOne) {
  const auto ended = in_child([] {
    std::latch confined(1);
    int code = 0;
    std::latch running(1);
    std::thread other([&] {
      running.count_down();
      confined.wait();
      if (effective_capabilities() != 0) code |= 1;
      if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) code |= 2;
    });
    running.wait();
    if (!has(confine(only_seccomp(SeccompMode::kOff)), "capabilities")) code |= 4;
    if (effective_capabilities() != 0) code |= 8;
    confined.count_down();
    other.join();
    return code;
  });
  EXPECT_EQ(ended.code(), 0);
}

TEST(Posture, RootKeepsNoBoundingSet) {
  if (bounding_capabilities() == 0 || effective_capabilities() == 0)
    GTEST_SKIP() << "there is nothing to drop, or it may not be dropped";
  const auto ended = in_child([] {
    (void)confine(only_seccomp(SeccompMode::kOff));
    return bounding_capabilities() == 0 ? 0 : 1;
  });
  EXPECT_EQ(ended.code(), 0);
}

TEST(Landlock, LeavesTheDataAndNothingElse) {
  if (!machine_has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
  const TempFolder data;
  const TempFolder other;
  const std::string foreign = other.write("foreign", "x");
  const auto ended = in_child([&] {
    if (!has(confine(only_landlock(data.path())), "landlock")) return 1;
    if (open_error(data.file("new"), O_RDWR | O_CREAT) != 0) return 2;
    if (::truncate(data.file("new").c_str(), 0) != 0) return 3;
    if (::unlink(data.file("new").c_str()) != 0) return 4;
    if (open_error(foreign, O_RDONLY) != EACCES) return 5;
    if (open_error(other.file("new"), O_RDWR | O_CREAT) != EACCES) return 6;
    if (::unlink(foreign.c_str()) == 0) return 7;
    if (open_error("/etc/passwd", O_RDONLY) != EACCES) return 8;
    if (open_error("/proc/self/environ", O_RDONLY) != EACCES) return 9;
    return 0;
  });
  EXPECT_EQ(ended.code(), 0);
}

TEST(Landlock, BindsThreadsThatWereThereBefore) {
  if (!machine_has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
  const TempFolder data;
  const auto ended = in_child([&] {
    std::latch running(1);
    std::latch confined(1);
    int error = 0;
    std::thread other([&] {
      running.count_down();
      confined.wait();
      error = open_error("/etc/passwd", O_RDONLY);
    });
    running.wait();
    (void)confine(only_landlock(data.path()));
    confined.count_down();
    other.join();
    return error == EACCES ? 0 : 1;
  });
  EXPECT_EQ(ended.code(), 0);
}

TEST(Landlock, OpensNoPortAndConnectsToNoneWhereNothingIsToBeReached) {
  const auto ruleset = LandlockRuleset::make({});
  if (!ruleset.ok() || !ruleset->has_network()) GTEST_SKIP() << "Linux 6.7 has it";
  const TempFolder data;
  for (const bool reaches_out : {false, true}) {
    const auto ended = in_child([&] {
      (void)confine(only_landlock(data.path(), reaches_out));
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
          errno != EACCES)
        return 1;
      address.sin_port = htons(1);  // where nobody listens
      (void)::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
      return errno == (reaches_out ? ECONNREFUSED : EACCES) ? 0 : 2;
    });
    EXPECT_EQ(ended.code(), 0) << reaches_out;
  }
}

// Where settings are written by renaming a new file over the old one.
TEST(Landlock, ReadsAFileThatReplacedTheNamedOne) {
  if (!machine_has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
  const TempFolder keys;
  Config config;
  config.jwks = keys.write("jwks.json", "old");
  const PostureOptions options = {.seccomp = SeccompMode::kOff,
                                  .landlock = true,
                                  .reaches_out = false,
                                  .files = posture_of(config).files};
  int confined[2];
  int replaced[2];
  ASSERT_EQ(::pipe(confined), 0);
  ASSERT_EQ(::pipe(replaced), 0);
  std::thread replacing([&] {
    char byte = 0;
    EXPECT_EQ(::read(confined[0], &byte, 1), 1);
    std::ofstream(keys.file("next")) << "new";
    EXPECT_EQ(::rename(keys.file("next").c_str(), config.jwks.c_str()), 0);
    EXPECT_EQ(::write(replaced[1], "x", 1), 1);
  });
  const auto ended = in_child([&] {
    (void)confine(options);
    char byte = 0;
    if (::write(confined[1], "x", 1) != 1 || ::read(replaced[0], &byte, 1) != 1) return 1;
    std::string text;
    std::ifstream(config.jwks) >> text;
    if (text != "new") return 2;
    if (open_error(config.jwks, O_RDWR) != EACCES) return 3;
    if (open_error(keys.file("other"), O_RDWR | O_CREAT) != EACCES) return 4;
    return 0;
  });
  replacing.join();
  for (const int fd : {confined[0], confined[1], replaced[0], replaced[1]}) ::close(fd);
  EXPECT_EQ(ended.code(), 0);
}

TEST(Seccomp, ModesAreReadAndNamed) {
  for (const char* name : {"off", "log", "enforce", "kill"}) {
    const auto mode = parse_seccomp_mode(name);
    ASSERT_TRUE(mode) << name;
    EXPECT_EQ(seccomp_mode_name(*mode), name);
  }
  EXPECT_FALSE(parse_seccomp_mode("on"));
  EXPECT_FALSE(parse_seccomp_mode(""));
}

#ifndef UPROAR_SANITIZED
TEST(Seccomp, KillEndsTheProcess) {
  const auto ended = in_child([] {
    if (!has(confine(only_seccomp(SeccompMode::kKill)), "seccomp")) return 1;
    (void)execve_error();
    return 2;
  });
  ASSERT_TRUE(WIFSIGNALED(ended.status)) << ended.code();
  EXPECT_EQ(WTERMSIG(ended.status), SIGSYS);
}

TEST(Seccomp, EnforceRefusesCountsAndSaysItOnce) {
  const auto ended = in_child([] {
    if (!has(confine(only_seccomp(SeccompMode::kEnforce)), "seccomp")) return 1;
    if (refused_system_calls() != 0) return 2;
    for (int i = 0; i < 3; ++i)
      if (execve_error() != EPERM) return 3;
    if (refused_system_calls() != 3) return 4;
    int error = 0;
    std::thread([&] { error = execve_error(); }).join();
    if (error != EPERM) return 5;
    return refused_system_calls() == 4 ? 0 : 6;
  });
  EXPECT_EQ(ended.code(), 0);
  const std::string words = "uproar: refused the system call execve (number " +
                            std::to_string(SYS_execve) + ") with EPERM";
  EXPECT_THAT(ended.said, HasSubstr(words));
  EXPECT_EQ(ended.said.find(words), ended.said.rfind(words)) << ended.said;
}

TEST(Seccomp, BindsThreadsThatWereThereBefore) {
  const auto ended = in_child([] {
    std::latch running(1);
    std::latch confined(1);
    int error = 0;
    std::thread other([&] {
      running.count_down();
      confined.wait();
      error = execve_error();
    });
    running.wait();
    (void)confine(only_seccomp(SeccompMode::kEnforce));
    confined.count_down();
    other.join();
    return error == EPERM ? 0 : 1;
  });
  EXPECT_EQ(ended.code(), 0);
}

TEST(Seccomp, LogLetsThrough) {
  const auto ended = in_child([] {
    // Logging everything is what the finding says is amiss.
    if (has(confine(only_seccomp(SeccompMode::kLog)), "seccomp")) return 1;
    return ::syscall(SYS_getpgid, 0) >= 0 ? 0 : 2;  // 0: of a group outside its namespace
  });
  EXPECT_EQ(ended.code(), 0);
}

// What each of these would be good for is in the name.
TEST(Seccomp, RefusesWhatIntrudersNeed) {
  const auto ended = in_child([] {
    (void)confine(only_seccomp(SeccompMode::kEnforce));
    int step = 1;
    const auto refused = [&step](long result) {
      ++step;
      return result == -1 && errno == EPERM;
    };
    if (!refused(::syscall(SYS_fork))) return step;
    if (!refused(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) return step;
    if (!refused(::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))) return step;
    if (!refused(::syscall(SYS_ptrace, 0, 0, 0, 0))) return step;
    if (!refused(::syscall(SYS_memfd_create, "x", 0))) return step;
    if (!refused(::syscall(SYS_io_uring_setup, 8, nullptr))) return step;
    if (!refused(::syscall(SYS_kill, ::getppid(), 0))) return step;
    if (!refused(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0))) return step;
    if (!refused(::syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))) return step;
    if (!refused(::syscall(SYS_personality, 0))) return step;
    char page[1];
    if (!refused(::syscall(SYS_rename, "a", page))) return step;
    const auto memory = [](int protection) {
      return ::syscall(SYS_mmap, nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    };
    if (!refused(memory(PROT_READ | PROT_WRITE | PROT_EXEC))) return step;
    if (!refused(memory(PROT_READ | PROT_EXEC))) return step;
    const long writable = memory(PROT_READ | PROT_WRITE);
    if (writable == -1) return 100;
    if (!refused(::syscall(SYS_mprotect, writable, 4096, PROT_READ | PROT_EXEC))) return step;
    return 0;
  });
  EXPECT_EQ(ended.code(), 0) << ended.said;
}

TEST(Seccomp, ThreadsStartAndEndAsBefore) {
  const auto ended = in_child([] {
    (void)confine(only_seccomp(SeccompMode::kKill));
    int sum = 0;
    for (int i = 1; i <= 3; ++i) std::thread([&sum, i] { sum += i; }).join();
    return sum == 6 ? 0 : 1;
  });
  EXPECT_EQ(ended.code(), 0) << ended.status;
}

// With all that a node on PostgreSQL gives up.
TEST(Seccomp, WhoReachesOutLooksUpNames) {
  Config config;
  config.postgres = "postgres://u@localhost/x";
  config.seccomp = "kill";
  const auto ended = in_child([&] {
    (void)confine(posture_of(config));
    int error = 0;
    std::thread([&error] {
      addrinfo* found = nullptr;
      error = ::getaddrinfo("localhost", "5432", nullptr, &found);
      if (error == 0) ::freeaddrinfo(found);
    }).join();
    return error == 0 ? 0 : 1;
  });
  EXPECT_EQ(ended.code(), 0) << ended.status;
}

TEST(Seccomp, WhoReachesOutHasSocketsAndOnlyUsualOnes) {
  const auto ended = in_child([] {
    (void)confine(only_seccomp(SeccompMode::kEnforce, true));
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
      if (::socket(family, family == AF_NETLINK ? SOCK_RAW : SOCK_DGRAM, 0) < 0 && errno == EPERM)
        return family;
    return ::socket(AF_PACKET, SOCK_DGRAM, 0) < 0 && errno == EPERM ? 0 : 100;
  });
  EXPECT_EQ(ended.code(), 0) << ended.said;
}
#endif

}  // namespace
}  // namespace uproar::server
