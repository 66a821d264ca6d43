#pragma once

// At owner_of(user), with several nodes: what the other nodes say of the users whom somebody here watches
// (docs/decisions/0029). Each watched user has a channel on the bus and rows in the presence store, one for each node
// that has a device of theirs.
//
// Which word is newer? A node's words carry a time that only grows (PresenceDelta::heard_us), so the larger one is. A row
// that is missing carries none: it counts against what was known before that read began, since a node writes first and
// tells then; what was heard after the read began is newer than the read.
//
// Whose words count? Those of the nodes that are known to live. A node may be known by its words before the list of nodes
// has it, and be dead before the list ever had it: nobody would take back what it said. Words that came too early are in
// the store, which is read when their node is listed.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "core/chat/shard_context.h"

namespace uproar::chat {

class PresenceWatch {
 public:
  // `changed(user)`: whether they are online elsewhere, or how certain that is. REQUIRES: context.presence is set.
  PresenceWatch(ShardContext& context, std::function<void(UserId)> changed);

  // Somebody on this node hears the user's topic / nobody does any more. Of two users with one topic the first is watched.
  void begin(UserId user);
  void end(const TopicId& topic);

  // --- what the other nodes and the bus say ---
  void on_said(const storage::NodeId& node, UserId user, const storage::PresenceDelta& said);
  void on_listening(UserId user);
  void on_gap();  // words may have been lost: everything is read again
  // Every other node that lives. Until the first time all count as alive.
  void on_nodes(std::span<const storage::NodeId> others);
  void on_certain(bool is_certain);
  void retry_read();  // the deadline of those who could not be read

  // --- what is known ---
  [[nodiscard]] bool is_certain() const { return is_certain_; }
  [[nodiscard]] bool watches(UserId user) const { return find(user) != nullptr; }
  // What is said of them here is what a read would say.
  [[nodiscard]] bool knows(UserId user) const;
  [[nodiscard]] bool is_online(UserId user) const;  // somewhere else
  // And who watches has been told so, as certain.
  [[nodiscard]] bool is_shown_online(UserId user) const;
  [[nodiscard]] std::int64_t last_online_us(UserId user) const;
  // Reads what is not known, for an answer. `found(rows)` runs in a later turn; nullptr: the store could not be read.
  // What is watched is known from then on.
  using Found = std::function<void(const std::vector<storage::UserPresence>* rows)>;
  void look(std::vector<UserId> users, Found found);
  // Of rows that look() found.
  [[nodiscard]] bool is_online(const storage::UserPresence& rows) const;

  // Somebody was told that it is not certain: they are told again when it is.
  void told_uncertain(UserId user);
  // A change that was not told so far. mark() is true for the first.
  [[nodiscard]] bool mark(UserId user);
  [[nodiscard]] bool is_marked(UserId user) const;
  void unmark(UserId user);

  [[nodiscard]] std::size_t size() const { return watched_.size(); }

 private:
  struct Row {
    storage::NodeId node;
    std::int64_t heard_us = 0;
    std::uint64_t learned = 0;  // the newest read that had begun by then
    std::uint32_t devices = 0;  // 0: kept, so that an older word is known for one
  };
  struct Watched {
    UserId user;
    absl::InlinedVector<Row, 1> rows;
    std::int64_t left_us = 0;  // when the last of their nodes was found dead
    bool is_listening = false;
    bool is_known = false;
    bool is_waiting = false;  // in to_read_ or unread_
    bool is_marked = false;
    bool was_uncertain = false;  // somebody was told so, or is about to be
    [[nodiscard]] bool is_online() const;
  };

  Watched* find(UserId user);
  [[nodiscard]] const Watched* find(UserId user) const;
  // True: it is newer than what was known.
  static bool learn(Watched& watched, const storage::NodeId& node,
                    const storage::PresenceDelta& said, std::uint64_t learned);
  [[nodiscard]] bool is_live(const storage::NodeId& node) const;
  void wait_for_read(Watched& watched);
  void retry_later(UserId user);
  void read_all();
  void read_next();
  void has_read(std::uint64_t number, const std::vector<UserId>& users,
                const Result<std::vector<storage::UserPresence>, storage::PresenceError>& found);
  void compare(std::uint64_t number, const storage::UserPresence& read);
  [[nodiscard]] std::vector<UserId> users() const;  // in order: the map's order is no order

  ShardContext& context_;
  const std::function<void(UserId)> changed_;
  absl::flat_hash_map<TopicId, Watched> watched_;
  std::deque<UserId> to_read_;
  std::vector<UserId> unread_;  // could not be read: the timer puts them back
  bool is_reading_ = false;
  bool timer_armed_ = false;
  bool is_certain_ = true;
  std::uint64_t reads_ = 0;  // begun
  std::optional<absl::flat_hash_set<storage::NodeId>>
      others_;  // that live; nullopt: nobody has said so far
};

}  // namespace uproar::chat
