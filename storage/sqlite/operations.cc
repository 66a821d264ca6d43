// Hot path: per message, on the writer's thread. An appended message costs three statements (the member's marks, the
// row, the marks again) and its share of one update of the conversation.
#include "storage/sqlite/operations.h"

#include <algorithm>

#include "proto/base/weakness.h"
#include "storage/body_fingerprint.h"
#include "storage/limits.h"

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
      receipts_(db),
      jobs_(db),
      find_conversation_(
          db,
          "SELECT kind, name, last_seq, last_no, last_message_seq, last_message_at, created_at,"
          " member_count FROM conversations WHERE id=?1"),
      insert_conversation_(
          db,
          "INSERT INTO conversations(id, kind, name, last_seq, last_no, last_message_seq,"
          " last_message_at, member_count, created_at) VALUES(?1,?2,?3,0,0,0,?4,0,?4)"),
      update_conversation_(
          db,
          "UPDATE conversations SET name=?2, last_seq=?3, last_no=?4, last_message_seq=?5,"
          " last_message_at=?6, member_count=?7 WHERE id=?1"),
      find_member_(db,
                   "SELECT delivered_seq, read_seq, read_no, joined_seq FROM users_conversations"
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
          "SELECT seq FROM reactions WHERE conversation_id=?1 AND message_seq=?2 AND user_id=?3"
          " AND emoji=?4"),
      count_reactions_(
          db, "SELECT count(*) FROM reactions WHERE conversation_id=?1 AND message_seq=?2"),
      insert_reaction_(db,
                       "INSERT INTO reactions(conversation_id, message_seq, seq, user_id, emoji)"
                       " VALUES(?1,?2,?3,?4,?5)"),
      delete_reaction_(
          db, "DELETE FROM reactions WHERE conversation_id=?1 AND message_seq=?2 AND seq=?3"),
      delete_reactions_(db, "DELETE FROM reactions WHERE conversation_id=?1 AND message_seq=?2"),
      number_at_(db,
                 "SELECT no FROM messages WHERE conversation_id=?1 AND seq<=?2 ORDER BY seq DESC "
                 "LIMIT 1") {}

Outcome Operations::apply(const Operation& operation) {
  const Outcome out = judge(operation);
  if (out.status == OutcomeStatus::kCommitted && !operation.jobs.empty())
    jobs_.add(operation, out.seq);
  return out;
}

Outcome Operations::judge(const Operation& operation) {
  Outcome out{
      .ticket = operation.ticket, .status = OutcomeStatus::kCommitted, .at_us = operation.at_us};
  Head& head = head_of(operation.conversation);
  if (const auto* op = std::get_if<CreateConversation>(&operation.body)) {
    create(head, operation, *op, out);
    return out;
  }
  if (!head.exists) {
    out.status = OutcomeStatus::kNotFound;
    return out;
  }
  std::visit(
      [&](const auto& op) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(op)>, CreateConversation>)
          judge(head, operation, op, out);
      },
      operation.body);
  return out;
}

void Operations::finish() {
  for (const auto& [id, head] : heads_) {
    if (!head.changed) continue;
    update_conversation_.run(id, head.name, head.last_seq, head.last_no, head.last_message_seq,
                             head.last_message_at_us, head.member_count);
  }
  heads_.clear();
}

Operations::Head& Operations::head_of(ConversationId id) {
  const auto [found, is_new] = heads_.try_emplace(id);
  Head& head = found->second;
  if (!is_new) return head;
  Rows rows = find_conversation_.query(id);
  if (!rows.next()) return head;
  head.exists = true;
  head.kind = rows.as<chat::ConversationKind>(0);
  head.name = rows.text(1);
  head.last_seq = rows.u64(2);
  head.last_no = rows.u64(3);
  head.last_message_seq = rows.u64(4);
  head.last_message_at_us = rows.i64(5);
  head.created_at_us = rows.i64(6);
  head.member_count = rows.i64(7);
  return head;
}

