#include "core/chat/user_role.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace uproar::chat {

UserRole::UserRole(ShardContext& context) : context_(context) {
  if (context_.presence == nullptr) return;
  elsewhere_.emplace(context_, [this](UserId id) { elsewhere_changed(id); });
}

void UserRole::set_online(UserId id, User& user, bool online) {
  user.online = online;
  if (!online) context_.directory.set_last_online(id, user.last_online_us);
  if (!elsewhere_ || !elsewhere_->is_shown_online(id)) user.is_news = true;
  make_dirty(id, user);
}

void UserRole::make_dirty(UserId id, User& user) {
  if (user.dirty) return;
  user.dirty = true;
  flush_later(id);
}

void UserRole::flush_later(UserId id) {
  if (dirty_.empty()) {
    context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kPresenceTickMs} * 1000,
                           Deadline::Kind::kPresenceFlush, Uuid{});
  }
  dirty_.push_back(id);
}

void UserRole::on(const SessionStart& start, bool owes) {
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
  context_.send(start.session.shard, SessionAdmission{start.session, admitted, owes});
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
  const std::size_t count = std::min(dirty_.size(), kPresenceUpdatesPerTickMax);
  const std::vector<UserId> dirty(dirty_.begin(),
                                  dirty_.begin() + static_cast<std::ptrdiff_t>(count));
  dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<std::ptrdiff_t>(count));
  if (!dirty_.empty()) {
    context_.deadlines.arm(context_.now.monotonic_us + std::int64_t{kPresenceTickMs} * 1000,
                           Deadline::Kind::kPresenceFlush, Uuid{});
  }
  for (const UserId id : dirty) flush(id);
}

void UserRole::flush(UserId id) {
  const auto it = users_.find(id);
  bool is_news = elsewhere_ && elsewhere_->is_marked(id);
  if (is_news) elsewhere_->unmark(id);
  if (it != users_.end()) {
    User& user = *it->second;
    user.dirty = false;
    is_news = is_news || user.is_news;
    user.is_news = false;
    if (elsewhere_ && user.was_put != user.online) put(id, user);
  }
  // Also those who are what they were before: somebody may have asked in between.
  const bool is_heard = context_.nodes == nullptr || context_.is_heard(topic_of(id));
  if (is_news && is_heard) {
    context_.counters.presence_updates.add();
    context_.publish_here(topic_of(id), ServerEvent(PresenceUpdate{state_of(id, nullptr, true)}),
                          Delivery::kPresence);
  }
  if (it != users_.end() && !it->second->online && it->second->devices.empty()) users_.erase(it);
}

void UserRole::on(UserNotice notice) {
  const auto it = users_.find(notice.user);
  // A copy: telling a local session may end it.
  const auto devices = it == users_.end() ? Devices() : it->second->devices;
  if (!notice.change.added) review_presence(notice.user, devices);
  for (const Endpoint& device : devices) {
    if (device == notice.but) continue;
    context_.send(
        context_.owner(notice.change.conversation.id),
        SessionNotice{
            .session = device, .change = notice.change, .is_told = false, .request = nullptr});
  }
}

// Whoever watches them is on a shard that has announced so, or on this one.
void UserRole::review_presence(UserId user, const Devices& devices) {
  if (context_.limits.presence_is_public) return;
  std::uint64_t shards = context_.remote_shards(topic_of(user)) | std::uint64_t{1} << context_.self;
  for (const Endpoint& device : devices) shards |= std::uint64_t{1} << device.shard;
  for (; shards != 0; shards &= shards - 1) {
    const auto shard = static_cast<std::uint32_t>(std::countr_zero(shards));
    PresenceReview review{.user = user, .devices = {}};
    for (const Endpoint& device : devices)
      if (device.shard == shard) review.devices.push_back(device);
    context_.send(shard, std::move(review));
  }
}

void UserRole::on(const Revoke& revoke) {
  const auto it = users_.find(revoke.user);
  if (it == users_.end()) return;
  const auto devices = it->second->devices;
  for (const Endpoint& device : devices)
    context_.send(device.shard, RevokeSession{device, revoke.session});
}

bool UserRole::is_online_here(UserId id) const {
  const auto it = users_.find(id);
  return it != users_.end() && it->second->online;
}

