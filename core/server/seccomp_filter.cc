#include "core/server/seccomp_filter.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include <seccomp.h>

#include "core/runtime/ring_restrictions.h"
#include "core/server/system_calls.h"
#include "proto/base/check.h"

namespace uproar::server {
namespace {

constexpr std::array<std::string_view, 4> kModeNames = {"off", "log", "enforce", "kill"};

#if defined(__x86_64__) || defined(__aarch64__)
constexpr bool kCanAnswer = true;
#else
constexpr bool kCanAnswer = false;  // then the kernel answers EPERM, and nobody counts
#endif

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

// ---- what the handler needs stands ready before the filter does

constexpr std::size_t kNumbersMax =
    512;  // above all of today's; later ones have no name and share a flag
std::array<const char*, kNumbersMax> names{};
std::array<std::atomic<bool>, kNumbersMax> said{};
std::atomic<std::uint64_t> refused{0};

std::size_t copy(std::array<char, 320>& line, std::size_t at, const char* text) {
  while (*text != '\0' && at + 1 < line.size()) line[at++] = *text++;
  return at;
}

// Of a signal's handler: one write, and no more.
void say_refused(std::size_t number) {
  std::array<char, 320> line;
  std::size_t end = copy(line, 0, "uproar: refused the system call ");
  if (number < kNumbersMax && names[number] != nullptr) end = copy(line, end, names[number]);
  std::array<char, 24> digits{};
  std::size_t first = digits.size() - 1;
  for (std::size_t rest = number; first > 0; rest /= 10) {
    digits[--first] = static_cast<char>('0' + rest % 10);
    if (rest < 10) break;
  }
  end = copy(line, end, " (number ");
  end = copy(line, end, digits.data() + first);
  end = copy(line, end,
             ") with EPERM: a server needs it not. Said once; uproar_seccomp_refused_total counts. "
             "Try: report "
             "it, and run with --seccomp log until it is mended\n");
  static_cast<void>(!::write(STDERR_FILENO, line.data(), end));
}

void answer_refusal(int /*signal*/, siginfo_t* info, void* context) {
  constexpr int kOfFilter = 1;  // SYS_SECCOMP
  if (info->si_code != kOfFilter) {
    // Sent by somebody: ends the process as it would without a handler, once this returns.
    (void)::signal(SIGSYS, SIG_DFL);
    (void)::raise(SIGSYS);
    return;
  }
  const int saved = errno;
  [[maybe_unused]] auto* registers = static_cast<ucontext_t*>(context);
#if defined(__x86_64__)
  registers->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
  registers->uc_mcontext.regs[0] = static_cast<std::uint64_t>(-EPERM);
#endif
  refused.fetch_add(1, std::memory_order_relaxed);
  const auto number = static_cast<std::size_t>(static_cast<unsigned>(info->si_syscall));
  if (!said[std::min(number, kNumbersMax - 1)].exchange(true, std::memory_order_relaxed))
    say_refused(number);
  errno = saved;
}

int prepare_answers() {
  for (std::size_t number = 0; number < kNumbersMax; ++number) {
    if (names[number] == nullptr)  // kept for the life of the process
      names[number] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number));
  }
  struct sigaction answering {};
  answering.sa_sigaction = &answer_refusal;
  answering.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK;
  return ::sigaction(SIGSYS, &answering, nullptr) == 0 ? 0 : -errno;
}

// ---- rules

constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

using Compare = scmp_arg_cmp;
using Rule = std::vector<Compare>;  // all of them hold

Compare equals(unsigned argument, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}
// Arguments that are an int: the upper half may hold anything.
Compare equals_32(unsigned argument, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xFFFFFFFF, .datum_b = value};
}
Compare masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

template <class... Values>
std::vector<Rule> one_of(unsigned argument, Values... values) {
  return {Rule{equals_32(argument, static_cast<std::uint32_t>(values))}...};
}

