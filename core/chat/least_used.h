#pragma once

// Tables of buckets by user: a bucket that is full again says nothing and can be forgotten.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace uproar::chat {

// Forgets all entries of which used(value) is 0; where `max` or more are left, the eighth of them
// that has used least as well, and returns true. `swept_above` becomes the size from which on to
// look again: each look at all of them is paid for by as many that have come since.
template <class Map, class Used>
bool forget_least_used(Map& entries, std::size_t max, std::size_t& swept_above, Used used) {
  absl::erase_if(entries, [&](const auto& entry) { return used(entry.second) == 0; });
  const bool is_full = entries.size() >= max;
  if (is_full) {
    std::vector<std::int64_t> all;
    all.reserve(entries.size());
    for (const auto& [key, value] : entries) all.push_back(used(value));
    const auto eighth = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 8);
    std::nth_element(all.begin(), eighth, all.end());
    absl::erase_if(entries, [&](const auto& entry) { return used(entry.second) <= *eighth; });
  }
  swept_above = std::min(max, 2 * entries.size());
  return is_full;
}

}  // namespace uproar::chat
