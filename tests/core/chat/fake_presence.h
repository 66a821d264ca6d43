#pragma once

// The presence store of a World's nodes, as the real one behaves (storage/presence_store.h): what is put is written
// later, the last of each user; what is written is told on the bus; what may be lost is put again. Nothing moves by itself.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "storage/presence_store.h"

namespace uproar::chat::testing {

class FakePresence {
 public:
  using Said = std::pair<UserId, storage::PresenceDelta>;

  explicit FakePresence(std::size_t ports) : ports_(ports) {}

  void put(std::size_t port, UserId user, const storage::PresenceDelta& said) {
    ports_[port].rows[user] = said;
    wait(ports_[port], user);
  }
  // The next that is written; the bus is told of it.
  std::optional<Said> write(std::size_t port, const storage::NodeId& node) {
    Port& from = ports_[port];
    if (from.waiting.empty()) return std::nullopt;
    const UserId user = from.waiting.front();
    from.waiting.pop_front();
    const storage::PresenceDelta said = from.rows.at(user);
    if (said.devices == 0) {
      table_[user].erase(node);
      from.rows.erase(user);
    } else {
      table_[user][node] = said;
    }
    return Said(user, said);
  }
  // The service has lost everything, or may have.
  void flush() { table_.clear(); }
  void put_all_again(std::size_t port) {
    for (const auto& [user, said] : ports_[port].rows) wait(ports_[port], user);
  }
  // Whether this one can be read, as when one server of several is away.
  void set_readable(UserId user, bool is_readable) {
    if (is_readable) {
      unreadable_.erase(user);
    } else {
      unreadable_.insert(user);
    }
  }
  // Its process is gone; what it had written stays.
  void forget(std::size_t port) { ports_[port] = Port(); }

  [[nodiscard]] storage::UserPresence read(UserId user,
                                           const std::set<storage::NodeId>& others) const {
    storage::UserPresence found{.user = user, .nodes = {}};
    found.is_known = !unreadable_.contains(user);
    if (!found.is_known) return found;
    const auto rows = table_.find(user);
    if (rows == table_.end()) return found;
    for (const auto& [node, said] : rows->second) {
      if (others.contains(node)) found.nodes.push_back({.node = node, .presence = said});
    }
    return found;
  }
  [[nodiscard]] bool is_waiting(std::size_t port) const { return !ports_[port].waiting.empty(); }

 private:
  struct Port {
    std::map<UserId, storage::PresenceDelta> rows;
    std::deque<UserId> waiting;
  };
  static void wait(Port& port, UserId user) {
    for (const UserId other : port.waiting) {
      if (other == user) return;
    }
    port.waiting.push_back(user);
  }

  std::vector<Port> ports_;
  std::set<UserId> unreadable_;
  std::map<UserId, std::map<storage::NodeId, storage::PresenceDelta>> table_;
};

}  // namespace uproar::chat::testing
