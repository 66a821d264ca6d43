#include "core/runtime/probe.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "core/runtime/ring.h"
#include "core/runtime/ring_restrictions.h"
#include "core/runtime/uring_abi.h"

namespace uproar::runtime {
namespace {

using Status = Finding::Status;

constexpr std::int64_t kWaitUs = 1'000'000;  // a probe that takes a second has failed
constexpr std::uint64_t kCapIpcLock = 1ULL << 14;

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? std::string(names.release) : std::string("unknown");
}

// The first line of a small file, "" if there is none.
std::string read_line(const char* path) {
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return {};
  char line[256] = {};
  const bool got = std::fgets(line, sizeof line, file) != nullptr;
  std::fclose(file);
  std::string text = got ? line : "";
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// The value of "Name:\tvalue" in /proc/self/status.
std::string process_status(std::string_view name) {
  std::FILE* file = std::fopen("/proc/self/status", "re");
  if (file == nullptr) return {};
  char line[512];
  std::string value;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    const std::string_view text(line);
    if (!text.starts_with(name) || text.size() <= name.size() || text[name.size()] != ':') continue;
    value = text.substr(name.size() + 1);
    break;
  }
  std::fclose(file);
  const auto first = value.find_first_not_of(" \t");
  const auto last = value.find_last_not_of(" \t\n");
  return first == std::string::npos ? std::string() : value.substr(first, last - first + 1);
}

std::string limit_text(rlim_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit);
}

std::string errno_text(int code) {
  return std::string(std::strerror(code)) + " (errno " + std::to_string(code) + ")";
}

// What one shard has charged to RLIMIT_MEMLOCK: entries of 64 and 16 bytes, index array, buffer
// ring.
constexpr std::uint64_t locked_bytes_of(std::uint64_t sq_entries, std::uint64_t cq_entries,
                                        std::uint64_t recv_buffers) {
  return sq_entries * (64 + 4) + cq_entries * 16 + recv_buffers * 16 + 16'384;
}
std::uint64_t locked_bytes(const ProbeOptions& options) {
  return locked_bytes_of(options.sq_entries, options.cq_entries, kRecvBuffers);
}
// The ring beside those of the shards.
constexpr std::uint64_t kSmallRingBytes =
    locked_bytes_of(kSmallSqEntries, kSmallCqEntries, kSmallRecvBuffers);

// A ring as a shard has it, driven through the library, for trying single operations.
class TrialRing {
 public:
  explicit TrialRing(const ProbeOptions& options) {
    io_uring_params params{};
    params.flags = abi::kShardSetup;
    params.cq_entries = options.cq_entries;
    code_ = -::io_uring_queue_init_params(options.sq_entries, &ring_, &params);
    if (code_ != 0) return;
    made_ = true;
    features_ = params.features;
    code_ = -abi::enable_ring(ring_);
  }
  ~TrialRing() {
    if (made_) ::io_uring_queue_exit(&ring_);
  }
  TrialRing(const TrialRing&) = delete;
  TrialRing& operator=(const TrialRing&) = delete;

  [[nodiscard]] int code() const { return code_; }
  [[nodiscard]] std::uint32_t features() const { return features_; }
  [[nodiscard]] io_uring& raw() { return ring_; }
  [[nodiscard]] io_uring_sqe* entry() { return ::io_uring_get_sqe(&ring_); }
  // Submits and returns the result of one completion, or -errno of the wait.
  [[nodiscard]] int result() {
    io_uring_cqe* cqe = nullptr;
    __kernel_timespec timeout{.tv_sec = 1, .tv_nsec = 0};
    const int rc = ::io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &timeout, nullptr);
    if (cqe == nullptr) return rc < 0 ? rc : -ETIME;
    const int result = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    return result;
  }

 private:
  io_uring ring_{};
  int code_ = 0;
  bool made_ = false;
  std::uint32_t features_ = 0;
};

