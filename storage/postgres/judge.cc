// Hot path: per message. Allocations: the columns of the batch, which grow by doubling, and the entries of its tables.
#include "storage/postgres/judge.h"

#include <algorithm>
#include <iterator>

#include "proto/base/weakness.h"
#include "storage/limits.h"

namespace uproar::storage::postgres {
namespace {

using enum chat::MarkKind;

std::string_view as_view(const BodyFingerprint& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// As a literal of uuid[]: rows of a statement cannot carry arrays of different lengths.
std::string array_literal(const std::vector<UserId>& users) {
  std::string out = "{";
  for (const UserId user : users) {
    if (out.size() > 1) out += ',';
    out += user.text();
  }
  return out + "}";
}

}  // namespace

Outcome Judge::apply(const Operation& operation) {
  const Outcome out = judge(operation);
  if (out.status == OutcomeStatus::kCommitted) add_jobs(operation, out.seq);
  return out;
}

void Judge::add_jobs(const Operation& operation, Seq seq) {
  auto& rows = state_.new_jobs;
  for (const NewJob& job : operation.jobs) {
    rows.conversation.add(operation.conversation);
    rows.seq.add_int8(seq);
    rows.kind.add_int2(static_cast<std::uint64_t>(job.kind));
    rows.user.add(job.user);
    rows.at.add_time(operation.at_us);
    rows.expires_at.add_time(job.expires_at_us);
    rows.newest_us = std::max(rows.newest_us, operation.at_us);
  }
}

Outcome Judge::judge(const Operation& operation) {
  Outcome out{
      .ticket = operation.ticket, .status = OutcomeStatus::kCommitted, .at_us = operation.at_us};
  Conversation& where = state_.conversation(operation.conversation);
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
    if (state_.users.contains(member.user)) continue;
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
  for (const NewMember& member : op.members) {  // the first mention of a user counts
    Member& state = state_.members[{where.id, member.user}];
    if (state.is_there) continue;
    state = {.is_there = true, .change = Member::Change::kAll, .role = member.role};
    where.member_count += 1;
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const AppendMessage& op,
                  Outcome& out) {
  const BodyFingerprint digest = body_fingerprint(op);
  if (!op.client_id.empty()) {
    const auto first =
        state_.first_attempts.find(BatchState::AttemptKey(where.id, operation.actor, op.client_id));
    if (first != state_.first_attempts.end()) {
      out.status =
          first->second.digest == digest ? OutcomeStatus::kDuplicate : OutcomeStatus::kKeyReused;
      out.seq = first->second.seq;
      out.no = first->second.no;
      out.message = first->second.message;
      out.at_us = first->second.at_us;
      return;
    }
  }
  // What is stored is found before anything is refused.
  const auto refuse = [&](OutcomeStatus status) {
    out.status = status;
    if (!op.client_id.empty())
      state_.wants_first_attempts |= !BatchState::knows_first_attempt(state_.is_careful, op);
  };
  Member* sender = member(where, operation.actor);
  if (op.retry_only || sender == nullptr) return refuse(OutcomeStatus::kForbidden);
  if (op.reply_to != 0 &&
      find_visible(where, {.seq = op.reply_to, .id = {}}, operation.actor) == nullptr)
    return refuse(OutcomeStatus::kNotFound);
  if (!state_.message_ids.emplace(where.id, op.id).second) return refuse(OutcomeStatus::kConflict);
  const bool had_read_all = sender->read_no == where.last_no;
  insert(where, operation, op, digest, out);
  if (!had_read_all) {  // sending is reading
    cover(where, kDelivered, operation.actor, sender->delivered_seq, out.seq, operation.at_us);
    cover(where, kSeen, operation.actor, sender->read_seq, out.seq, operation.at_us);
  }
  sender->delivered_seq = out.seq;
  sender->read_seq = out.seq;
  sender->read_no = out.no;
  sender->change = std::max(sender->change, Member::Change::kMarks);
}

void Judge::insert(Conversation& where, const Operation& operation, const AppendMessage& op,
                   const BodyFingerprint& digest, Outcome& out) {
  next_seq(where, out);
  out.no = ++where.last_no;
  out.message = op.id;
  where.last_message_seq = out.seq;
  where.last_message_at_us = std::max(where.last_message_at_us, operation.at_us);
  where.new_numbers.emplace_back(out.seq, out.no);
  state_.add({.conversation = where.id,
              .seq = out.seq,
              .version = out.seq,
              .id = op.id,
              .sender = operation.actor});
  auto& rows = state_.new_messages;
  rows.conversation.add(where.id);
  rows.seq.add_int8(out.seq);
  rows.no.add_int8(out.no);
  rows.id.add(op.id);
  rows.user.add(operation.actor);
  if (op.client_id.empty()) {
    rows.client_id.add_null();
  } else {
    rows.client_id.add_text(op.client_id);
    state_.first_attempts[{where.id, operation.actor, op.client_id}] = {
        .seq = out.seq, .no = out.no, .message = op.id, .at_us = operation.at_us, .digest = digest};
  }
  rows.digest.add_bytes(as_view(digest));
  rows.type.add_int2(static_cast<std::uint64_t>(op.type));
  rows.content.add_text(op.content);
  rows.attachments.add_text(op.attachments);
  rows.reply_to.add_int8(op.reply_to);
  if (op.mentions.empty()) {
    rows.mentions.add_null();
  } else {
    rows.mentions.add_text(array_literal(op.mentions));
  }
  rows.sent_at.add_time(operation.at_us);
}

void Judge::judge(Conversation& where, const Operation& operation, const EditMessage& op,
                  Outcome& out) {
  Message* message = target(where, op.message, operation.actor, out);
  if (message == nullptr) return;
  if (message->sender != operation.actor || member(where, operation.actor) == nullptr) {
    out.status = OutcomeStatus::kForbidden;
  } else if (message->deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
  } else {
    append_event(where, operation, *message, EventKind::kEdit, {}, out);
    message->text_seq = out.seq;
    message->content = op.content;
    message->edited_at_us = operation.at_us;
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const DeleteMessage& op,
                  Outcome& out) {
  Message* message = target(where, op.message, operation.actor, out);
  if (message == nullptr) return;
  const bool may = message->sender == operation.actor || op.as_moderator;
  if (!may || member(where, operation.actor) == nullptr) {
    out.status = OutcomeStatus::kForbidden;
  } else if (message->deleted_at_us != 0) {
    out.status = OutcomeStatus::kDuplicate;
    out.seq = message->version;  // nothing changes a deleted message: this is the deletion's
    out.at_us = message->deleted_at_us;
  } else {
    append_event(where, operation, *message, EventKind::kDeletion, {}, out);
    message->text_seq = out.seq;
    message->content = {};
    message->deleted_at_us = operation.at_us;
  }
}

void Judge::judge(Conversation& where, const Operation& operation, const ChangeReaction& op,
                  Outcome& out) {
  Message* message = target(where, op.message, operation.actor, out);
  if (message == nullptr) return;
  if (member(where, operation.actor) == nullptr) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  if (message->deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  BatchState::Reaction& reaction =
      state_.reactions[{where.id, message->seq, operation.actor, op.emoji}];
  if (op.add == (reaction.now != 0)) {
    out.status = OutcomeStatus::kDuplicate;
    return;
  }
  if (op.add && message->reactions >= kReactionsPerMessageMax) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  append_event(where, operation, *message,
               op.add ? EventKind::kReactionAdded : EventKind::kReactionRemoved, op.emoji, out);
  message->reactions += op.add ? 1 : -1;
  reaction.now = op.add ? out.seq : 0;
}

void Judge::judge(Conversation& where, const Operation& operation, const AddMember& op,
                  Outcome& out) {
  if (where.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  if (!state_.users.contains(op.user)) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  Member& state = state_.members[{where.id, op.user}];
  if (state.is_there) {
    out.status = OutcomeStatus::kDuplicate;
    return;
  }
  // The newcomer hears from its own arrival on, and has nothing unread from before.
  state = {.was_there = state.was_there,
           .is_there = true,
           .change = Member::Change::kAll,
           .role = op.role,
           .joined_seq = where.last_seq,
           .delivered_seq = where.last_seq,
           .read_seq = where.last_seq,
           .read_no = where.last_no};
  where.member_count += 1;
  append_system_row(where, operation, out, chat::SystemEvent::kMemberAdded, op.user, op.role, {});
}

void Judge::judge(Conversation& where, const Operation& operation, const RemoveMember& op,
                  Outcome& out) {
  if (where.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  Member* gone = member(where, op.user);
  if (gone == nullptr) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  gone->is_there = false;
  gone->change = Member::Change::kAll;
  where.member_count -= 1;
  append_system_row(where, operation, out, chat::SystemEvent::kMemberRemoved, op.user,
                    chat::Role::kMember, {});
}

void Judge::judge(Conversation& where, const Operation& operation, const SetRole& op,
                  Outcome& out) {
  Member* state = member(where, op.user);
  if (state == nullptr) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  state->role = op.role;
  state->change = Member::Change::kAll;
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
  Member* marks = member(where, operation.actor);
  if (marks == nullptr) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  const Seq wanted = std::min(op.seq, where.last_seq);
  Seq& stands = op.kind == kSeen ? marks->read_seq : marks->delivered_seq;
  if (wanted <= stands) {
    out.status = OutcomeStatus::kDuplicate;
  } else {
    if (wanted > marks->delivered_seq) {
      cover(where, kDelivered, operation.actor, marks->delivered_seq, wanted, operation.at_us);
      marks->delivered_seq = wanted;
    }
    if (op.kind == kSeen) {
      cover(where, kSeen, operation.actor, marks->read_seq, wanted, operation.at_us);
      marks->read_seq = wanted;
      marks->read_no = std::max(marks->read_no, number_at(where, wanted));
    }
    marks->change = std::max(marks->change, Member::Change::kMarks);
  }
  out.seq = stands;
  out.no = marks->read_no;
}

void Judge::judge(Conversation& where, const Operation& operation, const SetMute& op,
                  Outcome& out) {
  Member* state = member(where, operation.actor);
  if (state == nullptr) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  state->muted_until_us = op.until_us;
  state->change = Member::Change::kAll;
}

Judge::Member* Judge::member(const Conversation& where, UserId user) {
  const auto found = state_.members.find({where.id, user});
  return found == state_.members.end() || !found->second.is_there ? nullptr : &found->second;
}

Judge::Message* Judge::find_visible(const Conversation& where, const chat::MessageRef& ref,
                                    UserId actor) {
  Message* message = state_.find(where.id, ref);
  const Member* viewer = member(where, actor);
  if (message == nullptr || viewer == nullptr || weakened(Weakness::kReactBeforeJoining))
    return message;
  return message->seq > viewer->joined_seq ? message : nullptr;
}

Judge::Message* Judge::target(const Conversation& where, const chat::MessageRef& ref, UserId actor,
                              Outcome& out) {
  Message* message = find_visible(where, ref, actor);
  if (message == nullptr) {
    out.status = OutcomeStatus::kNotFound;
    return nullptr;
  }
  out.message = message->id;
  out.message_seq = message->seq;
  return message;
}

void Judge::append_system_row(Conversation& where, const Operation& operation, Outcome& out,
                              chat::SystemEvent event, UserId subject, chat::Role role,
                              std::string_view content) {
  auto& rows = state_.new_system_rows;
  rows.conversation.add(where.id);
  rows.seq.add_int8(next_seq(where, out));
  rows.no.add_int8(where.last_no);
  rows.user.add(operation.actor);
  rows.content.add_text(content);
  rows.sent_at.add_time(operation.at_us);
  rows.system.add_int2(static_cast<std::uint64_t>(event));
  rows.subject.add(subject);
  rows.role.add_int2(static_cast<std::uint64_t>(role));
}

void Judge::append_event(Conversation& where, const Operation& operation, Message& message,
                         EventKind kind, std::string_view detail, Outcome& out) {
  message.version = next_seq(where, out);
  message.is_changed = true;
  auto& rows = state_.new_events;
  rows.conversation.add(where.id);
  rows.seq.add_int8(out.seq);
  rows.kind.add_int2(static_cast<std::uint64_t>(kind));
  rows.actor.add(operation.actor);
  rows.message_seq.add_int8(message.seq);
  rows.detail.add_text(detail);
  rows.at.add_time(operation.at_us);
}

Seq Judge::next_seq(Conversation& where, Outcome& out) {
  where.is_changed = true;
  out.seq = ++where.last_seq;
  return out.seq;
}

void Judge::cover(Conversation& where, chat::MarkKind kind, UserId user, Seq from, Seq upto,
                  std::int64_t at_us) {
  const auto index = static_cast<std::size_t>(kind);
  where.receipts[index].cover(user, from, upto, at_us, where.receipts_upto[index]);
  where.is_changed = true;
}

std::uint64_t Judge::number_at(const Conversation& where, Seq seq) const {
  if (seq >= where.last_seq) return where.last_no;
  const auto& numbers = where.new_numbers;
  const auto above =
      std::upper_bound(numbers.begin(), numbers.end(), seq,
                       [](Seq bound, const auto& number) { return bound < number.first; });
  if (above != numbers.begin()) return std::prev(above)->second;
  const auto before = state_.numbers.find({where.id, seq});
  return before == state_.numbers.end() ? 0 : before->second;
}

}  // namespace uproar::storage::postgres
