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
    context_.outbox.publish(topic_of(id), context_.remote_shards(topic_of(id)), ServerEvent(update),
                            Delivery::kPresence, nullptr);
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

}  // namespace uproar::chat
