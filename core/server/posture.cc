#include "core/server/posture.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "core/runtime/every_thread.h"
#include "core/server/capabilities.h"
#include "core/server/file_access.h"

namespace uproar::server {
namespace {

using runtime::Finding;

// Sanitizers make system calls of their own, by themselves and at the end.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif
#else
constexpr bool kIsSanitized = false;
#endif

constexpr const char* kPrivileges = "no new privileges";
constexpr const char* kCapabilities = "capabilities";
constexpr const char* kLandlock = "landlock";
constexpr const char* kSeccomp = "seccomp";

Finding found(const char* name, std::string detail) {
  return {.name = name,
          .status = Finding::Status::kOk,
          .required = false,
          .code = 0,
          .detail = std::move(detail),
          .remedy = {}};
}

Finding missing(const char* name, int code, std::string detail, std::string remedy) {
  return {.name = name,
          .status = Finding::Status::kDegraded,
          .required = false,
          .code = code,
          .detail = std::move(detail),
          .remedy = std::move(remedy)};
}

Finding missing(const char* name, const SystemError& error) {
  SystemError without_hint = error;
  without_hint.hint.clear();
  return missing(name, error.code, without_hint.text(), error.hint);
}

// What each thread does, in one go: the second needs the first.
struct GiveUp {
  const LandlockRuleset* ruleset = nullptr;
};

// By one of these the error says what was refused; threads are the same, so any of them will do.
int give_up(const void* what) {
  const auto& order = *static_cast<const GiveUp*>(what);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (order.ruleset != nullptr) {
    if (const int error = order.ruleset->bind_this_thread(); error != 0) return error;
  }
  return drop_capabilities_of_this_thread();
}

std::string what_landlock_leaves(const LandlockRuleset& ruleset, bool reaches_out) {
  std::string text = reaches_out ? "files: what names and certificates are looked up in, and data"
                                 : "files: the data";
  if (!ruleset.has_network()) return text + "; no rules for TCP before Linux 6.7";
  return text + (reaches_out ? "; TCP: to connect, not to listen"
                             : "; TCP: neither to connect nor to listen");
}

void confine_threads(const PostureOptions& options, std::vector<Finding>& findings) {
  std::optional<LandlockRuleset> ruleset;
  std::optional<Finding> no_landlock;
  if (!options.landlock) {
    no_landlock = missing(kLandlock, 0, "switched off", "leave --landlock at true");
  } else {
    auto made = LandlockRuleset::make({.files = options.files, .may_connect = options.reaches_out});
    if (made.ok())
      ruleset.emplace(std::move(made.value()));
    else
      no_landlock = missing(kLandlock, made.error());
  }
  const std::uint64_t held = effective_capabilities();
  const GiveUp order{.ruleset = ruleset ? &*ruleset : nullptr};
  const auto threads = runtime::on_every_thread(&give_up, &order);
  const bool no_new = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
  if (!threads.ok()) {
    for (const char* name : {kPrivileges, kCapabilities})
      findings.push_back(missing(name, threads.error()));
    findings.push_back(no_landlock ? *no_landlock : missing(kLandlock, threads.error()));
    return;
  }
  findings.push_back(no_new ? found(kPrivileges, "what it starts gains none")
                            : missing(kPrivileges, 0, "not set", "run a kernel that has prctl"));
  const std::uint64_t rest = bounding_capabilities();
  findings.push_back(
      found(kCapabilities, std::string(held == 0 ? "had none" : "dropped, by each thread") +
                               (rest == 0 ? "; none can come back"
                                          : "; the bounding set is not ours to drop, and "
                                            "without new privileges nobody can draw on it")));
  findings.push_back(
      no_landlock ? *no_landlock
                  : found(kLandlock, "version " + std::to_string(ruleset->abi()) + "; " +
                                         what_landlock_leaves(*ruleset, options.reaches_out)));
}

Finding confine_calls(const PostureOptions& options) {
  if (options.seccomp == SeccompMode::kOff)
    return missing(kSeccomp, 0, "switched off", "leave --seccomp at enforce");
  if (kIsSanitized)
    return missing(kSeccomp, 0, "left out of a build with sanitizers", "run a release build");
  const auto count = apply_seccomp(options.seccomp, options.reaches_out);
  if (!count.ok()) return missing(kSeccomp, count.error());
  const std::string text = std::string(seccomp_mode_name(options.seccomp)) + "; " +
                           std::to_string(*count) + " system calls are allowed";
  if (options.seccomp == SeccompMode::kLog)
    return missing(kSeccomp, 0, text + ", others are let through and logged by the kernel",
                   "--seccomp enforce");
  return found(kSeccomp, text);
}

// ---- findings through a pipe: a line each, fields apart by a character that stands in none

constexpr char kFieldEnd = '\x1f';

std::string as_lines(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    for (const std::string& field :
         {finding.name, std::string(finding.status == Finding::Status::kOk ? "+" : "-"),
          std::to_string(finding.code), finding.detail, finding.remedy})
      text.append(field) += kFieldEnd;
    text += '\n';
  }
  return text;
}

std::string_view take_until(std::string_view& text, char end) {
  const auto at = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

std::vector<Finding> from_lines(std::string_view text) {
  std::vector<Finding> findings;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    Finding finding;
    finding.name = take_until(line, kFieldEnd);
    finding.status =
        take_until(line, kFieldEnd) == "+" ? Finding::Status::kOk : Finding::Status::kDegraded;
    finding.code = std::atoi(std::string(take_until(line, kFieldEnd)).c_str());
    finding.detail = take_until(line, kFieldEnd);
    finding.remedy = take_until(line, kFieldEnd);
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace

PostureOptions posture_of(const Config& config) {
  PostureOptions options;
  options.seccomp = parse_seccomp_mode(config.seccomp).value_or(SeccompMode::kEnforce);
  options.landlock = config.landlock;
  options.reaches_out = !config.postgres.empty() || !config.redis.empty() || !config.etcd.empty() ||
                        config.jwks.starts_with("https://");
  options.files = files_needed(config, options.reaches_out);
  return options;
}

void prepare_posture(const Config& config) {
  if (config.landlock) (void)::setenv("SQLITE_TMPDIR", config.data_dir.c_str(), 1);
}

std::vector<Finding> confine(const PostureOptions& options) {
  std::vector<Finding> findings;
  confine_threads(options, findings);
  findings.push_back(confine_calls(options));
  return findings;
}

std::vector<Finding> try_confine(const PostureOptions& options) {
  int ends[2];
  if (::pipe(ends) != 0)
    return {missing(kSeccomp, errno, "no pipe to a child that tries", "raise LimitNOFILE=")};
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    const std::string text = as_lines(confine(options));
    ::_exit(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0
                                                                                            : 1);
  }
  const int error = errno;
  ::close(ends[1]);
  std::string text;
  char bytes[4096];
  for (ssize_t count = 0; child > 0 && (count = ::read(ends[0], bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<std::size_t>(count));
  ::close(ends[0]);
  int status = 0;
  if (child > 0) (void)::waitpid(child, &status, 0);
  if (child < 0)
    return {missing(kSeccomp, error, "no child that tries", "raise the limit of processes")};
  auto findings = from_lines(text);
  if (status != 0)
    findings.push_back(
        missing(kSeccomp, 0, "the child that tried it ended with status " + std::to_string(status),
                "report it, and run with --seccomp off until it is mended"));
  return findings;
}

std::string posture_line(const std::vector<Finding>& findings) {
  std::string have;
  std::string lack;
  for (const Finding& finding : findings) {
    std::string& list = finding.status == Finding::Status::kOk ? have : lack;
    list += (list.empty() ? "" : ", ") + finding.name + " (" + finding.detail + ")";
  }
  return "posture: " + (have.empty() ? std::string("nothing") : have) +
         (lack.empty() ? "" : "; without " + lack);
}

}  // namespace uproar::server
