#pragma once

// The user role: at owner_of(user), which devices of a user are connected, anywhere on the node, and whether others see
// them online (docs/contract.md, D8). Online with the first device; offline at once when the last one says goodbye or
// misses its heartbeats; after an unclean end only when no device comes back within a grace of 10 s (never beyond 120 s
// after the last heartbeat), so that a reconnect does not flicker. Changes are published once per tick and user.

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "core/chat/shard_context.h"

namespace uproar::chat {

class UserRole {
 public:
  explicit UserRole(ShardContext& context) : context_(context) {}

  void on(const SessionStart& start);
  void on(const SessionEnd& end);
  void on(UserNotice notice);
  void on(const Revoke& revoke);
  void on(const PresenceQuery& query);

  // --- several nodes ---
  void on_interest(const TopicId& topic);  // after it was noted in the context
  void on_node_event(const TopicId& topic, const ServerEvent& event, ByteView payload);
  void on_node_hint(const TopicId& topic, const NodeHint& hint);
  void on_listening(const TopicId& topic);
  void on_gap();
  void on_publish_lost(const TopicId& topic);

  void grace_ended(UserId user);
  void flush_presence();

  [[nodiscard]] std::size_t size() const { return users_.size(); }

 private:
  struct User {
    absl::InlinedVector<Endpoint, 1> devices;
    std::int64_t last_online_us = 0;      // wall clock of the last device's end
    std::int64_t offline_at_us : 61 = 0;  // in grace when set
    bool online : 1 = false;
    bool dirty : 1 = false;  // in dirty_
    bool timer_armed : 1 = false;
  };
  static_assert(sizeof(User) <= 40, "one for each user who is connected");

  void set_online(UserId id, User& user, bool online);
  void device_came(UserId id);
  void last_device_left(UserId id);
  void listen_as_needed(const TopicId& topic);
  void check_audience(UserId user, ConversationId conversation);  // nil: of all

  ShardContext& context_;
  absl::flat_hash_map<UserId, std::unique_ptr<User>> users_;
  std::vector<UserId> dirty_;  // in order of their change
  // With several nodes. Of the users with a device here: other nodes name topics.
  absl::flat_hash_map<TopicId, UserId> user_of_topic_;
  absl::flat_hash_set<TopicId> listening_;  // with a device or a watcher here
};

}  // namespace uproar::chat
