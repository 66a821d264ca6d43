// Hot path: per message, on the writer's thread. An appended message costs three statements (the member's marks, the
// row, the marks again) and its share of one update of the conversation.
#include "storage/sqlite/operations.h"

#include <algorithm>
#include <cstring>

namespace uproar::storage::sqlite {
namespace {

std::string_view as_view(const BodyFingerprint& fingerprint) {
  return {reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()};
}

std::string packed(const std::vector<UserId>& users) {
  std::string out(users.size() * Uuid::kBinaryBytes, '\0');
  for (std::size_t i = 0; i < users.size(); ++i)
    users[i].uuid().write_bytes(out.data() + i * Uuid::kBinaryBytes);
  return out;
}

#define TARGET_COLUMNS \
  "SELECT seq, version, id, user_id, deleted_at FROM messages WHERE conversation_id=?1 "

}  // namespace

Operations::Operations(Database& db)
    : database_(db),
      judge_(*this),
      receipts_(db),
      jobs_(db),
      find_conversation_(
          db,
          "SELECT kind, last_seq, last_no, last_message_seq, last_message_at, created_at,"
          " member_count, owner_count FROM conversations WHERE id=?1"),
      insert_conversation_(
          db,
          "INSERT INTO conversations(id, kind, name, last_seq, last_no, last_message_seq,"
          " last_message_at, member_count, created_at) VALUES(?1,?2,?3,0,0,0,?4,0,?4)"),
      update_conversation_(db,
                           "UPDATE conversations SET name=coalesce(?2, name), last_seq=?3, "
                           "last_no=?4, last_message_seq=?5,"
                           " last_message_at=?6, member_count=?7, owner_count=?8 WHERE id=?1"),
      find_member_(
          db,
          "SELECT role, joined_seq, delivered_seq, read_seq, read_no FROM users_conversations"
          " WHERE conversation_id=?1 AND user_id=?2"),
      insert_member_(
          db,
          "INSERT INTO users_conversations(conversation_id, user_id, role, joined_seq, "
          "delivered_seq,"
          " read_seq, read_no, muted_until) VALUES(?1,?2,?3,?4,?4,?4,?5,0) ON CONFLICT DO NOTHING"),
      delete_member_(db, "DELETE FROM users_conversations WHERE conversation_id=?1 AND user_id=?2"),
      set_role_(db,
                "UPDATE users_conversations SET role=?3 WHERE conversation_id=?1 AND user_id=?2"),
      set_marks_(db,
                 "UPDATE users_conversations SET delivered_seq=?3, read_seq=?4, read_no=?5"
                 " WHERE conversation_id=?1 AND user_id=?2"),
      set_mute_(
          db,
          "UPDATE users_conversations SET muted_until=?3 WHERE conversation_id=?1 AND user_id=?2"),
      find_user_(db, "SELECT 1 FROM users WHERE id=?1"),
      find_by_client_id_(db,
                         "SELECT seq, no, id, sent_at, body_digest FROM messages"
                         " WHERE conversation_id=?1 AND user_id=?2 AND client_id=?3"),
      find_by_seq_(db, TARGET_COLUMNS "AND seq=?2 AND system=0"),
      find_by_id_(db, TARGET_COLUMNS "AND id=?2 AND system=0"),
      insert_message_(
          db,
          "INSERT INTO messages(conversation_id, seq, no, version, id, user_id, client_id, "
          "body_digest,"
          " type, content, attachments, reply_to, mentions, sent_at)"
          " VALUES(?1,?2,?3,?2,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13) ON CONFLICT DO NOTHING"),
      insert_system_row_(db,
                         "INSERT INTO messages(conversation_id, seq, no, version, user_id, type, "
                         "content, attachments,"
                         " reply_to, sent_at, system, subject, role) "
                         "VALUES(?1,?2,?3,?2,?4,?5,?6,'',0,?7,?8,?9,?10)"),
      insert_event_(db,
                    "INSERT INTO events(conversation_id, seq, kind, actor, message_seq, detail, at)"
                    " VALUES(?1,?2,?3,?4,?5,?6,?7)"),
      edit_message_(db,
                    "UPDATE messages SET version=?3, text_seq=?3, content=?4, edited_at=?5 WHERE "
                    "conversation_id=?1 AND seq=?2"),
      delete_message_(
          db,
          "UPDATE messages SET version=?3, text_seq=?3, content='', attachments='', mentions=NULL,"
          " deleted_at=?4"
          " WHERE conversation_id=?1 AND seq=?2"),
      touch_message_(db, "UPDATE messages SET version=?3 WHERE conversation_id=?1 AND seq=?2"),
      find_reaction_(
          db,
          "SELECT 1 FROM reactions WHERE conversation_id=?1 AND message_seq=?2 AND user_id=?3"
          " AND emoji=?4"),
      count_reactions_(
          db, "SELECT count(*) FROM reactions WHERE conversation_id=?1 AND message_seq=?2"),
      insert_reaction_(db,
                       "INSERT INTO reactions(conversation_id, message_seq, seq, user_id, emoji)"
                       " VALUES(?1,?2,?3,?4,?5)"),
      delete_reaction_(
          db,
          "DELETE FROM reactions WHERE conversation_id=?1 AND message_seq=?2 AND user_id=?3"
          " AND emoji=?4"),
      delete_reactions_(db, "DELETE FROM reactions WHERE conversation_id=?1 AND message_seq=?2"),
      number_at_(db,
                 "SELECT no FROM messages WHERE conversation_id=?1 AND seq<=?2 ORDER BY seq DESC "
                 "LIMIT 1") {}

void Operations::finish() {
  for (const auto& [id, head] : heads_) {
    if (!head.is_changed) continue;
    const auto name = head.is_renamed ? std::optional(head.name) : std::nullopt;
    update_conversation_.run(id, name, head.last_seq, head.last_no, head.last_message_seq,
                             head.last_message_at_us, head.member_count, head.owner_count);
  }
  heads_.clear();
}

// --- what is known -------------------------------------------------------------------------------------------------

BatchRows::Conversation& Operations::conversation(ConversationId id) {
  const auto [found, is_first] = heads_.try_emplace(id);
  Conversation& head = found->second;
  if (!is_first) return head;
  head.id = id;
  Rows rows = find_conversation_.query(id);
  if (!rows.next()) return head;
  head.exists = true;
  head.kind = rows.as<chat::ConversationKind>(0);
  head.last_seq = rows.u64(1);
  head.last_no = rows.u64(2);
  head.last_message_seq = rows.u64(3);
  head.last_message_at_us = rows.i64(4);
  head.created_at_us = rows.i64(5);
  head.member_count = rows.u64(6);
  head.owner_count = rows.u64(7);
  return head;
}

std::optional<BatchRows::Member> Operations::find_member(const Conversation& where, UserId user) {
  Rows rows = find_member_.query(where.id, user);
  if (!rows.next()) return std::nullopt;
  return Member{.role = rows.as<chat::Role>(0),
                .joined_seq = rows.u64(1),
                .delivered_seq = rows.u64(2),
                .read_seq = rows.u64(3),
                .read_no = rows.u64(4)};
}

bool Operations::is_user(UserId user) {
  Rows rows = find_user_.query(user);
  return rows.next();
}

std::optional<BatchRows::Message> Operations::find_message(const Conversation& where,
                                                           const chat::MessageRef& ref) {
  Rows rows =
      ref.seq != 0 ? find_by_seq_.query(where.id, ref.seq) : find_by_id_.query(where.id, ref.id);
  if (!rows.next()) return std::nullopt;
  return Message{.seq = rows.u64(0),
                 .version = rows.u64(1),
                 .id = rows.id<MessageId>(2),
                 .sender = rows.id<UserId>(3),
                 .deleted_at_us = rows.i64(4)};
}

bool Operations::has_reaction(const Conversation& where, const Message& message, UserId user,
                              std::string_view emoji) {
  Rows rows = find_reaction_.query(where.id, message.seq, user, emoji);
  return rows.next();
}

std::uint64_t Operations::count_reactions(const Conversation& where, const Message& message) {
  Rows rows = count_reactions_.query(where.id, message.seq);
  return rows.next() ? rows.u64(0) : 0;
}

std::uint64_t Operations::number_at(const Conversation& where, Seq seq) {
  Rows rows = number_at_.query(where.id, seq);
  return rows.next() ? rows.u64(0) : 0;
}

std::optional<BatchRows::FirstAttempt> Operations::find_first_attempt(const Operation& operation,
                                                                      const AppendMessage& op) {
  if (op.client_id.empty()) return std::nullopt;
  Rows rows = find_by_client_id_.query(operation.conversation, operation.actor, op.client_id);
  if (!rows.next()) return std::nullopt;
  FirstAttempt first{.seq = rows.u64(0),
                     .no = rows.u64(1),
                     .message = rows.id<MessageId>(2),
                     .at_us = rows.i64(3)};
  const std::string_view digest = rows.bytes(4);
  std::memcpy(first.digest.data(), digest.data(), std::min(digest.size(), first.digest.size()));
  return first;
}

// --- new rows ------------------------------------------------------------------------------------------------------

void Operations::insert_conversation(const Conversation& where) {
  insert_conversation_.run(where.id, where.kind, where.name, where.created_at_us);
}

bool Operations::insert_message(Conversation& where, const NewMessage& row) {
  const Operation& operation = row.operation;
  const AppendMessage& op = row.body;
  const std::string mentions = packed(op.mentions);
  insert_message_.run(where.id, row.seq, row.no, op.id, operation.actor, TextOrNull{op.client_id},
                      Blob{as_view(row.digest)}, op.type, op.content, op.attachments, op.reply_to,
                      mentions.empty() ? std::nullopt : std::optional(Blob{mentions}),
                      operation.at_us);
  return !database_.ok() || database_.changes() != 0;
}

void Operations::insert_system_row(const Conversation& where, const NewSystemRow& row) {
  insert_system_row_.run(where.id, row.seq, where.last_no, row.operation.actor,
                         chat::MessageType::kSystem, row.content, row.operation.at_us, row.event,
                         row.subject, row.role);
}

void Operations::insert_event(const NewEvent& row) {
  insert_event_.run(row.operation.conversation, row.seq, row.kind, row.operation.actor,
                    row.message_seq, row.detail, row.operation.at_us);
}

// --- changes -------------------------------------------------------------------------------------------------------

void Operations::set_text(const Conversation& where, const Message& message, Seq seq,
                          std::string_view content, std::int64_t edited_at_us) {
  edit_message_.run(where.id, message.seq, seq, content, edited_at_us);
}

void Operations::delete_message(const Conversation& where, const Message& message, Seq seq,
                                std::int64_t deleted_at_us) {
  delete_message_.run(where.id, message.seq, seq, deleted_at_us);
  delete_reactions_.run(where.id, message.seq);
}

void Operations::insert_reaction(const Conversation& where, const Message& message, Seq seq,
                                 UserId user, std::string_view emoji) {
  insert_reaction_.run(where.id, message.seq, seq, user, emoji);
  touch_message_.run(where.id, message.seq, seq);
}

void Operations::delete_reaction(const Conversation& where, const Message& message, Seq seq,
                                 UserId user, std::string_view emoji) {
  delete_reaction_.run(where.id, message.seq, user, emoji);
  touch_message_.run(where.id, message.seq, seq);
}

bool Operations::insert_member(const Conversation& where, UserId user, const Member& member) {
  insert_member_.run(where.id, user, member.role, member.joined_seq, member.read_no);
  return database_.changes() != 0;
}

void Operations::delete_member(const Conversation& where, UserId user) {
  delete_member_.run(where.id, user);
}

void Operations::set_role(const Conversation& where, UserId user, chat::Role role) {
  set_role_.run(where.id, user, role);
}

bool Operations::set_mute(const Conversation& where, UserId user, std::int64_t until_us) {
  set_mute_.run(where.id, user, until_us);
  return database_.changes() != 0;
}

void Operations::set_marks(const Conversation& where, UserId user, const Member& marks) {
  set_marks_.run(where.id, user, marks.delivered_seq, marks.read_seq, marks.read_no);
}

void Operations::cover(Conversation& where, chat::MarkKind kind, UserId user, Seq from, Seq upto,
                       std::int64_t at_us) {
  receipts_.cover(where.id, kind, user, from, upto, at_us);
}

}  // namespace uproar::storage::sqlite
