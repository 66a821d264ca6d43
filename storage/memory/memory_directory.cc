#include <algorithm>
#include <utility>

#include "storage/limits.h"
#include "storage/memory/memory_model.h"

namespace uproar::storage {
namespace {

// ASCII only, as in every backend: which letters are the same beyond it depends on the language.
std::string folded(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

}  // namespace

bool MemoryModel::is_name_taken(const std::string& name) const {
  if (name.empty()) return false;
  return std::any_of(users_.begin(), users_.end(),
                     [&](const auto& entry) { return folded(entry.second.name) == folded(name); });
}

Result<UserId, StoreError> MemoryModel::create_user(User user) {
  if (users_.contains(user.id) || is_name_taken(user.name)) return Err{StoreError::kNameTaken};
  const UserId id = user.id;
  users_[id] = std::move(user);
  return id;
}

Result<User, StoreError> MemoryModel::find_user_by_name(const std::string& name) const {
  for (const auto& [id, user] : users_) {
    if (!name.empty() && folded(user.name) == folded(name)) return user;
  }
  return Err{StoreError::kNotFound};
}

Result<std::vector<User>, StoreError> MemoryModel::find_users(
    const std::vector<UserId>& ids) const {
  if (ids.size() > kFindUsersMax) return Err{StoreError::kOverloaded};
  std::vector<User> found;
  for (const UserId& id : ids) {
    if (const auto user = users_.find(id); user != users_.end()) found.push_back(user->second);
  }
  return found;
}

Result<User, StoreError> MemoryModel::ensure_user(UserId id, std::string name, std::int64_t at_us) {
  if (const auto found = users_.find(id); found != users_.end()) return found->second;
  if (is_name_taken(name)) name.clear();
  return users_[id] =
             User{.id = id, .name = std::move(name), .password_hash = {}, .created_at_us = at_us};
}

void MemoryModel::set_last_online(UserId id, std::int64_t at_us) {
  if (const auto found = users_.find(id); found != users_.end()) {
    found->second.last_online_us = std::max(found->second.last_online_us, at_us);
  }
}

Result<SessionId, StoreError> MemoryModel::create_session(SessionRecord session) {
  if (!users_.contains(session.user)) return Err{StoreError::kNotFound};
  std::erase_if(sessions_, [&](const auto& entry) {
    const SessionRecord& old = entry.second.record;
    return old.user == session.user &&
           old.expires_at_us + kExpiredSessionKeptUs <= session.created_at_us;
  });
  const SessionId id = session.id;
  sessions_[id] = Session{.record = std::move(session), .spent_digests = {}};
  return id;
}

Result<Rotation, StoreError> MemoryModel::rotate_session(const std::string& old_digest,
                                                         const std::string& new_digest,
                                                         std::int64_t now_us,
                                                         std::int64_t expires_at_us) {
  using enum Rotation::Outcome;
  for (auto& [id, session] : sessions_) {
    SessionRecord& record = session.record;
    const auto& spent = session.spent_digests;
    if (std::find(spent.begin(), spent.end(), old_digest) != spent.end()) {
      Rotation rotation{.outcome = kJustSpent, .session = {.id = record.id, .user = record.user}};
      const bool is_live = record.revoked_at_us == 0 && record.expires_at_us > now_us;
      if (is_live && spent.back() == old_digest &&
          is_just_swapped(record.expires_at_us, expires_at_us))
        return rotation;
      if (record.revoked_at_us == 0) record.revoked_at_us = now_us;
      rotation.outcome = kStolen;
      rotation.session.revoked_at_us = now_us;
      return rotation;
    }
    if (record.refresh_digest != old_digest) continue;
    if (record.revoked_at_us != 0) return Err{StoreError::kNotFound};
    if (record.expires_at_us <= now_us) return Err{StoreError::kExpired};
    session.spent_digests.push_back(old_digest);
    if (session.spent_digests.size() > kSpentDigestsPerSessionMax) {
      session.spent_digests.erase(session.spent_digests.begin());
    }
    record.refresh_digest = new_digest;
    record.expires_at_us = expires_at_us;
    return Rotation{.outcome = kSwapped, .session = record};
  }
  return Err{StoreError::kNotFound};
}

Result<bool, StoreError> MemoryModel::revoke_session(SessionId id, std::int64_t at_us) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return Err{StoreError::kNotFound};
  if (found->second.record.revoked_at_us != 0) return false;
  found->second.record.revoked_at_us = at_us;
  return true;
}

Result<std::vector<SessionId>, StoreError> MemoryModel::revoked_since(std::int64_t since_us) const {
  std::vector<std::pair<std::int64_t, SessionId>> by_age;
  for (const auto& [id, session] : sessions_) {
    const std::int64_t at_us = session.record.revoked_at_us;
    if (at_us != 0 && at_us >= since_us) by_age.emplace_back(at_us, id);
  }
  std::sort(by_age.begin(), by_age.end());
  const std::size_t skipped = by_age.size() - std::min<std::size_t>(by_age.size(), kRevokedReadMax);
  std::vector<SessionId> revoked;
  for (std::size_t i = skipped; i < by_age.size(); ++i) revoked.push_back(by_age[i].second);
  return revoked;
}

std::vector<const MemoryModel::Conversation*> MemoryModel::most_recently_active(UserId user) const {
  std::vector<const Conversation*> mine;
  for (const auto& [id, conversation] : conversations_) {
    if (conversation.members.contains(user)) mine.push_back(&conversation);
  }
  std::stable_sort(mine.begin(), mine.end(), [](const Conversation* a, const Conversation* b) {
    return a->active_at_us > b->active_at_us;  // equal ones stay in the order of their ids
  });
  return mine;
}

Result<std::vector<UserId>, StoreError> MemoryModel::find_companions(
    UserId of, const std::vector<UserId>& users) const {
  if (users.size() > kFindUsersMax) return Err{StoreError::kOverloaded};
  std::set<UserId> found;
  for (const UserId user : users) {
    for (const auto& [id, conversation] : conversations_) {
      if (conversation.members.contains(of) && conversation.members.contains(user))
        found.insert(user);
    }
  }
  return std::vector<UserId>(found.begin(), found.end());
}

Result<std::vector<Audience>, StoreError> MemoryModel::load_audiences(
    const std::vector<UserId>& users, const AudienceBounds& bounds) const {
  if (users.size() > kAudienceUsersMax) return Err{StoreError::kOverloaded};
  std::vector<Audience> audiences;
  audiences.reserve(users.size());
  for (const UserId user : users) audiences.push_back(audience_of(user, bounds));
  return audiences;
}

Audience MemoryModel::audience_of(UserId user, const AudienceBounds& bounds) const {
  Audience audience;
  std::vector<const Conversation*> mine = most_recently_active(user);
  std::stable_partition(mine.begin(), mine.end(), [&](const Conversation* conversation) {
    const chat::Member& marks = conversation->members.at(user).marks;
    return marks.read_seq > marks.joined_seq;
  });
  for (const Conversation* conversation : mine) {
    if (audience.conversations.size() >= bounds.conversations_max) break;
    audience.conversations.push_back(
        {.conversation = conversation->id,
         .last_seq = conversation->last_seq,
         .joined_seq = conversation->members.at(user).marks.joined_seq});
    using enum chat::ConversationKind;
    const bool is_close =
        conversation->kind == kDirect ||
        (conversation->kind == kGroup && conversation->members.size() <= bounds.small_group_max);
    if (!is_close) continue;
    for (const auto& [peer, member] : conversation->members) {
      auto& peers = audience.peers;
      const bool is_new =
          peer != user && std::find(peers.begin(), peers.end(), peer) == peers.end();
      if (is_new && peers.size() < bounds.peers_max) peers.push_back(peer);
    }
  }
  return audience;
}

chat::ConversationView MemoryModel::view(const Conversation& conversation, UserId viewer,
                                         std::uint32_t members_max) const {
  const Member& me = conversation.members.at(viewer);
  chat::ConversationView view;
  view.id = conversation.id;
  view.kind = conversation.kind;
  view.name = conversation.name;
  view.role = me.marks.role;
  view.last_seq = conversation.last_seq;
  view.last_no = conversation.last_no;
  view.read_seq = me.marks.read_seq;
  view.delivered_seq = me.marks.delivered_seq;
  view.unread = conversation.last_no - me.marks.read_no;
  view.member_count = static_cast<std::uint32_t>(conversation.members.size());
  view.muted_until_us = me.muted_until_us;
  view.created_at_us = conversation.created_at_us;
  view.joined_seq = me.marks.joined_seq;
  for (const auto& [seq, row] : conversation.rows) {
    if (seq > me.marks.joined_seq && row.message.system == chat::SystemEvent::kNone)
      view.last_message = row.message;
  }
  if (conversation.members.size() <= members_max) {
    view.members = load_conversation(conversation.id).value().members;
    for (chat::Member& member : view.members) member.name = users_.at(member.user).name;
  }
  return view;
}

Result<ConversationList, StoreError> MemoryModel::list_conversations(const ListQuery& query) const {
  const std::size_t limit = std::clamp<std::uint32_t>(query.limit, 1, kListRowsMax);
  ConversationList list;
  for (const auto& [id, conversation] : conversations_) {
    if (id <= query.after || !conversation.members.contains(query.user)) continue;
    if (list.conversations.size() == limit) {
      list.has_more = true;
      break;
    }
    list.conversations.push_back(view(conversation, query.user, query.members_shown_max));
  }
  return list;
}

Result<chat::ConversationView, StoreError> MemoryModel::view_conversation(
    ConversationId id, UserId viewer, std::uint32_t members_max) const {
  const auto found = conversations_.find(id);
  if (found == conversations_.end() || !found->second.members.contains(viewer))
    return Err{StoreError::kNotFound};
  return view(found->second, viewer, members_max);
}

Result<std::vector<chat::ConversationView>, StoreError> MemoryModel::unread_conversations(
    UserId user, std::uint32_t limit) const {
  std::vector<chat::ConversationView> unread;
  for (const Conversation* conversation : most_recently_active(user)) {
    if (unread.size() >= std::clamp<std::uint32_t>(limit, 1, kListRowsMax)) break;
    if (conversation->last_no > conversation->members.at(user).marks.read_no) {
      unread.push_back(view(*conversation, user, 0));
    }
  }
  return unread;
}

Result<std::vector<ConversationId>, StoreError> MemoryModel::find_memberships(
    UserId user, const std::vector<ConversationId>& ids) const {
  if (ids.size() > kLookedUpMax) return Err{StoreError::kOverloaded};
  std::vector<ConversationId> found;
  for (const ConversationId id : ids) {
    const auto conversation = conversations_.find(id);
    if (conversation != conversations_.end() && conversation->second.members.contains(user))
      found.push_back(id);
  }
  return found;
}

Result<std::vector<Writer>, StoreError> MemoryModel::find_writers(
    const std::vector<Writer>& asked) const {
  if (asked.size() > kLookedUpMax) return Err{StoreError::kOverloaded};
  std::vector<Writer> found;
  for (const Writer& writer : asked) {
    const auto conversation = conversations_.find(writer.conversation);
    if (conversation == conversations_.end()) continue;
    const auto& rows = conversation->second.rows;
    const bool has_written = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
      const chat::Message& message = row.second.message;
      return message.sender == writer.user && message.system == chat::SystemEvent::kNone;
    });
    if (has_written) found.push_back(writer);
  }
  return found;
}

}  // namespace uproar::storage
