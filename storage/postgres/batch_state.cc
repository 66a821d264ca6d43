// Hot path: per message. Allocations: the columns of the batch, which grow by doubling, and the
// entries of its tables.
#include "storage/postgres/batch_state.h"

#include <algorithm>
#include <iterator>

#include "proto/base/check.h"

namespace uproar::storage::postgres {
namespace {

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

// --- what is known -------------------------------------------------------------------------------------------------

BatchState::KnownMessage* BatchState::find(ConversationId where, const chat::MessageRef& ref) {
  const auto take = [this](const auto& map, const auto& key) -> KnownMessage* {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &messages[found->second];
  };
  return ref.seq != 0 ? take(message_by_seq, In<Seq>(where, ref.seq))
                      : take(message_by_id, In<MessageId>(where, ref.id));
}

void BatchState::add(const KnownMessage& message) {
  const auto index = static_cast<std::uint32_t>(messages.size());
  if (!message_by_seq.try_emplace({message.conversation, message.seq}, index).second) return;
  message_by_id.try_emplace({message.conversation, message.id}, index);
  messages.push_back(message);
}

BatchState::KnownMember* BatchState::member(const Conversation& where, UserId user) {
  const auto found = members.find({where.id, user});
  return found == members.end() || !found->second.is_there ? nullptr : &found->second;
}

BatchState::KnownMember& BatchState::known_member(const Conversation& where, UserId user) {
  KnownMember* known = member(where, user);
  UPROAR_CHECK(known != nullptr, where.last_seq);
  return *known;
}

std::optional<BatchState::Member> BatchState::find_member(const Conversation& where, UserId user) {
  const KnownMember* known = member(where, user);
  if (known == nullptr) return std::nullopt;
  return known->row;
}

std::optional<BatchState::Message> BatchState::find_message(const Conversation& where,
                                                            const chat::MessageRef& ref) {
  const KnownMessage* known = find(where.id, ref);
  if (known == nullptr) return std::nullopt;
  return *known;
}

bool BatchState::has_reaction(const Conversation& where, const Message& message, UserId user,
                              std::string_view emoji) {
  const auto found = reactions.find({where.id, message.seq, user, emoji});
  return found != reactions.end() && found->second.now != 0;
}

std::uint64_t BatchState::count_reactions(const Conversation& where, const Message& message) {
  return known_message(where, message).reactions;
}

std::uint64_t BatchState::number_at(const Conversation& where, Seq seq) {
  const auto& numbers_here = known(where).new_numbers;
  const auto above =
      std::upper_bound(numbers_here.begin(), numbers_here.end(), seq,
                       [](Seq bound, const auto& number) { return bound < number.first; });
  if (above != numbers_here.begin()) return std::prev(above)->second;
  const auto before = numbers.find({where.id, seq});
  return before == numbers.end() ? 0 : before->second;
}

std::optional<BatchState::FirstAttempt> BatchState::known_first_attempt(const Operation& operation,
                                                                        const AppendMessage& op) {
  if (op.client_id.empty()) return std::nullopt;
  const auto found =
      first_attempts.find(AttemptKey(operation.conversation, operation.actor, op.client_id));
  if (found == first_attempts.end()) return std::nullopt;
  return found->second;
}

// A careful look has found all that is stored, so known_first_attempt() has said it. After any other
// the batch starts again with a careful one, and what is judged meanwhile is thrown away.
std::optional<BatchState::FirstAttempt> BatchState::find_first_attempt(const Operation& /*of*/,
                                                                       const AppendMessage& op) {
  if (!op.client_id.empty()) wants_first_attempts |= !knows_first_attempt(is_careful, op);
  return std::nullopt;
}

// --- new rows ------------------------------------------------------------------------------------------------------

bool BatchState::insert_message(Conversation& where, const NewMessage& row) {
  const Operation& operation = row.operation;
  const AppendMessage& op = row.body;
  if (!message_ids.emplace(operation.conversation, op.id).second) return false;
  known(where).new_numbers.emplace_back(row.seq, row.no);
  KnownMessage message;
  message.conversation = where.id;
  message.seq = message.version = row.seq;
  message.id = op.id;
  message.sender = operation.actor;
  add(message);
  auto& rows = new_messages;
  rows.conversation.add(operation.conversation);
  rows.seq.add_int8(row.seq);
  rows.no.add_int8(row.no);
  rows.id.add(op.id);
  rows.user.add(operation.actor);
  if (op.client_id.empty()) {
    rows.client_id.add_null();
  } else {
    rows.client_id.add_text(op.client_id);
    first_attempts[{operation.conversation, operation.actor, op.client_id}] = {
        .seq = row.seq,
        .no = row.no,
        .message = op.id,
        .at_us = operation.at_us,
        .digest = row.digest};
  }
  rows.digest.add_bytes(as_view(row.digest));
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
  return true;
}

void BatchState::insert_system_row(const Conversation& where, const NewSystemRow& row) {
  auto& rows = new_system_rows;
  rows.conversation.add(where.id);
  rows.seq.add_int8(row.seq);
  rows.no.add_int8(where.last_no);
  rows.user.add(row.operation.actor);
  rows.content.add_text(row.content);
  rows.sent_at.add_time(row.operation.at_us);
  rows.system.add_int2(static_cast<std::uint64_t>(row.event));
  rows.subject.add(row.subject);
  rows.role.add_int2(static_cast<std::uint64_t>(row.role));
}

void BatchState::insert_event(const NewEvent& row) {
  auto& rows = new_events;
  rows.conversation.add(row.operation.conversation);
  rows.seq.add_int8(row.seq);
  rows.kind.add_int2(static_cast<std::uint64_t>(row.kind));
  rows.actor.add(row.operation.actor);
  rows.message_seq.add_int8(row.message_seq);
  rows.detail.add_text(row.detail);
  rows.at.add_time(row.operation.at_us);
}

void BatchState::insert_jobs(const Operation& operation, Seq seq) {
  auto& rows = new_jobs;
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

// --- changes -------------------------------------------------------------------------------------------------------

BatchState::KnownMessage& BatchState::known_message(const Conversation& where,
                                                    const Message& message) {
  KnownMessage* found = find(where.id, {.seq = message.seq, .id = {}});
  UPROAR_CHECK(found != nullptr, message.seq);
  return *found;
}

BatchState::KnownMessage& BatchState::changed(const Conversation& where, const Message& message,
                                              Seq seq) {
  KnownMessage& known = known_message(where, message);
  known.version = seq;
  known.is_changed = true;
  return known;
}

void BatchState::set_text(const Conversation& where, const Message& message, Seq seq,
                          std::string_view content, std::int64_t edited_at_us) {
  KnownMessage& known = changed(where, message, seq);
  known.text_seq = seq;
  known.content = content;
  known.edited_at_us = edited_at_us;
}

void BatchState::delete_message(const Conversation& where, const Message& message, Seq seq,
                                std::int64_t deleted_at_us) {
  KnownMessage& known = changed(where, message, seq);
  known.text_seq = seq;
  known.content = {};
  known.deleted_at_us = deleted_at_us;
}

void BatchState::insert_reaction(const Conversation& where, const Message& message, Seq seq,
                                 UserId user, std::string_view emoji) {
  changed(where, message, seq).reactions += 1;
  reactions[{where.id, message.seq, user, emoji}].now = seq;
}

void BatchState::delete_reaction(const Conversation& where, const Message& message, Seq seq,
                                 UserId user, std::string_view emoji) {
  changed(where, message, seq).reactions -= 1;
  reactions[{where.id, message.seq, user, emoji}].now = 0;
}

bool BatchState::insert_member(const Conversation& where, UserId user, const Member& row) {
  KnownMember& known = members[{where.id, user}];
  if (known.is_there) return false;
  known = {.was_there = known.was_there,
           .is_there = true,
           .change = KnownMember::Change::kAll,
           .row = row};
  return true;
}

void BatchState::delete_member(const Conversation& where, UserId user) {
  KnownMember& known = known_member(where, user);
  known.is_there = false;
  known.change = KnownMember::Change::kAll;
}

void BatchState::set_role(const Conversation& where, UserId user, chat::Role role) {
  KnownMember& known = known_member(where, user);
  known.row.role = role;
  known.change = KnownMember::Change::kAll;
}

bool BatchState::set_mute(const Conversation& where, UserId user, std::int64_t until_us) {
  KnownMember* known = member(where, user);
  if (known == nullptr) return false;
  known->muted_until_us = until_us;
  known->change = KnownMember::Change::kAll;
  return true;
}

void BatchState::set_marks(const Conversation& where, UserId user, const Member& marks) {
  KnownMember& known = known_member(where, user);
  known.row.delivered_seq = marks.delivered_seq;
  known.row.read_seq = marks.read_seq;
  known.row.read_no = marks.read_no;
  known.change = std::max(known.change, KnownMember::Change::kMarks);
}

void BatchState::cover(Conversation& where, chat::MarkKind kind, UserId user, Seq from, Seq upto,
                       std::int64_t at_us) {
  const auto index = static_cast<std::size_t>(kind);
  KnownConversation& of = known(where);
  of.receipts[index].cover(user, from, upto, at_us, of.receipts_upto[index]);
  where.is_changed = true;
}

}  // namespace uproar::storage::postgres
