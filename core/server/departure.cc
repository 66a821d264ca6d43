#include "core/server/departure.h"

#include <algorithm>

#include "core/server/limits.h"
#include "core/server/log.h"

namespace uproar::server {

Departure::Departure(const std::vector<std::unique_ptr<Shard>>& shards, const Order& order,
                     std::int64_t now_ms)
    : shards_(shards), has_others_(order.has_others), until_ms_(now_ms + order.drain_ms_max) {
  for (const auto& shard : shards_) shard->begin_drain(order.closes_per_second, order.spread_ms);
}

Departure::Step Departure::look(std::int64_t now_ms) {
  const bool is_late = now_ms >= until_ms_;
  switch (step_) {
    case Step::kDraining:
      // What was drained is looked at once more, by then it has met the parcels that others had sent it.
      if (all_are_drained())
        return begin(has_others_ ? Step::kTelling : Step::kOver, now_ms + kLeaveWaitMs);
      return is_late ? begin(Step::kOver, now_ms) : step_;
    case Step::kTelling:
      if (all_are_drained() && all_is_told()) {
        shards_[kWatchingShard]->begin_leave();
        return begin(Step::kLeaving, now_ms + kLeaveWaitMs);
      }
      if (!is_late) return step_;
      log(LogLevel::kWarn,
          "the other nodes could not be told everything: this one ends without leaving them, so "
          "that they look for it in the store when its lease has run out");
      return begin(Step::kOver, now_ms);
    case Step::kLeaving:
      if (shards_[kWatchingShard]->has_left() || is_late) return begin(Step::kOver, now_ms);
      return step_;
    case Step::kOver:
      break;
  }
  return step_;
}

bool Departure::all_are_drained() const {
  return std::all_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->drained(); });
}

bool Departure::all_is_told() const {
  return std::all_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->has_told_all(); });
}

Departure::Step Departure::begin(Step step, std::int64_t until_ms) {
  until_ms_ = until_ms;
  return step_ = step;
}

}  // namespace uproar::server
