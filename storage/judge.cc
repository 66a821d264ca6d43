// Hot path: per message. Allocations: none beyond those of the rows.
#include "storage/judge.h"

#include <algorithm>

#include "proto/base/weakness.h"
#include "storage/limits.h"

namespace uproar::storage {
namespace {

using enum chat::MarkKind;
using FirstAttempt = BatchRows::FirstAttempt;

void answer_again(const FirstAttempt& first, const BodyFingerprint& digest, Outcome& out) {
  out.status = first.digest == digest ? OutcomeStatus::kDuplicate : OutcomeStatus::kKeyReused;
  out.seq = first.seq;
  out.no = first.no;
  out.message = first.message;
  out.at_us = first.at_us;
}

// Not below none, whatever somebody may have written into the database by hand.
void count_owner_out(BatchRows::Conversation& where) {
  if (where.owner_count > 0) --where.owner_count;
}

}  // namespace

Outcome Judge::apply(const Operation& operation) {
  const Outcome out = judge(operation);
  if (out.status == OutcomeStatus::kCommitted && !operation.jobs.empty())
    rows_.insert_jobs(operation, out.seq);
  return out;
}

Outcome Judge::judge(const Operation& operation) {
  Outcome out{
      .ticket = operation.ticket, .status = OutcomeStatus::kCommitted, .at_us = operation.at_us};
  Conversation& where = rows_.conversation(operation.conversation);
  if (const auto* op = std::get_if<CreateConversation>(&operation.body)) {
    create(where, operation, *op, out);
    return out;
  }
  if (!where.exists) {
    out.status = OutcomeStatus::kNotFound;
    return out;
  }
  std::visit(
      [&](const auto& op) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(op)>, CreateConversation>)
          judge(where, operation, op, out);
      },
      operation.body);
  return out;
}