void Operations::create(Head& head, const Operation& operation, const CreateConversation& op,
                        Outcome& out) {
  if (head.exists) {
    out.status = OutcomeStatus::kDuplicate;
    out.at_us = head.created_at_us;
    return;
  }
  for (const NewMember& member : op.members) {
    if (is_user(member.user)) continue;
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  insert_conversation_.run(operation.conversation, op.kind, op.name, operation.at_us);
  head = Head{.exists = true,
              .changed = true,
              .kind = op.kind,
              .name = op.name,
              .last_message_at_us = operation.at_us,
              .created_at_us = operation.at_us};
  for (const NewMember& member : op.members) {
    insert_member_.run(operation.conversation, member.user, member.role, 0, 0);
    head.member_count += database_.changes();
  }
}

void Operations::judge(Head& head, const Operation& operation, const AppendMessage& op,
                       Outcome& out) {
  Marks marks;
  if (op.retry_only || !find_marks(operation.conversation, operation.actor, marks)) {
    if (!find_first_attempt(operation, op, out)) out.status = OutcomeStatus::kForbidden;
    return;
  }
  if (op.reply_to != 0) {
    Rows rows = find_by_seq_.query(operation.conversation, op.reply_to);
    if (!rows.next() || !marks.may_see(op.reply_to)) {
      if (!find_first_attempt(operation, op, out)) out.status = OutcomeStatus::kNotFound;
      return;
    }
  }
  const BodyFingerprint digest = body_fingerprint(op);
  const std::string mentions = packed(op.mentions);
  const Seq seq = head.last_seq + 1;
  const std::uint64_t no = head.last_no + 1;
  // A retry is rare, so the unique index is asked by the insert itself, not by a look-up before it.
  if (mentions.empty()) {
    insert_message_.run(operation.conversation, seq, no, op.id, operation.actor,
                        TextOrNull{op.client_id}, Blob{as_view(digest)}, op.type, op.content,
                        op.attachments, op.reply_to, Null(), operation.at_us);
  } else {
    insert_message_.run(operation.conversation, seq, no, op.id, operation.actor,
                        TextOrNull{op.client_id}, Blob{as_view(digest)}, op.type, op.content,
                        op.attachments, op.reply_to, Blob{mentions}, operation.at_us);
  }
  if (!database_.ok()) return;
  if (database_.changes() == 0) {
    if (!find_first_attempt(operation, op, out))
      out.status = OutcomeStatus::kConflict;  // the message id exists
    return;
  }
  next_seq(head, out);
  out.no = no;
  out.message = op.id;
  head.last_message_seq = seq;
  head.last_message_at_us = std::max(head.last_message_at_us, operation.at_us);
  const bool had_read_all = marks.read_no == head.last_no;
  head.last_no = no;
  if (!had_read_all) {  // sending is reading
    using enum chat::MarkKind;
    receipts_.cover(operation.conversation, kDelivered, operation.actor, marks.delivered_seq, seq,
                    operation.at_us);
    receipts_.cover(operation.conversation, kSeen, operation.actor, marks.read_seq, seq,
                    operation.at_us);
  }
  set_marks_.run(operation.conversation, operation.actor, seq, seq, no);
}

void Operations::judge(Head& head, const Operation& operation, const EditMessage& op,
                       Outcome& out) {
  Target target;
  Marks marks;
  const bool is_member = find_marks(operation.conversation, operation.actor, marks);
  if (!find_target(operation.conversation, op.message, marks, target, out)) return;
  if (target.sender != operation.actor || !is_member) {
    out.status = OutcomeStatus::kForbidden;
  } else if (target.deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
  } else {
    edit_message_.run(operation.conversation, target.seq,
                      append_event(head, operation, EventKind::kEdit, {}, out), op.content,
                      operation.at_us);
  }
}

void Operations::judge(Head& head, const Operation& operation, const DeleteMessage& op,
                       Outcome& out) {
  Target target;
  Marks marks;
  const bool is_member = find_marks(operation.conversation, operation.actor, marks);
  if (!find_target(operation.conversation, op.message, marks, target, out)) return;
  const bool may = target.sender == operation.actor || op.as_moderator;
  if (!may || !is_member) {
    out.status = OutcomeStatus::kForbidden;
  } else if (target.deleted_at_us != 0) {
    out.status = OutcomeStatus::kDuplicate;
    out.seq = target.version;
    out.at_us = target.deleted_at_us;
  } else {
    delete_message_.run(operation.conversation, target.seq,
                        append_event(head, operation, EventKind::kDeletion, {}, out),
                        operation.at_us);
    delete_reactions_.run(operation.conversation, target.seq);
  }
}

void Operations::judge(Head& head, const Operation& operation, const ChangeReaction& op,
                       Outcome& out) {
  Target target;
  Marks marks;
  const bool is_member = find_marks(operation.conversation, operation.actor, marks);
  if (!find_target(operation.conversation, op.message, marks, target, out)) return;
  if (!is_member) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  if (target.deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  Seq stands = 0;
  {
    Rows rows = find_reaction_.query(operation.conversation, target.seq, operation.actor, op.emoji);
    if (rows.next()) stands = rows.u64(0);
  }
  if (op.add == (stands != 0)) {
    out.status = OutcomeStatus::kDuplicate;
    return;
  }
  if (op.add) {
    Rows rows = count_reactions_.query(operation.conversation, target.seq);
    if (rows.next() && rows.u64(0) >= kReactionsPerMessageMax) {
      out.status = OutcomeStatus::kConflict;
      return;
    }
  }
  const EventKind kind = op.add ? EventKind::kReactionAdded : EventKind::kReactionRemoved;
  const Seq seq = append_event(head, operation, kind, op.emoji, out);
  if (op.add) {
    insert_reaction_.run(operation.conversation, target.seq, seq, operation.actor, op.emoji);
  } else {
    delete_reaction_.run(operation.conversation, target.seq, stands);
  }
  touch_message_.run(operation.conversation, target.seq, seq);
}

void Operations::judge(Head& head, const Operation& operation, const AddMember& op, Outcome& out) {
  if (head.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  if (!is_user(op.user)) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  insert_member_.run(operation.conversation, op.user, op.role, head.last_seq, head.last_no);
  if (database_.changes() == 0) {
    out.status = OutcomeStatus::kDuplicate;
    return;
  }
  head.member_count += 1;
  append_system_row(head, operation, out, chat::SystemEvent::kMemberAdded, op.user, op.role, {});
}

void Operations::judge(Head& head, const Operation& operation, const RemoveMember& op,
                       Outcome& out) {
  if (head.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  delete_member_.run(operation.conversation, op.user);
  if (database_.changes() == 0) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  head.member_count -= 1;
  append_system_row(head, operation, out, chat::SystemEvent::kMemberRemoved, op.user,
                    chat::Role::kMember, {});
}

void Operations::judge(Head& head, const Operation& operation, const SetRole& op, Outcome& out) {
  set_role_.run(operation.conversation, op.user, op.role);
  if (database_.changes() == 0) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  append_system_row(head, operation, out, chat::SystemEvent::kRoleChanged, op.user, op.role, {});
}

void Operations::judge(Head& head, const Operation& operation, const Rename& op, Outcome& out) {
  head.name = op.name;
  append_system_row(head, operation, out, chat::SystemEvent::kRenamed, {}, chat::Role::kMember,
                    op.name);
}

void Operations::judge(Head& head, const Operation& operation, const AdvanceMark& op,
                       Outcome& out) {
  Marks marks;
  if (!find_marks(operation.conversation, operation.actor, marks)) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  using enum chat::MarkKind;
  const Seq wanted = std::min(op.seq, head.last_seq);
  Seq& stands = op.kind == kSeen ? marks.read_seq : marks.delivered_seq;
  if (wanted <= stands) {
    out.status = OutcomeStatus::kDuplicate;
  } else {
    if (wanted > marks.delivered_seq) {
      receipts_.cover(operation.conversation, kDelivered, operation.actor, marks.delivered_seq,
                      wanted, operation.at_us);
      marks.delivered_seq = wanted;
    }
    if (op.kind == kSeen) {
      receipts_.cover(operation.conversation, kSeen, operation.actor, marks.read_seq, wanted,
                      operation.at_us);
      marks.read_seq = wanted;
      marks.read_no = std::max(marks.read_no, number_at(operation.conversation, head, wanted));
    }
    set_marks_.run(operation.conversation, operation.actor, marks.delivered_seq, marks.read_seq,
                   marks.read_no);
  }
  out.seq = stands;
  out.no = marks.read_no;
}

void Operations::judge(Head& /*head*/, const Operation& operation, const SetMute& op,
                       Outcome& out) {
  set_mute_.run(operation.conversation, operation.actor, op.until_us);
  if (database_.changes() == 0) out.status = OutcomeStatus::kForbidden;
}

bool Operations::find_marks(ConversationId conversation, UserId user, Marks& marks) {
  Rows rows = find_member_.query(conversation, user);
  if (!rows.next()) return false;
  marks = {.delivered_seq = rows.u64(0),
           .read_seq = rows.u64(1),
           .read_no = rows.u64(2),
           .joined_seq = rows.u64(3)};
  return true;
}

bool Operations::is_user(UserId user) {
  Rows rows = find_user_.query(user);
  return rows.next();
}

bool Operations::Marks::may_see(Seq seq) const {
  return seq > joined_seq || weakened(Weakness::kReactBeforeJoining);
}

bool Operations::find_target(ConversationId conversation, const chat::MessageRef& ref,
                             const Marks& marks, Target& target, Outcome& out) {
  Rows rows = ref.seq != 0 ? find_by_seq_.query(conversation, ref.seq)
                           : find_by_id_.query(conversation, ref.id);
  if (!rows.next() || !marks.may_see(rows.u64(0))) {
    out.status = OutcomeStatus::kNotFound;
    return false;
  }
  target = {.seq = rows.u64(0),
            .version = rows.u64(1),
            .id = rows.id<MessageId>(2),
            .sender = rows.id<UserId>(3),
            .deleted_at_us = rows.i64(4)};
  out.message = target.id;
  out.message_seq = target.seq;
  return true;
}

bool Operations::find_first_attempt(const Operation& operation, const AppendMessage& op,
                                    Outcome& out) {
  if (op.client_id.empty()) return false;
  Rows rows = find_by_client_id_.query(operation.conversation, operation.actor, op.client_id);
  if (!rows.next()) return false;
  const BodyFingerprint digest = body_fingerprint(op);
  out.status =
      rows.bytes(4) == as_view(digest) ? OutcomeStatus::kDuplicate : OutcomeStatus::kKeyReused;
  out.seq = rows.u64(0);
  out.no = rows.u64(1);
  out.message = rows.id<MessageId>(2);
  out.at_us = rows.i64(3);
  return true;
}

Seq Operations::next_seq(Head& head, Outcome& out) {
  head.changed = true;
  out.seq = ++head.last_seq;
  return out.seq;
}

Seq Operations::append_event(Head& head, const Operation& operation, EventKind kind,
                             std::string_view detail, Outcome& out) {
  const Seq seq = next_seq(head, out);
  insert_event_.run(operation.conversation, seq, kind, operation.actor, out.message_seq, detail,
                    operation.at_us);
  return seq;
}

void Operations::append_system_row(Head& head, const Operation& operation, Outcome& out,
                                   chat::SystemEvent event, UserId subject, chat::Role role,
                                   std::string_view content) {
  const Seq seq = next_seq(head, out);
  insert_system_row_.run(operation.conversation, seq, head.last_no, operation.actor,
                         chat::MessageType::kSystem, content, operation.at_us, event, subject,
                         role);
}

std::uint64_t Operations::number_at(ConversationId conversation, const Head& head, Seq seq) {
  if (seq >= head.last_seq) return head.last_no;
  Rows rows = number_at_.query(conversation, seq);
  return rows.next() ? rows.u64(0) : 0;
}

}  // namespace uproar::storage::sqlite
