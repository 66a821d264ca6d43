#pragma once

// A table of at most so many entries that strangers may fill: for the next one the least recently
// used is forgotten.

#include <cstddef>
#include <cstdint>
#include <list>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace uproar::gateway {

template <class Key, class Value>
class LruTable {
 public:
  explicit LruTable(std::uint32_t entries_max) : entries_max_(entries_max) {}

  // Null without one. What is found counts as used; the pointer stays good until the entry is
  // forgotten.
  [[nodiscard]] Value* find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }
  // Made with the default value if it is missing.
  [[nodiscard]] Value& at(const Key& key) {
    if (Value* const found = find(key)) return *found;
    if (entries_.size() >= entries_max_) {
      places_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, Value{});
    places_.emplace(key, entries_.begin());
    return entries_.front().second;
  }
  void erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    entries_.erase(found->second);
    places_.erase(found);
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;
  const std::uint32_t entries_max_;
  Entries entries_;  // the last used first
  absl::flat_hash_map<Key, typename Entries::iterator> places_;
};

}  // namespace uproar::gateway
