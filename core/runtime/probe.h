#pragma once

// What the kernel and its limits allow, found by trying, not by comparing releases; for `uproar
// doctor`, the start-up line, and the refusal to start. There is no silent fallback.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/limits.h"
#include "proto/base/result.h"

namespace uproar::runtime {

struct Finding {
  enum class Status : std::uint8_t {
    kOk,
    kDegraded,  // works, but less well or with less room than asked for
    kMissing,   // absent; fatal if required
  };
  std::string name;  // "io_uring", "multishot recv", "RLIMIT_NOFILE"
  Status status = Status::kOk;
  bool required = false;
  int code = 0;        // errno of the refused call, or 0
  std::string detail;  // what was found, one line
  std::string remedy;  // the command or setting that mends it; empty if nothing needs mending

  [[nodiscard]] bool fatal() const { return required && status == Status::kMissing; }
};
[[nodiscard]] std::string_view status_name(Finding::Status status);  // "ok", "degraded", "missing"

struct ProbeOptions {
  std::uint32_t shards = 1;
  std::uint32_t sq_entries = kSqEntries;
  std::uint32_t cq_entries = kCqEntries;
  std::uint32_t direct_slots = kDirectSlots;
};

// Tries everything: a ring with our flags, each operation, a multishot accept and recv over a
// loopback connection. Takes some milliseconds, leaves nothing behind. If no ring can be made, only
// the findings about that follow.
[[nodiscard]] std::vector<Finding> probe_features(const ProbeOptions& options);

// The first fatal finding as an error, with its remedy as hint.
[[nodiscard]] Result<void, SystemError> require_features(const std::vector<Finding>& findings);

// Why io_uring_setup or a registration said `code`, with sysctl, seccomp and memlock looked up.
[[nodiscard]] SystemError explain_ring_refusal(std::string_view operation, int code);

}  // namespace uproar::runtime