void Judge::create(Conversation& where, const Operation& operation, const CreateConversation& op,
                   Outcome& out) {
  if (where.exists) {
    out.status = OutcomeStatus::kDuplicate;
    out.at_us = where.created_at_us;
    return;
  }
  for (const NewMember& member : op.members) {
    if (rows_.is_user(member.user)) continue;
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  where.exists = true;
  where.is_new = true;
  where.is_changed = true;
  where.kind = op.kind;
  where.name = op.name;
  where.created_at_us = operation.at_us;
  where.last_message_at_us = operation.at_us;
  rows_.insert_conversation(where);
  for (const NewMember& member : op.members) {  // the first mention of a user counts
    if (!rows_.insert_member(where, member.user, {.role = member.role})) continue;
    where.member_count += 1;
    where.owner_count += member.role == chat::Role::kOwner ? 1 : 0;
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const AppendMessage& op,
                  Outcome& out) {
  const BodyFingerprint digest = body_fingerprint(op);
  if (const auto first = rows_.known_first_attempt(operation, op))
    return answer_again(*first, digest, out);
  std::optional<Member> sender;
  if (!op.retry_only) sender = rows_.find_member(where, operation.actor);
  if (!sender) return refuse(operation, op, digest, OutcomeStatus::kForbidden, out);
  if (op.reply_to != 0 && !find_visible(where, {.seq = op.reply_to, .id = {}}, sender))
    return refuse(operation, op, digest, OutcomeStatus::kNotFound, out);
  const Seq seq = where.last_seq + 1;
  const std::uint64_t no = where.last_no + 1;
  const bool is_new = rows_.insert_message(
      where, {.operation = operation, .body = op, .seq = seq, .no = no, .digest = digest});
  if (!is_new) return refuse(operation, op, digest, OutcomeStatus::kConflict, out);
  next_seq(where, out);
  out.no = no;
  out.message = op.id;
  const bool had_read_all = sender->read_no == where.last_no;
  where.last_no = no;
  where.last_message_seq = seq;
  where.last_message_at_us = std::max(where.last_message_at_us, operation.at_us);
  if (!had_read_all) {  // sending is reading
    rows_.cover(where, kDelivered, operation.actor, sender->delivered_seq, seq, operation.at_us);
    rows_.cover(where, kSeen, operation.actor, sender->read_seq, seq, operation.at_us);
  }
  sender->delivered_seq = seq;
  sender->read_seq = seq;
  sender->read_no = no;
  rows_.set_marks(where, operation.actor, *sender);
}

void Judge::refuse(const Operation& operation, const AppendMessage& op,
                   const BodyFingerprint& digest, OutcomeStatus status, Outcome& out) {
  if (const auto first = rows_.find_first_attempt(operation, op)) {
    answer_again(*first, digest, out);
  } else {
    out.status = status;
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const EditMessage& op,
                  Outcome& out) {
  const Target of = target(where, op.message, operation.actor, out);
  if (!of.message) return;
  if (of.message->sender != operation.actor || !of.actor) {
    out.status = OutcomeStatus::kForbidden;
  } else if (of.message->deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
  } else {
    const Seq seq = append_event(where, operation, *of.message, EventKind::kEdit, {}, out);
    rows_.set_text(where, *of.message, seq, op.content, operation.at_us);
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const DeleteMessage& op,
                  Outcome& out) {
  const Target of = target(where, op.message, operation.actor, out);
  if (!of.message) return;
  const bool may = of.message->sender == operation.actor || op.as_moderator;
  if (!may || !of.actor) {
    out.status = OutcomeStatus::kForbidden;
  } else if (of.message->deleted_at_us != 0) {
    out.status = OutcomeStatus::kDuplicate;
    out.seq = of.message->version;  // nothing changes a deleted message: this is the deletion's
    out.at_us = of.message->deleted_at_us;
  } else {
    const Seq seq = append_event(where, operation, *of.message, EventKind::kDeletion, {}, out);
    rows_.delete_message(where, *of.message, seq, operation.at_us);
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const ChangeReaction& op,
                  Outcome& out) {
  const Target of = target(where, op.message, operation.actor, out);
  if (!of.message) return;
  const Message& message = *of.message;
  if (!of.actor) {
    out.status = OutcomeStatus::kForbidden;
  } else if (message.deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
  } else if (op.add == rows_.has_reaction(where, message, operation.actor, op.emoji)) {
    out.status = OutcomeStatus::kDuplicate;
  } else if (!op.add) {
    const Seq seq =
        append_event(where, operation, message, EventKind::kReactionRemoved, op.emoji, out);
    rows_.delete_reaction(where, message, seq, operation.actor, op.emoji);
  } else if (rows_.count_reactions(where, message) >= kReactionsPerMessageMax) {
    out.status = OutcomeStatus::kConflict;
  } else {
    const Seq seq =
        append_event(where, operation, message, EventKind::kReactionAdded, op.emoji, out);
    rows_.insert_reaction(where, message, seq, operation.actor, op.emoji);
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const AddMember& op,
                  Outcome& out) {
  // The newcomer hears from its own arrival on, and has nothing unread from before.
  const Member newcomer{.role = op.role,
                        .joined_seq = where.last_seq,
                        .delivered_seq = where.last_seq,
                        .read_seq = where.last_seq,
                        .read_no = where.last_no};
  if (where.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
  } else if (!rows_.is_user(op.user)) {
    out.status = OutcomeStatus::kNotFound;
  } else if (!rows_.insert_member(where, op.user, newcomer)) {
    out.status = OutcomeStatus::kDuplicate;
  } else {
    where.member_count += 1;
    where.owner_count += op.role == chat::Role::kOwner ? 1 : 0;
    append_system_row(where, operation, out, chat::SystemEvent::kMemberAdded, op.user, op.role, {});
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const RemoveMember& op,
                  Outcome& out) {
  if (where.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  const std::optional<Member> member = rows_.find_member(where, op.user);
  if (!member) {
    out.status = OutcomeStatus::kNotFound;
  } else if (is_last_owner(where, *member) && where.member_count > 1) {
    out.status = OutcomeStatus::kConflict;
  } else {
    rows_.delete_member(where, op.user);
    where.member_count -= 1;
    if (member->role == chat::Role::kOwner) count_owner_out(where);
    append_system_row(where, operation, out, chat::SystemEvent::kMemberRemoved, op.user,
                      chat::Role::kMember, {});
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const SetRole& op,
                  Outcome& out) {
  const std::optional<Member> member = rows_.find_member(where, op.user);
  if (!member) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  if (is_last_owner(where, *member) && op.role != chat::Role::kOwner) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  rows_.set_role(where, op.user, op.role);
  where.owner_count += op.role == chat::Role::kOwner ? 1 : 0;
  if (member->role == chat::Role::kOwner) count_owner_out(where);
  append_system_row(where, operation, out, chat::SystemEvent::kRoleChanged, op.user, op.role, {});
}

void Judge::judge(Conversation& where, const Operation& operation, const Rename& op, Outcome& out) {
  where.name = op.name;
  where.is_renamed = true;
  append_system_row(where, operation, out, chat::SystemEvent::kRenamed, {}, chat::Role::kMember,
                    op.name);
}

void Judge::judge(Conversation& where, const Operation& operation, const AdvanceMark& op,
                  Outcome& out) {
  std::optional<Member> marks = rows_.find_member(where, operation.actor);
  if (!marks) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  const Seq wanted = std::min(op.seq, where.last_seq);
  const Seq& stands = op.kind == kSeen ? marks->read_seq : marks->delivered_seq;
  if (wanted <= stands) {
    out.status = OutcomeStatus::kDuplicate;
  } else {
    if (wanted > marks->delivered_seq) {
      rows_.cover(where, kDelivered, operation.actor, marks->delivered_seq, wanted,
                  operation.at_us);
      marks->delivered_seq = wanted;
    }
    if (op.kind == kSeen) {
      rows_.cover(where, kSeen, operation.actor, marks->read_seq, wanted, operation.at_us);
      const std::uint64_t number =
          wanted >= where.last_seq ? where.last_no : rows_.number_at(where, wanted);
      marks->read_seq = wanted;
      marks->read_no = std::max(marks->read_no, number);
    }
    rows_.set_marks(where, operation.actor, *marks);
  }
  out.seq = stands;
  out.no = marks->read_no;
}

void Judge::judge(Conversation& where, const Operation& operation, const SetMute& op,
                  Outcome& out) {
  if (!rows_.set_mute(where, operation.actor, op.until_us)) out.status = OutcomeStatus::kForbidden;
}

std::optional<Judge::Message> Judge::find_visible(const Conversation& where,
                                                  const chat::MessageRef& ref,
                                                  const std::optional<Member>& actor) {
  std::optional<Message> message = rows_.find_message(where, ref);
  const bool is_hidden = message && actor && message->seq <= actor->joined_seq;
  if (is_hidden && !weakened(Weakness::kReactBeforeJoining)) return std::nullopt;
  return message;
}

Judge::Target Judge::target(const Conversation& where, const chat::MessageRef& ref, UserId actor,
                            Outcome& out) {
  Target of{.message = {}, .actor = rows_.find_member(where, actor)};
  of.message = find_visible(where, ref, of.actor);
  if (!of.message) {
    out.status = OutcomeStatus::kNotFound;
  } else {
    out.message = of.message->id;
    out.message_seq = of.message->seq;
  }
  return of;
}

Seq Judge::append_event(Conversation& where, const Operation& operation, const Message& message,
                        EventKind kind, std::string_view detail, Outcome& out) {
  rows_.insert_event({.operation = operation,
                      .seq = next_seq(where, out),
                      .kind = kind,
                      .message_seq = message.seq,
                      .detail = detail});
  return out.seq;
}

void Judge::append_system_row(Conversation& where, const Operation& operation, Outcome& out,
                              chat::SystemEvent event, UserId subject, chat::Role role,
                              std::string_view content) {
  rows_.insert_system_row(where, {.operation = operation,
                                  .seq = next_seq(where, out),
                                  .event = event,
                                  .subject = subject,
                                  .role = role,
                                  .content = content});
}

bool Judge::is_last_owner(const Conversation& where, const Member& member) {
  return member.role == chat::Role::kOwner && where.owner_count == 1;
}

Seq Judge::next_seq(Conversation& where, Outcome& out) {
  where.is_changed = true;
  out.seq = ++where.last_seq;
  return out.seq;
}

}  // namespace uproar::storage
