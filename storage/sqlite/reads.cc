#include "storage/sqlite/reads.h"

#include <algorithm>
#include <unordered_set>

#include "proto/base/sort_unique.h"
#include "storage/limits.h"
#include "storage/log_page.h"
#include "storage/page_bytes.h"
#include "storage/sqlite/accounts.h"

namespace uproar::storage::sqlite {
namespace {

#define MESSAGE_COLUMNS                                                                            \
  "SELECT seq, no, version, id, user_id, client_id, type, content, attachments, reply_to, "        \
  "mentions, sent_at,"                                                                             \
  " edited_at, deleted_at, delivered_at, seen_at, system, subject, role FROM messages_with_status" \
  " WHERE conversation_id=?1 "
#define VIEW_COLUMNS                                                                          \
  "SELECT c.id, c.kind, c.name, m.role, c.last_seq, c.last_no, m.read_seq, m.delivered_seq, " \
  "m.read_no,"                                                                                \
  " c.member_count, m.muted_until, c.created_at, c.last_message_seq, m.joined_seq"            \
  " FROM users_conversations m JOIN conversations c ON c.id=m.conversation_id WHERE m.user_id=?1 "

std::vector<UserId> unpacked(std::string_view blob) {
  std::vector<UserId> users;
  for (; blob.size() >= Uuid::kBinaryBytes; blob.remove_prefix(Uuid::kBinaryBytes)) {
    users.emplace_back(Uuid::from_bytes(blob.data()));
  }
  return users;
}

}  // namespace

// Several statements see one state of the database between its constructor and its destructor.
class Reads::Snapshot {
 public:
  explicit Snapshot(Database& database) : database_(database) { database_.exec("BEGIN"); }
  ~Snapshot() {
    if (database_.in_transaction())
      sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // The answer, unless the database failed on the way to it.
  template <class T>
  Result<T, StoreError> checked(T value) {
    if (!database_.ok()) return Err{StoreError::kUnavailable};
    return value;
  }
  [[nodiscard]] StoreError missing() const {
    return database_.ok() ? StoreError::kNotFound : StoreError::kUnavailable;
  }

 private:
  Database& database_;
};

Reads::Reads(Database& db)
    : database_(db),
      find_conversation_(
          db,
          "SELECT kind, name, last_seq, last_no, created_at, log_floor FROM conversations"
          " WHERE id=?1"),
      find_members_(
          db,
          "SELECT m.user_id, u.name, m.role, m.joined_seq, m.delivered_seq, m.read_seq, m.read_no"
          " FROM users_conversations m JOIN users u ON u.id=m.user_id WHERE m.conversation_id=?1"
          " ORDER BY m.joined_seq, m.user_id"),
      page_before_(db, MESSAGE_COLUMNS "AND seq<?2 AND seq>?3 ORDER BY seq DESC LIMIT ?4"),
      page_after_(db, MESSAGE_COLUMNS "AND seq>?2 ORDER BY seq LIMIT ?3"),
      page_changed_(db, MESSAGE_COLUMNS "AND version>?2 AND seq>?3 ORDER BY version LIMIT ?4"),
      // read_message() takes them. What later entries say of a message is not looked up.
      log_rows_(db,
                "SELECT seq, no, seq, id, user_id, client_id, type,"
                " CASE WHEN text_seq=0 THEN content ELSE '' END, attachments, reply_to, mentions,"
                " sent_at, 0, 0, 0, 0, system, subject, role, text_seq FROM messages"
                " WHERE conversation_id=?1 AND seq>?2 ORDER BY seq LIMIT ?3"),
      log_events_(db,
                  "SELECT e.seq, e.kind, e.actor, e.message_seq, e.detail, e.at, m.text_seq,"
                  " CASE WHEN m.text_seq=e.seq THEN m.content ELSE '' END"
                  " FROM events e JOIN messages m"
                  " ON m.conversation_id=e.conversation_id AND m.seq=e.message_seq"
                  " WHERE e.conversation_id=?1 AND e.seq>?2 ORDER BY e.seq LIMIT ?3"),
      find_message_(db, MESSAGE_COLUMNS "AND seq=?2"),
      find_reactions_(db,
                      "SELECT emoji, user_id FROM reactions WHERE conversation_id=?1 AND "
                      "message_seq=?2 ORDER BY seq"),
      find_user_by_name_(db, "SELECT " UPROAR_USER_COLUMNS " FROM users WHERE name=?1"),
      find_user_(db, "SELECT " UPROAR_USER_COLUMNS " FROM users WHERE id=?1"),
      // Each of the first ?3 conversations of ?1 is looked at: CROSS JOIN keeps this order.
      find_shared_(db,
                   "SELECT 1 FROM (SELECT conversation_id FROM users_conversations WHERE user_id=?1"
                   " ORDER BY conversation_id LIMIT ?3) x CROSS JOIN users_conversations y"
                   " ON y.conversation_id=x.conversation_id AND y.user_id=?2 LIMIT 1"),
      count_memberships_(
          db, "SELECT count(*) FROM (SELECT 1 FROM users_conversations WHERE user_id=?1 LIMIT ?2)"),
      find_revoked_(db,
                    "SELECT id FROM sessions WHERE revoked_at<>0 AND revoked_at>=?1 ORDER BY "
                    "revoked_at DESC, id DESC"
                    " LIMIT ?2"),
      find_audience_(db,
                     "SELECT c.id, c.last_seq, m.joined_seq, c.kind, c.member_count"
                     " FROM users_conversations m JOIN conversations c ON c.id=m.conversation_id "
                     "WHERE m.user_id=?1"
                     " ORDER BY m.read_seq>m.joined_seq DESC, c.last_message_at DESC, c.id"
                     " LIMIT ?2"),
      find_peers_(
          db, "SELECT user_id FROM users_conversations WHERE conversation_id=?1 ORDER BY user_id"),
      list_views_(db, VIEW_COLUMNS "AND m.conversation_id>?2 ORDER BY m.conversation_id LIMIT ?3"),
      find_view_(db, VIEW_COLUMNS "AND m.conversation_id=?2"),
      unread_views_(db, VIEW_COLUMNS
                    "AND c.last_no>m.read_no ORDER BY c.last_message_at DESC, c.id LIMIT ?2"),
      find_membership_(db,
                       "SELECT 1 FROM users_conversations WHERE conversation_id=?1 AND user_id=?2"),
      // What a client wrote has a client_id, and rows of the system have none.
      find_writer_(db,
                   "SELECT 1 FROM messages WHERE conversation_id=?1 AND user_id=?2 AND "
                   "client_id IS NOT NULL LIMIT 1") {}

Result<ConversationState, StoreError> Reads::load_conversation(ConversationId id) {
  Snapshot snapshot(database_);
  ConversationState state{.id = id};
  {
    Rows rows = find_conversation_.query(id);
    if (!rows.next()) return Err{snapshot.missing()};
    state.kind = rows.as<chat::ConversationKind>(0);
    state.name = rows.text(1);
    state.last_seq = rows.u64(2);
    state.last_no = rows.u64(3);
    state.created_at_us = rows.i64(4);
  }
  Rows rows = find_members_.query(id);
  while (rows.next()) {
    state.members.push_back({.user = rows.id<UserId>(0),
                             .name = {},
                             .role = rows.as<chat::Role>(2),
                             .joined_seq = rows.u64(3),
                             .delivered_seq = rows.u64(4),
                             .read_seq = rows.u64(5),
                             .read_no = rows.u64(6)});
  }
  return snapshot.checked(std::move(state));
}

Result<Seq, StoreError> Reads::read_last_seq(ConversationId id) {
  Snapshot snapshot(database_);
  Rows rows = find_conversation_.query(id);
  if (!rows.next()) return Err{snapshot.missing()};
  return snapshot.checked(rows.u64(2));
}

Result<Page, StoreError> Reads::read_page(const PageQuery& query) {
  Snapshot snapshot(database_);
  using Order = PageQuery::Order;
  Seq last_seq = 0;
  {
    Rows rows = find_conversation_.query(query.conversation);
    if (!rows.next()) return Err{snapshot.missing()};
    last_seq = rows.u64(2);
  }
  const std::size_t limit = std::clamp<std::uint32_t>(query.limit, 1, kPageRowsMax);
  // Versions are never below seqs, so rows above the floor have versions above it, too: start there, or a newcomer
  // with an old cursor would read the whole past only to be shown none of it.
  const Seq bound = std::max(query.bound, query.seq_floor);
  const Seq before = query.bound == 0 ? last_seq + 1 : query.bound;
  Page page;
  {
    Rows rows = query.order == Order::kBefore
                    ? page_before_.query(query.conversation, std::min(before, last_seq + 1),
                                         query.seq_floor, limit + 1)
                : query.order == Order::kAfter
                    ? page_after_.query(query.conversation, std::min(bound, last_seq), limit + 1)
                    : page_changed_.query(query.conversation, std::min(bound, last_seq),
                                          query.seq_floor, limit + 1);
    PageBytes bytes(query.bytes_max);
    while (rows.next()) {
      if (page.messages.size() == limit) {
        page.has_more = true;
        break;
      }
      chat::Message message = read_message(rows, query.conversation);
      fill_reactions(message);
      if (!bytes.take(message)) {
        page.has_more = true;
        break;
      }
      page.messages.push_back(std::move(message));
    }
  }
  if (query.order == Order::kBefore) std::reverse(page.messages.begin(), page.messages.end());
  if (query.order == Order::kChangedAfter)
    page.upto_seq = page.has_more ? page.messages.back().version : last_seq;
  return snapshot.checked(std::move(page));
}

// Two runs that are sorted, of which the lower seq is always next.
Result<LogPage, StoreError> Reads::read_log(const LogQuery& query) {
  Snapshot snapshot(database_);
  Seq last_seq = 0;
  Seq floor = 0;
  {
    Rows rows = find_conversation_.query(query.conversation);
    if (!rows.next()) return Err{snapshot.missing()};
    last_seq = rows.u64(2);
    floor = rows.u64(5);
  }
  LogPageBuilder page(query);
  const Seq after = std::min(std::max(query.after, floor), last_seq);
  Rows rows = log_rows_.query(query.conversation, after, page.limit() + 1);
  Rows events = log_events_.query(query.conversation, after, page.limit() + 1);
  bool has_row = rows.next();
  bool has_event = events.next();
  bool has_room = true;
  while (has_room && (has_row || has_event)) {
    if (has_row && (!has_event || rows.u64(0) < events.u64(0))) {
      const bool is_superseded = rows.u64(19) != 0;
      has_room = page.take({.seq = rows.u64(0),
                            .is_superseded = is_superseded,
                            .what = read_message(rows, query.conversation)});
      has_row = rows.next();
    } else {
      const auto kind = events.as<EventKind>(1);
      has_room =
          page.take({.seq = events.u64(0),
                     .is_superseded = kind == EventKind::kEdit && events.u64(6) != events.u64(0),
                     .what = LoggedEvent{.kind = kind,
                                         .actor = events.id<UserId>(2),
                                         .message_seq = events.u64(3),
                                         .emoji = events.text(4),
                                         .content = events.text(7),
                                         .at_us = events.i64(5)}});
      has_event = events.next();
    }
  }
  return snapshot.checked(std::move(page).finish(floor, last_seq));
}

chat::Message Reads::read_message(const Rows& rows, ConversationId conversation) {
  chat::Message message;
  message.conversation = conversation;
  message.seq = rows.u64(0);
  message.version = rows.u64(2);
  message.id = rows.id<MessageId>(3);
  message.sender = rows.id<UserId>(4);
  message.client_id = rows.text(5);
  message.type = rows.as<chat::MessageType>(6);
  message.content = rows.text(7);
  message.attachments = rows.text(8);
  message.reply_to = rows.u64(9);
  message.mentions = unpacked(rows.bytes(10));
  message.sent_at_us = rows.i64(11);
  message.edited_at_us = rows.i64(12);
  message.deleted_at_us = rows.i64(13);
  message.delivered_at_us = rows.i64(14);
  message.seen_at_us = rows.i64(15);
  message.system = rows.as<chat::SystemEvent>(16);
  message.subject = rows.id<UserId>(17);
  message.role = rows.as<chat::Role>(18);
  if (message.system == chat::SystemEvent::kNone) message.no = rows.u64(1);
  return message;
}

void Reads::fill_reactions(chat::Message& message) {
  // Every reaction moves the version: a message at its first version has none.
  if (message.version == message.seq || message.deleted_at_us != 0) return;
  Rows rows = find_reactions_.query(message.conversation, message.seq);
  while (rows.next())
    message.reactions.push_back({.emoji = rows.text(0), .user = rows.id<UserId>(1)});
}

Result<User, StoreError> Reads::find_user_by_name(const std::string& name) {
  Snapshot snapshot(database_);
  Rows rows = find_user_by_name_.query(name);
  if (!rows.next()) return Err{snapshot.missing()};
  return read_user(rows);
}

Result<std::vector<User>, StoreError> Reads::find_users(const std::vector<UserId>& ids) {
  if (ids.size() > kFindUsersMax) return Err{StoreError::kOverloaded};
  Snapshot snapshot(database_);
  std::vector<User> users;
  for (const UserId& id : ids) {
    Rows rows = find_user_.query(id);
    if (rows.next()) users.push_back(read_user(rows));
  }
  return snapshot.checked(std::move(users));
}

Result<std::vector<UserId>, StoreError> Reads::find_companions(UserId of,
                                                               const std::vector<UserId>& users,
                                                               InDoubt in_doubt) {
  if (users.size() > kFindUsersMax) return Err{StoreError::kOverloaded};
  Snapshot snapshot(database_);
  const bool is_in_few = !is_in_more_than(kCompanionProbesMax, of);
  std::vector<UserId> found;
  for (const UserId user : users) {
    const bool is_found = is_in_few ? find_shared_.query(of, user, kCompanionProbesMax).next()
                                    : find_shared_.query(user, of, kCompanionScanMax).next();
    const bool is_companion = is_found || (!is_in_few && in_doubt == InDoubt::kCompanion &&
                                           is_in_more_than(kCompanionScanMax, user));
    if (is_companion) found.push_back(user);
  }
  sort_unique(found);
  return snapshot.checked(std::move(found));
}

bool Reads::is_in_more_than(std::uint32_t count, UserId user) {
  Rows rows = count_memberships_.query(user, count + 1);
  return rows.next() && rows.u64(0) > count;
}

Result<std::vector<SessionId>, StoreError> Reads::revoked_since(std::int64_t since_us) {
  Snapshot snapshot(database_);
  std::vector<SessionId> revoked;
  {
    Rows rows = find_revoked_.query(since_us, kRevokedReadMax);
    while (rows.next()) revoked.push_back(rows.id<SessionId>(0));
  }
  std::reverse(revoked.begin(), revoked.end());
  return snapshot.checked(std::move(revoked));
}

Result<std::vector<Audience>, StoreError> Reads::load_audiences(const std::vector<UserId>& users,
                                                                const AudienceBounds& bounds) {
  if (users.size() > kAudienceUsersMax) return Err{StoreError::kOverloaded};
  Snapshot snapshot(database_);
  std::vector<Audience> audiences;
  audiences.reserve(users.size());
  for (const UserId user : users) audiences.push_back(audience_of(user, bounds));
  return snapshot.checked(std::move(audiences));
}

Audience Reads::audience_of(UserId user, const AudienceBounds& bounds) {
  Audience audience;
  std::unordered_set<UserId> known{user};
  Rows rows = find_audience_.query(user, bounds.conversations_max);
  while (rows.next()) {
    const auto id = rows.id<ConversationId>(0);
    audience.conversations.push_back(
        {.conversation = id, .last_seq = rows.u64(1), .joined_seq = rows.u64(2)});
    const auto kind = rows.as<chat::ConversationKind>(3);
    const bool is_close =
        kind == chat::ConversationKind::kDirect ||
        (kind == chat::ConversationKind::kGroup && rows.u64(4) <= bounds.small_group_max);
    if (!is_close || audience.peers.size() >= bounds.peers_max) continue;
    Rows peers = find_peers_.query(id);
    while (audience.peers.size() < bounds.peers_max && peers.next()) {
      const auto peer = peers.id<UserId>(0);
      if (known.insert(peer).second) audience.peers.push_back(peer);
    }
  }
  return audience;
}

chat::ConversationView Reads::read_view(const Rows& rows) {
  chat::ConversationView view;
  view.id = rows.id<ConversationId>(0);
  view.kind = rows.as<chat::ConversationKind>(1);
  view.name = rows.text(2);
  view.role = rows.as<chat::Role>(3);
  view.last_seq = rows.u64(4);
  view.last_no = rows.u64(5);
  view.read_seq = rows.u64(6);
  view.delivered_seq = rows.u64(7);
  view.unread = rows.u64(5) - rows.u64(8);
  view.member_count = static_cast<std::uint32_t>(rows.u64(9));
  view.muted_until_us = rows.i64(10);
  view.created_at_us = rows.i64(11);
  view.joined_seq = rows.u64(13);
  return view;
}

void Reads::complete_view(chat::ConversationView& view, Seq last_message_seq, Seq joined_seq,
                          std::uint32_t members_max) {
  if (last_message_seq > joined_seq) {
    Rows rows = find_message_.query(view.id, last_message_seq);
    if (rows.next()) view.last_message = read_message(rows, view.id);
  }
  if (view.last_message) fill_reactions(*view.last_message);
  if (view.member_count > members_max) return;
  Rows rows = find_members_.query(view.id);
  while (rows.next()) {
    view.members.push_back({.user = rows.id<UserId>(0),
                            .name = rows.text(1),
                            .role = rows.as<chat::Role>(2),
                            .joined_seq = rows.u64(3),
                            .delivered_seq = rows.u64(4),
                            .read_seq = rows.u64(5),
                            .read_no = rows.u64(6)});
  }
}

template <class... Values>
std::vector<chat::ConversationView> Reads::read_views(Statement& statement,
                                                      std::uint32_t members_max,
                                                      const Values&... values) {
  std::vector<chat::ConversationView> views;
  Rows rows = statement.query(values...);
  while (rows.next()) {
    views.push_back(read_view(rows));
    complete_view(views.back(), rows.u64(12), rows.u64(13), members_max);
  }
  return views;
}

Result<ConversationList, StoreError> Reads::list_conversations(const ListQuery& query) {
  Snapshot snapshot(database_);
  const std::size_t limit = std::clamp<std::uint32_t>(query.limit, 1, kListRowsMax);
  ConversationList list;
  list.conversations =
      read_views(list_views_, query.members_shown_max, query.user, query.after, limit + 1);
  list.has_more = list.conversations.size() > limit;
  if (list.has_more) list.conversations.pop_back();
  return snapshot.checked(std::move(list));
}

Result<chat::ConversationView, StoreError> Reads::view_conversation(ConversationId id,
                                                                    UserId viewer,
                                                                    std::uint32_t members_max) {
  Snapshot snapshot(database_);
  std::vector<chat::ConversationView> views = read_views(find_view_, members_max, viewer, id);
  if (views.empty()) return Err{snapshot.missing()};
  return snapshot.checked(std::move(views.front()));
}

Result<std::vector<chat::ConversationView>, StoreError> Reads::unread_conversations(
    UserId user, std::uint32_t limit) {
  Snapshot snapshot(database_);
  return snapshot.checked(
      read_views(unread_views_, 0, user, std::clamp<std::uint32_t>(limit, 1, kListRowsMax)));
}

Result<std::vector<ConversationId>, StoreError> Reads::find_memberships(
    UserId user, const std::vector<ConversationId>& ids) {
  if (ids.size() > kLookedUpMax) return Err{StoreError::kOverloaded};
  Snapshot snapshot(database_);
  std::vector<ConversationId> found;
  for (const ConversationId id : ids) {
    Rows rows = find_membership_.query(id, user);
    if (rows.next()) found.push_back(id);
  }
  return snapshot.checked(std::move(found));
}

Result<std::vector<Writer>, StoreError> Reads::find_writers(const std::vector<Writer>& asked) {
  if (asked.size() > kLookedUpMax) return Err{StoreError::kOverloaded};
  Snapshot snapshot(database_);
  std::vector<Writer> found;
  for (const Writer& writer : asked) {
    Rows rows = find_writer_.query(writer.conversation, writer.user);
    if (rows.next()) found.push_back(writer);
  }
  return snapshot.checked(std::move(found));
}

}  // namespace uproar::storage::sqlite
