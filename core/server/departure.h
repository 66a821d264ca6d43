#pragma once

// How a node goes for good. It drains: connections are closed, and what they said is committed. It tells the other nodes
// what they have not heard so far. Only then does it leave their list, for nobody looks for what a node that has left may
// have kept to itself: one that could not tell everything ends without leaving, and is taken for dead.
//
// Asked again and again by one thread, which is not a shard's.

#include <cstdint>
#include <memory>
#include <vector>

#include "core/server/shard.h"

namespace uproar::server {

class Departure {
 public:
  struct Order {
    std::uint32_t closes_per_second = 0;  // of each shard; 0: all at once
    std::uint32_t spread_ms = 0;          // over which clients are told to come back
    std::uint32_t drain_ms_max = 0;
    bool has_others = false;  // there is a list to leave
  };
  enum class Step : std::uint8_t {
    kDraining,
    kTelling,  // what the other nodes have not heard
    kLeaving,
    kOver
  };

  // Begins. `shards` outlive it; `now_ms` is of any clock that only grows.
  Departure(const std::vector<std::unique_ptr<Shard>>& shards, const Order& order,
            std::int64_t now_ms);

  // How far it has come.
  Step look(std::int64_t now_ms);

 private:
  [[nodiscard]] bool all_are_drained() const;
  [[nodiscard]] bool all_is_told() const;
  Step begin(Step step, std::int64_t until_ms);

  const std::vector<std::unique_ptr<Shard>>& shards_;
  const bool has_others_;
  Step step_ = Step::kDraining;
  std::int64_t until_ms_;  // no step lasts longer
};

}  // namespace uproar::server
