#pragma once

// Which stored publishes still wait for their acknowledgement, by the number that the server says back.
// Allocations: 0 once there is room for all that are under way.

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/container/flat_hash_map.h>

namespace uproar::bench {

class AckLedger {
 public:
  struct Waiting {
    std::int64_t due_ns = 0;  // of the publish
    std::uint32_t traffic = 0;
  };

  // REQUIRES: `n` was not used before.
  void published(std::uint64_t n, Waiting publish) { waiting_.emplace(n, publish); }
  // `text` begins with the number. The publish that it acknowledges; none and counted as strange() when there is no number, or
  // nothing waits under it.
  std::optional<Waiting> acknowledged(std::string_view text);

  [[nodiscard]] std::uint64_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::uint64_t strange() const { return strange_; }

 private:
  absl::flat_hash_map<std::uint64_t, Waiting> waiting_;
  std::uint64_t strange_ = 0;
};

}  // namespace uproar::bench