PresenceState UserRole::state_of(UserId id, const storage::UserPresence* rows, bool was_read) {
  PresenceState state{.user = id};
  if (const auto it = users_.find(id); it != users_.end()) {
    state.online = it->second->online;
    state.last_online_us = it->second->last_online_us;
  }
  if (!elsewhere_ || state.online) return state;
  // Of who is watched more is known than one read says.
  state.online = rows != nullptr && !elsewhere_->watches(id) ? elsewhere_->is_online(*rows)
                                                             : elsewhere_->is_online(id);
  state.last_online_us = std::max(state.last_online_us, elsewhere_->last_online_us(id));
  state.uncertain = !elsewhere_->is_certain() || (!was_read && !elsewhere_->knows(id));
  if (state.uncertain) elsewhere_->told_uncertain(id);
  return state;
}

void UserRole::on(const PresenceQuery& query) {
  std::vector<UserId> unknown;
  if (elsewhere_ && elsewhere_->is_certain()) {
    for (const UserId id : query.users) {
      if (!is_online_here(id) && !elsewhere_->knows(id)) unknown.push_back(id);
    }
  }
  if (unknown.empty()) return answer(query, {}, nullptr);
  elsewhere_->look(unknown,
                   [this, query, unknown](const auto* rows) { answer(query, unknown, rows); });
}

// As it stands now, whatever it was when it was asked: updates that went out meanwhile are before the answer.
void UserRole::answer(const PresenceQuery& query, const std::vector<UserId>& looked_up,
                      const std::vector<storage::UserPresence>* rows) {
  PresenceAnswer answer{query.token, {}};
  answer.users.reserve(query.users.size());
  std::size_t next = 0;  // both lists are in the order of the query
  for (const UserId id : query.users) {
    const bool is_looked_up = next < looked_up.size() && looked_up[next] == id;
    const storage::UserPresence* of_user =
        is_looked_up && rows != nullptr && (*rows)[next].is_known ? &(*rows)[next] : nullptr;
    answer.users.push_back(state_of(id, of_user, !is_looked_up || of_user != nullptr));
    if (is_looked_up) ++next;
  }
  context_.send(query.shard, std::move(answer));
}

// --- several nodes -------------------------------------------------------------------------------------------------

void UserRole::device_came(UserId id) {
  if (context_.nodes == nullptr) return;
  if (user_of_topic_.insert_or_assign(topic_of(id), id).second)
    context_.nodes->listen(topic_of(id));
}

void UserRole::last_device_left(UserId id) {
  if (context_.nodes == nullptr) return;
  if (user_of_topic_.erase(topic_of(id)) > 0) context_.nodes->unlisten(topic_of(id));
}

void UserRole::on_interest(const Interest& interest) {
  if (interest.add) {
    elsewhere_->begin(interest.user);
  } else if (!context_.is_heard(interest.topic)) {
    elsewhere_->end(interest.topic);
  }
}

void UserRole::elsewhere_changed(UserId id) {
  const auto it = users_.find(id);
  if (it != users_.end()) {
    if (it->second->online) return;  // here, whatever is elsewhere
    it->second->is_news = true;
    return make_dirty(id, *it->second);
  }
  if (elsewhere_->mark(id)) flush_later(id);
}

// The store and the others hear a time that grows with each word, also when the clock is set back.
void UserRole::put(UserId id, User& user) {
  said_us_ = std::max(said_us_ + 1, context_.now.wall_us);
  user.was_put = user.online;
  const std::uint32_t devices =
      user.online ? std::max<std::uint32_t>(1, static_cast<std::uint32_t>(user.devices.size())) : 0;
  context_.presence->put(id, {.devices = devices, .heard_us = said_us_});
}

void UserRole::put_again(UserId id) {
  if (!elsewhere_) return;
  User nobody;
  const auto it = users_.find(id);
  put(id, it == users_.end() ? nobody : *it->second);
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
  if (elsewhere_) elsewhere_->on_gap();
}

void UserRole::on_publish_lost(const TopicId& topic) {
  context_.nodes->hint(
      topic, {.kind = NodeHint::Kind::kAudience, .seq = 0, .conversation = {}, .session = {}});
}

}  // namespace uproar::chat