// Two ends of a loopback connection, closed at the end.
struct Descriptor {
  explicit Descriptor(int value = -1) : fd(value) {}
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

Finding ok(std::string name, std::string detail, bool required = true) {
  return {.name = std::move(name),
          .status = Status::kOk,
          .required = required,
          .code = 0,
          .detail = std::move(detail),
          .remedy = {}};
}

Finding refused(std::string name, bool required, int code, std::string detail, std::string remedy) {
  return {.name = std::move(name),
          .status = required ? Status::kMissing : Status::kDegraded,
          .required = required,
          .code = code,
          .detail = std::move(detail),
          .remedy = std::move(remedy)};
}

constexpr char kUpgrade[] = "run Linux 6.1 or later (a current point release)";

void probe_operations(TrialRing& ring, std::vector<Finding>& findings) {
  struct Operation {
    int code;
    const char* name;
  };
  static constexpr std::array<Operation, 9> kNeeded = {{{IORING_OP_ACCEPT, "accept"},
                                                        {IORING_OP_RECV, "recv"},
                                                        {IORING_OP_SEND, "send"},
                                                        {IORING_OP_SENDMSG, "sendmsg"},
                                                        {IORING_OP_POLL_ADD, "poll"},
                                                        {IORING_OP_ASYNC_CANCEL, "cancel"},
                                                        {IORING_OP_CLOSE, "close"},
                                                        {IORING_OP_SHUTDOWN, "shutdown"},
                                                        {IORING_OP_MSG_RING, "msg_ring"}}};
  constexpr unsigned kOperationsMax = 256;
  std::vector<std::byte> memory(sizeof(io_uring_probe) +
                                kOperationsMax * sizeof(io_uring_probe_op));
  auto* probe = reinterpret_cast<io_uring_probe*>(memory.data());
  const int rc = ::io_uring_register_probe(&ring.raw(), probe, kOperationsMax);
  std::string missing;
  for (const Operation& operation : kNeeded) {
    if (rc >= 0 && ::io_uring_opcode_supported(probe, operation.code) != 0) continue;
    missing += std::string(missing.empty() ? "" : ", ") + operation.name;
  }
  findings.push_back(
      missing.empty()
          ? ok("operations", std::to_string(kNeeded.size()) + " of those needed are there")
          : refused("operations", true, rc < 0 ? -rc : 0, "not there: " + missing, kUpgrade));
}

void probe_feature_bits(std::uint32_t features, std::vector<Finding>& findings) {
  struct Bit {
    std::uint32_t mask;
    const char* name;
    const char* meaning;
    bool required;
    const char* remedy;
  };
  static constexpr std::array<Bit, 5> kBits = {{
      {IORING_FEAT_NODROP, "no-drop", "no completion is lost when the queue overflows", true,
       kUpgrade},
      {IORING_FEAT_EXT_ARG, "extended enter", "submit and wait with a timeout in one call", true,
       kUpgrade},
      {IORING_FEAT_SUBMIT_STABLE, "stable submit", "message headers are free after submit", true,
       kUpgrade},
      {IORING_FEAT_CQE_SKIP, "skip success", "sends that succeed post no completion", true,
       kUpgrade},
      {abi::kFeatMinTimeout, "min-timeout", "wait for a group of completions; not used by default",
       false, "Linux 6.12 has it; nothing depends on it"},
  }};
  for (const Bit& bit : kBits) {
    findings.push_back((features & bit.mask) != 0
                           ? ok(bit.name, bit.meaning, bit.required)
                           : refused(bit.name, bit.required, 0, "not there", bit.remedy));
  }
}

void probe_send_vectorized(TrialRing& ring, std::vector<Finding>& findings) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return;
  const Descriptor a(pair[0]);
  const Descriptor b(pair[1]);
  char byte = 'x';
  iovec piece{.iov_base = &byte, .iov_len = 1};
  io_uring_sqe* entry = ring.entry();
  ::io_uring_prep_send(entry, a.fd, &piece, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  entry->ioprio = static_cast<std::uint16_t>(abi::kSendVectorized);
  const int result = ring.result();
  findings.push_back(
      result == 1
          ? ok("send-vectorized", "gather without a message header; not used by default", false)
          : refused("send-vectorized", false, result < 0 ? -result : 0,
                    "not there: gathers use sendmsg", "Linux 6.17 has it; nothing depends on it"));
}

// Runs one completion of `kind` out of the ring. Nullopt: none within a second.
std::optional<Completion> next_of(Ring& ring, OpKind kind, std::string* text = nullptr) {
  std::optional<Completion> found;
  for (int looks = 0; looks < 4 && !found; ++looks) {
    ring.submit_and_wait(1, kWaitUs);
    ring.reap(
        [&](const Completion& completion) {
          if (completion.key.kind != kind || found) return;
          found = completion;
          if (text != nullptr) *text = as_text(completion.buffer);
        },
        kCqEntries);
  }
  return found;
}

// Accept, adopt and receive over 127.0.0.1, the way a shard does it.
void probe_sockets(Ring& ring, std::vector<Finding>& findings) {
  const Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener.fd < 0 || client.fd < 0 || ::bind(listener.fd, generic, length) != 0 ||
      ::listen(listener.fd, 1) != 0 || ::getsockname(listener.fd, generic, &length) != 0) {
    findings.push_back(refused("loopback", true, errno,
                               "no TCP socket on 127.0.0.1: " + errno_text(errno),
                               "bring the loopback interface up: ip link set lo up"));
    return;
  }
  ring.arm_accept(listener.fd, {.kind = OpKind::kAccept, .generation = 0, .slot = 0});
  ring.submit();
  (void)::connect(client.fd, generic, length);
  const auto accepted = next_of(ring, OpKind::kAccept);
  const bool accepts = accepted && accepted->result >= 0 && accepted->more;
  findings.push_back(
      accepts
          ? ok("multishot accept", "works")
          : refused("multishot accept", true, accepted ? std::abs(accepted->result) : ETIME,
                    accepted ? errno_text(std::abs(accepted->result)) : "no completion", kUpgrade));
  if (!accepted || accepted->result < 0) return;

