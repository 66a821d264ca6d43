#pragma once

// A store that says which nodes work on it when a test lets it, and nodes with numbers for names.

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/check.h"
#include "storage/node_record.h"
#include "storage/nodes_at_work.h"

namespace uproar::server {

constexpr storage::NodeId node_of(std::uint64_t n) {
  return storage::NodeId(Uuid{.high = 0x0190'0000'0000'7000ULL, .low = n});
}
inline storage::NodeRecord record_of(std::uint64_t n) {
  return {.id = node_of(n), .name = "n" + std::to_string(n), .url = "ws://n"};
}

class HandStore final : public storage::NodesAtWork {
 public:
  void find_nodes_at_work(storage::Done<std::vector<storage::NodeDigest>> done) override {
    asked.push_back(std::move(done));
  }
  // To the oldest question.
  void answer(const std::vector<std::uint64_t>& at_work) {
    std::vector<storage::NodeDigest> digests;
    for (const std::uint64_t n : at_work) digests.push_back(node_digest(node_of(n)));
    take()(std::move(digests));
  }
  void fail() { take()(Err{storage::StoreError::kUnavailable}); }
  storage::Done<std::vector<storage::NodeDigest>> take() {
    UPROAR_CHECK(!asked.empty());
    auto done = std::move(asked.front());
    asked.pop_front();
    return done;
  }

  std::deque<storage::Done<std::vector<storage::NodeDigest>>> asked;
};

}  // namespace uproar::server