// One of them holds.
std::vector<Rule> rules_of(SystemCall::Only only, bool reaches_out) {
  switch (only) {
    case SystemCall::Only::kAny:
      return {Rule{}};
    case SystemCall::Only::kThreads:
      return {{masked(0, kNamespaces | CLONE_THREAD, CLONE_THREAD)}};
    case SystemCall::Only::kNothingToExecute: {
      std::vector<Rule> rules = {{masked(2, PROT_EXEC, 0)}};
      // Libraries that looking up names or TLS may load at their first use.
      if (reaches_out)
        rules.push_back(
            {masked(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), masked(3, MAP_ANONYMOUS, 0)});
      return rules;
    }
    case SystemCall::Only::kNotExecutable:
      return {{masked(2, PROT_EXEC, 0)}};
    case SystemCall::Only::kOwnThreads:
      return one_of(0, ::getpid());
    case SystemCall::Only::kNamesAndLabels:
      return one_of(0, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA);
    case SystemCall::Only::kTerminalsAndQueues:
      return one_of(1, TCGETS, FIONREAD, FIONBIO);
    case SystemCall::Only::kReading:
      return {{equals_32(0, 0), equals(2, 0)}};
    case SystemCall::Only::kRingInUse: {
      // The highest bit says by which number the ring is named.
      std::vector<Rule> rules;
      for (const std::uint8_t registration : runtime::allowed_registrations())
        rules.push_back({masked(1, 0x7FFFFFFF, registration)});
      return rules;
    }
    case SystemCall::Only::kFamilies:
      return one_of(0, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK);
    case SystemCall::Only::kPairs:
      return one_of(0, AF_UNIX);
  }
  return {};
}

SystemError failure(const char* operation, const char* subject, int code) {
  return {
      .operation = operation,
      .subject = subject,
      .code = code,
      .hint =
          code == EINVAL || code == ENOSYS || code == EPERM || code == EACCES
              ? "a kernel with CONFIG_SECCOMP_FILTER, and a container's profile that lets seccomp "
                "and prctl through, as tools/seccomp.json does"
              : ""};
}

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, ReleaseFilter>;

std::uint32_t action_of(SeccompMode mode) {
  switch (mode) {
    case SeccompMode::kKill:
      return SCMP_ACT_KILL_PROCESS;
    case SeccompMode::kLog:
      return SCMP_ACT_LOG;
    case SeccompMode::kOff:
    case SeccompMode::kEnforce:
      break;
  }
  return kCanAnswer ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM);
}

// A call that this library or processor does not know is none that anybody makes by its name.
Result<std::uint32_t, SystemError> add_calls(scmp_filter_ctx filter, bool reaches_out) {
  std::uint32_t count = 0;
  for (const SystemCall& call : system_calls()) {
    if (call.who == SystemCall::Who::kReachesOut && !reaches_out) continue;
    const int number = seccomp_syscall_resolve_name(call.name);
    if (number < 0) continue;
    ++count;
    for (const Rule& rule : rules_of(call.only, reaches_out)) {
      const int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number,
                                            static_cast<unsigned>(rule.size()), rule.data());
      if (rc < 0) return Err{failure("seccomp rule", call.name, -rc)};
    }
  }
  return count;
}

}  // namespace

std::optional<SeccompMode> parse_seccomp_mode(std::string_view text) {
  for (std::size_t i = 0; i < kModeNames.size(); ++i) {
    if (kModeNames[i] == text) return static_cast<SeccompMode>(i);
  }
  return std::nullopt;
}

std::string_view seccomp_mode_name(SeccompMode mode) {
  return kModeNames[static_cast<std::size_t>(mode)];
}

Result<std::uint32_t, SystemError> apply_seccomp(SeccompMode mode, bool reaches_out) {
  UPROAR_CHECK(mode != SeccompMode::kOff);
  const std::uint32_t action = action_of(mode);
  const Filter filter(seccomp_init(action));
  if (filter == nullptr) return Err{failure("seccomp filter", "", ENOMEM)};
  // Calls by another processor's numbers, as 32-bit ones, are judged like those that are not
  // listed.
  int rc = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, action);
  if (rc == 0) rc = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (rc == 0) rc = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree
  if (rc < 0) return Err{failure("seccomp filter", "", -rc)};
  const auto count = add_calls(filter.get(), reaches_out);
  if (!count.ok()) return Err{count.error()};
  for (const char* name : system_calls_to_fall_back_from()) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0 || mode == SeccompMode::kLog) continue;
    rc = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), number, 0);
    if (rc < 0) return Err{failure("seccomp rule", name, -rc)};
  }
  if (mode == SeccompMode::kEnforce && kCanAnswer) rc = prepare_answers();
  if (rc == 0) rc = seccomp_load(filter.get());
  if (rc < 0) return Err{failure("seccomp filter", "all threads", -rc)};
  return *count;
}

std::uint64_t refused_system_calls() {
  return refused.load(std::memory_order_relaxed);
}

}  // namespace uproar::server