  const bool adopted = ring.adopt(0, accepted->result);
  findings.push_back(
      adopted ? ok("direct descriptors", "works")
              : refused("direct descriptors", true, 0, "the table refused a socket", kUpgrade));
  if (!adopted) return;

  ring.arm_recv(0, {.kind = OpKind::kRecv, .generation = 0, .slot = 0});
  ring.submit();
  (void)!::send(client.fd, "hello", 5, MSG_NOSIGNAL);
  std::string text;
  const auto received = next_of(ring, OpKind::kRecv, &text);
  const bool receives = received && received->more && text == "hello";
  findings.push_back(
      receives
          ? ok("multishot recv", "works, with a buffer ring")
          : refused("multishot recv", true, received ? std::abs(received->result) : ETIME,
                    received ? "ended with " + std::to_string(received->result) : "no completion",
                    kUpgrade));
}

void probe_wake(Ring& from, Ring& to, std::vector<Finding>& findings) {
  from.wake(to.fd(), 0);
  from.submit();
  const auto woken = next_of(to, OpKind::kWake);
  findings.push_back(woken ? ok("msg_ring", "wakes another ring")
                           : refused("msg_ring", true, ETIME, "no wake arrived", kUpgrade));
}

void probe_limits(const ProbeOptions& options, std::vector<Finding>& findings) {
  rlimit limit{};
  const std::uint64_t need = locked_bytes(options) * options.shards + kSmallRingBytes;
  const bool unbounded =
      (std::strtoull(process_status("CapEff").c_str(), nullptr, 16) & kCapIpcLock) != 0;
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    const std::string detail =
        "limit " + limit_text(limit.rlim_cur) + ", need " + std::to_string(need) + " bytes for " +
        std::to_string(options.shards) + " shard(s)" + (unbounded ? "; CAP_IPC_LOCK lifts it" : "");
    const bool enough = unbounded || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= need;
    findings.push_back(
        enough ? ok("memlock", detail)
               : refused("memlock", true, ENOMEM, detail,
                         "LimitMEMLOCK=64M (systemd), --ulimit memlock=67108864 (docker)"));
  }
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    const std::string detail = "hard limit " + limit_text(limit.rlim_max) + ", wanted " +
                               std::to_string(options.direct_slots) + " connections per shard";
    findings.push_back(
        limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= options.direct_slots
            ? ok("RLIMIT_NOFILE", detail, false)
            : refused("RLIMIT_NOFILE", false, EMFILE, detail + ": tables are cut to the limit",
                      "LimitNOFILE=" + std::to_string(options.direct_slots) +
                          " (systemd), --ulimit nofile=" + std::to_string(options.direct_slots) +
                          " (docker)"));
  }
  const std::string files = read_line("/proc/sys/fs/file-max");
  const std::uint64_t wanted = std::uint64_t{options.direct_slots} * options.shards;
  if (!files.empty()) {
    const std::string detail =
        "fs.file-max " + files + ", wanted " + std::to_string(wanted) + " sockets";
    findings.push_back(std::strtoull(files.c_str(), nullptr, 10) >= wanted
                           ? ok("file-max", detail, false)
                           : refused("file-max", false, ENFILE, detail,
                                     "sysctl -w fs.file-max=" + std::to_string(wanted * 2)));
  }
}

}  // namespace

std::string_view status_name(Finding::Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kDegraded:
      return "degraded";
    case Status::kMissing:
      return "missing";
  }
  return "unknown";
}

