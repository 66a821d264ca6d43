#pragma once

// Whose turn it is to say something, and when it was due: round the rooms of a traffic, then round their publishers. Hot path: per
// publish. Allocations: 0.

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/load/open_loop.h"
#include "bench/load/scenario.h"

namespace uproar::bench {

class PublishPlan {
 public:
  struct Turn {
    std::uint32_t room = 0;       // numbered over all traffics
    std::uint32_t publisher = 0;  // member of it
    std::int64_t due_ns = 0;
  };

  explicit PublishPlan(const Scenario& scenario);

  // Open loops begin. Before it nothing is due.
  void begin(std::int64_t now_ns);
  // Closed loop: the next of this traffic, due now.
  [[nodiscard]] Turn next(std::uint32_t traffic, std::int64_t now_ns);
  // Open loop: the next whose time has come, at its own time however late it is asked for; to be asked until there is none.
  [[nodiscard]] std::optional<Turn> due(std::uint32_t traffic, std::int64_t now_ns);

  [[nodiscard]] std::uint32_t traffics() const { return static_cast<std::uint32_t>(lanes_.size()); }

 private:
  struct Lane {
    std::uint32_t first_room = 0;
    std::uint32_t rooms = 1;
    std::uint32_t publishers = 1;
    std::uint32_t next_room = 0;
    std::uint32_t next_publisher = 0;
    OpenLoop open_loop = {};
    bool begun = false;
    std::uint64_t sent = 0;  // of the open loop
  };
  std::vector<Lane> lanes_;
};

}  // namespace uproar::bench
