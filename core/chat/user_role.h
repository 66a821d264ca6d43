#pragma once

// The user role: at owner_of(user), which devices of a user are connected, anywhere on the node, and whether others see
// them online (docs/contract.md, D8). Online with the first device; offline at once when the last one says goodbye or
// misses its heartbeats; after an unclean end only when no device comes back within a grace of 10 s (never beyond 120 s
// after the last heartbeat), so that a reconnect does not flicker. Changes are published once per tick and user.
//
// With several nodes each node does so for its own devices, tells the others, and what its hearers are shown is both
// together (presence_watch.h).

#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "core/chat/presence_watch.h"
#include "core/chat/shard_context.h"

namespace uproar::chat {

class UserRole {
 public:
  explicit UserRole(ShardContext& context);

  void on(const SessionStart& start, bool owes);
  void on(const SessionEnd& end);
  void on(UserNotice notice);
  void on(const Revoke& revoke);
  void on(const PresenceQuery& query);

  // --- several nodes ---
  void on_interest(
      const Interest& interest);  // in a user's topic, after it was noted in the context
  void on_node_hint(const TopicId& topic, const NodeHint& hint);
  void on_listening(const TopicId& topic);
  void on_gap();
  void on_publish_lost(const TopicId& topic);
  void put_again(UserId user);  // what was said of them may not have arrived
  void retry_presence_read() { elsewhere_->retry_read(); }
  // REQUIRES: the context has a presence port.
  [[nodiscard]] PresenceWatch& elsewhere() { return *elsewhere_; }
  [[nodiscard]] std::size_t watched() const { return elsewhere_ ? elsewhere_->size() : 0; }

  void grace_ended(UserId user);
  void flush_presence();

  [[nodiscard]] std::size_t size() const { return users_.size(); }

 private:
  using Devices = absl::InlinedVector<Endpoint, 1>;
  struct User {
    Devices devices;
    std::int64_t last_online_us = 0;      // wall clock of the last device's end
    std::int64_t offline_at_us : 59 = 0;  // in grace when set
    bool online : 1 = false;              // as far as this node goes
    bool dirty : 1 = false;               // in dirty_
    bool timer_armed : 1 = false;
    bool is_news : 1 = false;  // who hears here is to be told
    bool was_put : 1 = false;  // the other nodes think that they are online here
  };
  static_assert(sizeof(User) <= 40, "one for each user who is connected");

  void review_presence(UserId user, const Devices& devices);
  void set_online(UserId id, User& user, bool online);
  void elsewhere_changed(UserId id);
  void make_dirty(UserId id, User& user);
  void flush_later(UserId id);
  void flush(UserId id);
  void put(UserId id, User& user);
  [[nodiscard]] bool is_online_here(UserId id) const;
  // As those who hear here see them. `rows`: of somebody who is not watched, what was read for this answer.
  [[nodiscard]] PresenceState state_of(UserId id, const storage::UserPresence* rows, bool was_read);
  void answer(const PresenceQuery& query, const std::vector<UserId>& looked_up,
              const std::vector<storage::UserPresence>* rows);
  void device_came(UserId id);
  void last_device_left(UserId id);
  void check_audience(UserId user, ConversationId conversation);  // nil: of all

  ShardContext& context_;
  absl::flat_hash_map<UserId, std::unique_ptr<User>> users_;
  std::vector<UserId> dirty_;  // in order of their change
  // With several nodes. Of the users with a device here: other nodes name topics.
  absl::flat_hash_map<TopicId, UserId> user_of_topic_;
  std::optional<PresenceWatch> elsewhere_;
  std::int64_t said_us_ = 0;  // heard_us of the last put
};

}  // namespace uproar::chat
