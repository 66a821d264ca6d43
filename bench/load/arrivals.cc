#include "bench/load/arrivals.h"

namespace uproar::bench {

Arrivals::Arrivals(const std::vector<std::uint32_t>& clients, std::uint32_t under_way_max)
    : under_way_max_(under_way_max) {
  for (const std::uint32_t client : clients) todo_.push_back({.client = client});
}

std::optional<std::uint32_t> Arrivals::next(std::int64_t now_ns) {
  if (todo_.empty() || under_way_.size() >= under_way_max_) return std::nullopt;
  const Todo one = todo_.front();
  todo_.pop_front();
  under_way_[one.client] = {.tries = one.tries + 1, .begun_ns = now_ns};
  begun_.push_back({.client = one.client, .begun_ns = now_ns});
  return one.client;
}

std::optional<std::uint32_t> Arrivals::overdue(std::int64_t now_ns) {
  while (!begun_.empty()) {
    const Begun oldest = begun_.front();
    const auto found = under_way_.find(oldest.client);
    const bool is_under_way =
        found != under_way_.end() && found->second.begun_ns == oldest.begun_ns;
    if (is_under_way && now_ns - oldest.begun_ns < kPatienceNs) return std::nullopt;
    begun_.pop_front();
    if (is_under_way) return oldest.client;
  }
  return std::nullopt;
}

bool Arrivals::failed(std::uint32_t client) {
  const auto found = under_way_.find(client);
  const std::uint32_t tries = found->second.tries;
  under_way_.erase(found);
  if (tries >= kTriesMax) return false;
  todo_.push_back({.client = client, .tries = tries});
  return true;
}

}  // namespace uproar::bench
