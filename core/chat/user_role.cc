#include "core/chat/user_role.h"

#include <algorithm>
#include <utility>

namespace uproar::chat {

void UserRole::set_online(UserId id, User& user, bool online) {
  user.online = online;
  if (!online) context_.directory.set_last_online(id, user.last_online_us);
  if (user.dirty) return;
  user.dirty = true;
  if (dirty_.empty()) {
    context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kPresenceTickMs} * 1000,
                           Deadline::Kind::kPresenceFlush, Uuid{});
  }
  dirty_.push_back(id);
}

void UserRole::on(const SessionStart& start) {
  auto& slot = users_[start.user];
  if (!slot) slot = std::make_unique<User>();
  User& user = *slot;
  const bool admitted = user.devices.size() < context_.limits.connections_per_user_max;
  if (admitted) {
    user.devices.push_back(start.session);
    if (user.devices.size() == 1) device_came(start.user);
    user.offline_at_us = 0;
    if (!user.online) set_online(start.user, user, true);
  }
  context_.send(start.session.shard, SessionAdmission{start.session, admitted});
}

void UserRole::on(const SessionEnd& end) {
  const auto it = users_.find(end.user);
  if (it == users_.end()) return;
  User& user = *it->second;
  const auto device = std::find(user.devices.begin(), user.devices.end(), end.session);
  if (device == user.devices.end()) return;
  user.devices.erase(device);
  if (!user.devices.empty()) return;
  last_device_left(end.user);
  user.last_online_us = context_.now.wall_us;
  if (end.offline_at_us <= context_.now.monotonic_us) {
    set_online(end.user, user, false);
    return;
  }
  user.offline_at_us = end.offline_at_us;
  if (!user.timer_armed) {
    user.timer_armed = true;
    context_.deadlines.arm(user.offline_at_us, Deadline::Kind::kOffline, end.user.uuid());
  }
}

void UserRole::grace_ended(UserId id) {
  const auto it = users_.find(id);
  if (it == users_.end()) return;
  User& user = *it->second;
  user.timer_armed = false;
  if (!user.devices.empty() || user.offline_at_us == 0 || !user.online) return;
  if (user.offline_at_us > context_.now.monotonic_us) {  // came back and left again meanwhile
    user.timer_armed = true;
    context_.deadlines.arm(user.offline_at_us, Deadline::Kind::kOffline, id.uuid());
    return;
  }
  set_online(id, user, false);
}

void UserRole::flush_presence() {
  // Also those who are what they were before: somebody may have asked in between.
  const std::vector<UserId> dirty = std::exchange(dirty_, {});
  for (const UserId id : dirty) {
    const auto it = users_.find(id);
    UPROAR_CHECK(it != users_.end());
    User& user = *it->second;
    user.dirty = false;
    const PresenceUpdate update{
        {.user = id, .online = user.online, .last_online_us = user.last_online_us}};
    context_.counters.presence_updates.add();
    context_.publish(topic_of(id), ServerEvent(update), Delivery::kPresence, 0, nullptr);
    if (!user.online && user.devices.empty()) users_.erase(it);
  }
}

void UserRole::on(UserNotice notice) {
  const auto it = users_.find(notice.user);
  if (it == users_.end()) return;
  // A copy: telling a local session may end it.
  const auto devices = it->second->devices;
  for (const Endpoint& device : devices) {
    const bool silent = notice.silent && *notice.silent == device;
    context_.send(device.shard, SessionNotice{device, silent, notice.change});
  }
}

void UserRole::on(const Revoke& revoke) {
  const auto it = users_.find(revoke.user);
  if (it == users_.end()) return;
  const auto devices = it->second->devices;
  for (const Endpoint& device : devices)
    context_.send(device.shard, RevokeSession{device, revoke.session});
}

void UserRole::on(const PresenceQuery& query) {
  PresenceAnswer answer{query.token, {}};
  answer.users.reserve(query.users.size());
  for (const UserId id : query.users) {
    PresenceState state{.user = id, .online = false, .last_online_us = 0};
    if (const auto it = users_.find(id); it != users_.end()) {
      state.online = it->second->online;
      state.last_online_us = it->second->last_online_us;
    }
    answer.users.push_back(state);
  }
  context_.send(query.shard, std::move(answer));
}

// --- several nodes -------------------------------------------------------------------------------------------------

void UserRole::device_came(UserId id) {
  if (context_.nodes == nullptr) return;
  user_of_topic_[topic_of(id)] = id;
  listen_as_needed(topic_of(id));
}

void UserRole::last_device_left(UserId id) {
  if (context_.nodes == nullptr) return;
  user_of_topic_.erase(topic_of(id));
  listen_as_needed(topic_of(id));
}

void UserRole::on_interest(const TopicId& topic) {
  listen_as_needed(topic);
}

void UserRole::listen_as_needed(const TopicId& topic) {
  const bool is_needed = user_of_topic_.contains(topic) || context_.is_heard(topic);
  if (is_needed && listening_.insert(topic).second) {
    context_.nodes->listen(topic);
  } else if (!is_needed && listening_.erase(topic) > 0) {
    context_.nodes->unlisten(topic);
  }
}

// Each node tells of its own devices. Whoever has one here is online, whatever another node says.
void UserRole::on_node_event(const TopicId& topic, const ServerEvent& event, ByteView payload) {
  const auto* update = std::get_if<PresenceUpdate>(&event);
  if (update == nullptr || topic_of(update->state.user) != topic) return;
  const auto it = users_.find(update->state.user);
  if (it != users_.end() && it->second->online) return;  // here, whatever is elsewhere
  context_.outbox.relay(topic, context_.remote_shards(topic), payload, Delivery::kPresence);
}

void UserRole::check_audience(UserId user, ConversationId conversation) {
  const auto it = users_.find(user);
  if (it == users_.end()) return;
  const auto devices = it->second->devices;  // a copy: telling a local session may end it
  for (const Endpoint& device : devices)
    context_.send(device.shard, AudienceCheck{device, conversation});
}

void UserRole::on_node_hint(const TopicId& topic, const NodeHint& hint) {
  const auto it = user_of_topic_.find(topic);
  if (it == user_of_topic_.end()) return;
  const UserId user = it->second;
  switch (hint.kind) {
    case NodeHint::Kind::kJoined:
      check_audience(user, hint.conversation);
      return;
    case NodeHint::Kind::kAudience:
      check_audience(user, ConversationId());
      return;
    case NodeHint::Kind::kRevoked:
      on(Revoke{user, hint.session});
      return;
    case NodeHint::Kind::kCommitted:
      return;
  }
}

void UserRole::on_listening(const TopicId& topic) {
  if (const auto it = user_of_topic_.find(topic); it != user_of_topic_.end()) {
    const UserId user = it->second;
    check_audience(user, ConversationId());
  }
}

void UserRole::on_gap() {
  std::vector<UserId> users;
  users.reserve(user_of_topic_.size());
  for (const auto& [topic, user] : user_of_topic_) users.push_back(user);
  std::sort(users.begin(), users.end());  // the map's order is no order
  for (const UserId user : users) check_audience(user, ConversationId());
}

void UserRole::on_publish_lost(const TopicId& topic) {
  context_.nodes->hint(
      topic, {.kind = NodeHint::Kind::kAudience, .seq = 0, .conversation = {}, .session = {}});
}

}  // namespace uproar::chat