SystemError explain_ring_refusal(std::string_view operation, int code) {
  SystemError error{.operation = std::string(operation), .subject = {}, .code = code, .hint = {}};
  switch (code) {
    case EPERM:
    case EACCES: {
      const std::string disabled = read_line("/proc/sys/kernel/io_uring_disabled");
      if (disabled == "1" || disabled == "2") {
        error.subject = "kernel.io_uring_disabled=" + disabled;
        const std::string group = read_line("/proc/sys/kernel/io_uring_group");
        error.hint = "sysctl -w kernel.io_uring_disabled=0";
        if (disabled == "1") {
          error.hint += ", or put the user into the group of kernel.io_uring_group (now " +
                        (group.empty() ? std::string("unset") : group) + ")";
        }
      } else {
        error.subject = "seccomp mode " + process_status("Seccomp");
        error.hint =
            "allow io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp "
            "profile "
            "(docker: --security-opt seccomp=FILE; kubernetes: a Localhost profile)";
      }
      break;
    }
    case ENOSYS:
      error.subject = "kernel " + kernel_release();
      error.hint =
          "run on a kernel with io_uring (6.1 or later); sandboxes such as gVisor have none";
      break;
    case EINVAL:
      error.subject = "kernel " + kernel_release();
      error.hint = kUpgrade;
      break;
    case ENOMEM: {
      rlimit limit{};
      (void)::getrlimit(RLIMIT_MEMLOCK, &limit);
      error.subject = "memlock limit " + limit_text(limit.rlim_cur) + ", a shard needs " +
                      std::to_string(locked_bytes(ProbeOptions{})) + " bytes";
      error.hint =
          "LimitMEMLOCK=64M (systemd), --ulimit memlock=67108864 (docker), or fewer shards";
      break;
    }
    case EMFILE:
    case ENFILE: {
      rlimit limit{};
      (void)::getrlimit(RLIMIT_NOFILE, &limit);
      error.subject = "descriptor limit " + limit_text(limit.rlim_cur);
      error.hint =
          "LimitNOFILE= (systemd), --ulimit nofile= (docker), or a smaller table of connections";
      break;
    }
    default:
      break;
  }
  return error;
}

std::vector<Finding> probe_features(const ProbeOptions& options) {
  std::vector<Finding> findings;
  findings.push_back(ok("kernel", kernel_release(), false));
  const auto give_up = [&findings](const SystemError& error) {
    findings.push_back(refused("io_uring", true, error.code,
                               error.operation + ": " + errno_text(error.code) +
                                   (error.subject.empty() ? "" : "; " + error.subject),
                               error.hint));
  };
  {
    TrialRing trial(options);
    if (trial.code() != 0) {
      give_up(explain_ring_refusal("io_uring_setup", trial.code()));
      probe_limits(options, findings);
      return findings;
    }
    ::io_uring_prep_nop(trial.entry());
    if (const int result = trial.result(); result < 0) {
      give_up(explain_ring_refusal("io_uring_enter", -result));
      return findings;
    }
    findings.push_back(ok("io_uring", "single issuer, deferred task run, submit all"));
    probe_operations(trial, findings);
    probe_feature_bits(trial.features(), findings);
    probe_send_vectorized(trial, findings);
  }
  const Ring::Options small{.sq_entries = 16,
                            .cq_entries = 64,
                            .direct_slots = 8,
                            .recv_buffers = 8,
                            .recv_buffer_bytes = 512};
  auto first = Ring::create(small);
  auto second = Ring::create(small);
  const bool made = first.ok() && second.ok();
  if (made)
    findings.push_back(
        ok("ring restrictions", std::to_string(allowed_operations()) +
                                    " operations, those in use; all others are refused"));
  findings.push_back(made ? ok("buffer ring", "provided buffers, file table")
                          : refused("buffer ring", true, (first.ok() ? second : first).error().code,
                                    (first.ok() ? second : first).error().text(),
                                    (first.ok() ? second : first).error().hint));
  if (made && (*first)->enable().ok() && (*second)->enable().ok()) {
    probe_sockets(**first, findings);
    probe_wake(**first, **second, findings);
  }
  probe_limits(options, findings);
  return findings;
}

Result<void, SystemError> require_features(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    if (!finding.fatal()) continue;
    // Said once: details that quote a refused call already have its errno.
    const bool quoted = finding.detail.find("(errno ") != std::string::npos;
    return Err{SystemError{.operation = finding.name,
                           .subject = finding.detail,
                           .code = quoted ? 0 : finding.code,
                           .hint = finding.remedy}};
  }
  return {};
}

}  // namespace uproar::runtime
