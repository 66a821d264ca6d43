#include "storage/memory/memory_model.h"

#include <algorithm>

#include "proto/base/check.h"
#include "storage/limits.h"
#include "storage/log_page.h"
#include "storage/page_bytes.h"

namespace uproar::storage {
namespace {

// A message's own entry of the log: the row without what later entries say of it.
chat::Message as_sent(chat::Message row, bool is_superseded) {
  row.version = row.seq;
  row.edited_at_us = row.deleted_at_us = row.delivered_at_us = row.seen_at_us = 0;
  row.reactions.clear();
  if (is_superseded) row.content.clear();
  return row;
}

}  // namespace

Outcome MemoryModel::apply(const Operation& operation) {
  const Outcome out = judge(operation);
  if (out.status == OutcomeStatus::kCommitted) add_jobs(operation, out.seq);
  return out;
}

Outcome MemoryModel::judge(const Operation& operation) {
  if (const auto* create_op = std::get_if<CreateConversation>(&operation.body))
    return create(operation, *create_op);
  Outcome out{
      .ticket = operation.ticket, .status = OutcomeStatus::kCommitted, .at_us = operation.at_us};
  const auto found = conversations_.find(operation.conversation);
  if (found == conversations_.end()) {
    out.status = OutcomeStatus::kNotFound;
    return out;
  }
  std::visit(
      [&](const auto& op) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(op)>, CreateConversation>) {
          judge(found->second, operation, op, out);
        }
      },
      operation.body);
  return out;
}

Outcome MemoryModel::create(const Operation& operation, const CreateConversation& op) {
  Outcome out{
      .ticket = operation.ticket, .status = OutcomeStatus::kCommitted, .at_us = operation.at_us};
  if (const auto found = conversations_.find(operation.conversation);
      found != conversations_.end()) {
    out.status = OutcomeStatus::kDuplicate;
    out.at_us = found->second.created_at_us;
    return out;
  }
  for (const NewMember& member : op.members) {
    if (users_.contains(member.user)) continue;
    out.status = OutcomeStatus::kNotFound;
    return out;
  }
  Conversation& conversation = conversations_[operation.conversation];
  conversation.id = operation.conversation;
  conversation.kind = op.kind;
  conversation.name = op.name;
  conversation.created_at_us = operation.at_us;
  conversation.active_at_us = operation.at_us;
  for (const NewMember& member : op.members) {  // the first mention of a user counts
    conversation.members.try_emplace(
        member.user, Member{.marks = {.user = member.user, .name = {}, .role = member.role}});
  }
  return out;
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation,
                        const AppendMessage& op, Outcome& out) {
  if (!op.client_id.empty()) {
    for (const auto& [seq, row] : conversation.rows) {
      if (row.message.sender != operation.actor || row.message.client_id != op.client_id) continue;
      const bool same_body = row.sent.type == op.type && row.sent.content == op.content &&
                             row.sent.attachments == op.attachments &&
                             row.sent.reply_to == op.reply_to && row.sent.mentions == op.mentions;
      out.status = same_body ? OutcomeStatus::kDuplicate : OutcomeStatus::kKeyReused;
      out.seq = seq;
      out.no = row.message.no;
      out.message = row.message.id;
      out.at_us = row.message.sent_at_us;
      return;
    }
  }
  const auto member = conversation.members.find(operation.actor);
  if (op.retry_only || member == conversation.members.end()) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  if (op.reply_to != 0 &&
      find_message(conversation, {.seq = op.reply_to, .id = {}}, operation.actor) == nullptr) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  if (find_message(conversation, {.seq = 0, .id = op.id}, {}) != nullptr) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  const bool had_read_all = member->second.marks.read_no == conversation.last_no;
  conversation.last_no += 1;
  conversation.active_at_us = std::max(conversation.active_at_us, operation.at_us);
  Row& row = append_row(conversation, operation, out);
  row.sent = op;
  row.message.id = op.id;
  row.message.no = conversation.last_no;
  row.message.client_id = op.client_id;
  row.message.type = op.type;
  row.message.content = op.content;
  row.message.attachments = op.attachments;
  row.message.reply_to = op.reply_to;
  row.message.mentions = op.mentions;
  out.no = conversation.last_no;
  out.message = op.id;
  // Sending is reading: who answers has seen what stands above. When there was nothing unread, that says nothing new
  // about anybody's message, and is no receipt.
  if (!had_read_all)
    raise_mark(conversation, member->second, chat::MarkKind::kSeen, out.seq, operation.at_us);
  member->second.marks.delivered_seq = out.seq;
  member->second.marks.read_seq = out.seq;
  member->second.marks.read_no = out.no;
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation,
                        const EditMessage& op, Outcome& out) {
  Row* row = find_message(conversation, op.message, operation.actor);
  if (row == nullptr) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  out.message = row->message.id;
  out.message_seq = row->message.seq;
  if (row->message.sender != operation.actor || !conversation.members.contains(operation.actor)) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  if (row->message.deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  append_event(conversation, operation, *row, EventKind::kEdit, {}, out);
  row->text_seq = out.seq;
  row->message.content = op.content;
  row->message.edited_at_us = operation.at_us;
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation,
                        const DeleteMessage& op, Outcome& out) {
  Row* row = find_message(conversation, op.message, operation.actor);
  if (row == nullptr) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  out.message = row->message.id;
  out.message_seq = row->message.seq;
  const bool may = row->message.sender == operation.actor || op.as_moderator;
  if (!may || !conversation.members.contains(operation.actor)) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  if (row->message.deleted_at_us != 0) {
    out.status = OutcomeStatus::kDuplicate;
    out.seq = row->message.version;  // nothing changes a deleted message: this is the deletion's
    out.at_us = row->message.deleted_at_us;
    return;
  }
  append_event(conversation, operation, *row, EventKind::kDeletion, {}, out);
  row->text_seq = out.seq;
  row->message.deleted_at_us = operation.at_us;
  row->message.content.clear();
  row->message.attachments.clear();
  row->message.mentions.clear();
  row->message.reactions.clear();
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation,
                        const ChangeReaction& op, Outcome& out) {
  Row* row = find_message(conversation, op.message, operation.actor);
  if (row == nullptr) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  out.message = row->message.id;
  out.message_seq = row->message.seq;
  if (!conversation.members.contains(operation.actor)) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  if (row->message.deleted_at_us != 0) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  std::vector<chat::Reaction>& reactions = row->message.reactions;
  const chat::Reaction reaction{.emoji = op.emoji, .user = operation.actor};
  const auto found = std::find(reactions.begin(), reactions.end(), reaction);
  if (op.add == (found != reactions.end())) {
    out.status = OutcomeStatus::kDuplicate;
    return;
  }
  if (op.add && reactions.size() >= kReactionsPerMessageMax) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  if (op.add) {
    reactions.push_back(reaction);
  } else {
    reactions.erase(found);
  }
  append_event(conversation, operation, *row,
               op.add ? EventKind::kReactionAdded : EventKind::kReactionRemoved, op.emoji, out);
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation, const AddMember& op,
                        Outcome& out) {
  if (conversation.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  if (!users_.contains(op.user)) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  if (conversation.members.contains(op.user)) {
    out.status = OutcomeStatus::kDuplicate;
    return;
  }
  // The newcomer hears from its own arrival on, and has nothing unread from before.
  const Seq joined_seq = conversation.last_seq;
  append_system_row(conversation, operation, out, chat::SystemEvent::kMemberAdded, op.user, op.role,
                    {});
  conversation.members[op.user].marks = {.user = op.user,
                                         .name = {},
                                         .role = op.role,
                                         .joined_seq = joined_seq,
                                         .delivered_seq = joined_seq,
                                         .read_seq = joined_seq,
                                         .read_no = conversation.last_no};
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation,
                        const RemoveMember& op, Outcome& out) {
  if (conversation.kind == chat::ConversationKind::kDirect) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  if (!conversation.members.contains(op.user)) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  if (is_last_owner(conversation, op.user) && conversation.members.size() > 1) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  conversation.members.erase(op.user);
  append_system_row(conversation, operation, out, chat::SystemEvent::kMemberRemoved, op.user,
                    chat::Role::kMember, {});
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation, const SetRole& op,
                        Outcome& out) {
  const auto member = conversation.members.find(op.user);
  if (member == conversation.members.end()) {
    out.status = OutcomeStatus::kNotFound;
    return;
  }
  if (is_last_owner(conversation, op.user) && op.role != chat::Role::kOwner) {
    out.status = OutcomeStatus::kConflict;
    return;
  }
  member->second.marks.role = op.role;
  append_system_row(conversation, operation, out, chat::SystemEvent::kRoleChanged, op.user, op.role,
                    {});
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation, const Rename& op,
                        Outcome& out) {
  conversation.name = op.name;
  append_system_row(conversation, operation, out, chat::SystemEvent::kRenamed, {},
                    chat::Role::kMember, op.name);
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation,
                        const AdvanceMark& op, Outcome& out) {
  const auto found = conversation.members.find(operation.actor);
  if (found == conversation.members.end()) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  chat::Member& marks = found->second.marks;
  const Seq wanted = std::min(op.seq, conversation.last_seq);
  const Seq stands = op.kind == chat::MarkKind::kSeen ? marks.read_seq : marks.delivered_seq;
  if (wanted <= stands) {
    out.status = OutcomeStatus::kDuplicate;
  } else {
    raise_mark(conversation, found->second, op.kind, wanted, operation.at_us);
  }
  out.seq = op.kind == chat::MarkKind::kSeen ? marks.read_seq : marks.delivered_seq;
  out.no = marks.read_no;
}

void MemoryModel::judge(Conversation& conversation, const Operation& operation, const SetMute& op,
                        Outcome& out) {
  const auto member = conversation.members.find(operation.actor);
  if (member == conversation.members.end()) {
    out.status = OutcomeStatus::kForbidden;
    return;
  }
  member->second.muted_until_us = op.until_us;
}

MemoryModel::Row* MemoryModel::find_message(Conversation& conversation, const chat::MessageRef& ref,
                                            UserId viewer) {
  const auto member = conversation.members.find(viewer);
  const Seq floor = member == conversation.members.end() ? 0 : member->second.marks.joined_seq;
  for (auto& [seq, row] : conversation.rows) {
    const bool is_meant = ref.seq != 0 ? seq == ref.seq : row.message.id == ref.id;
    if (is_meant && seq > floor && row.message.system == chat::SystemEvent::kNone) return &row;
  }
  return nullptr;
}

bool MemoryModel::is_last_owner(const Conversation& conversation, UserId user) {
  const auto is_owner = [](const auto& entry) {
    return entry.second.marks.role == chat::Role::kOwner;
  };
  const auto& members = conversation.members;
  return is_owner(*members.find(user)) &&
         std::count_if(members.begin(), members.end(), is_owner) == 1;
}

MemoryModel::Row& MemoryModel::append_row(Conversation& conversation, const Operation& operation,
                                          Outcome& out) {
  out.seq = ++conversation.last_seq;
  Row& row = conversation.rows[out.seq];
  row.last_no = conversation.last_no;
  row.text_seq = out.seq;
  row.message.conversation = conversation.id;
  row.message.seq = out.seq;
  row.message.version = out.seq;
  row.message.sender = operation.actor;
  row.message.sent_at_us = operation.at_us;
  return row;
}

void MemoryModel::append_event(Conversation& conversation, const Operation& operation, Row& row,
                               EventKind kind, std::string emoji, Outcome& out) {
  out.seq = ++conversation.last_seq;
  row.message.version = out.seq;
  conversation.events[out.seq] = {.kind = kind,
                                  .actor = operation.actor,
                                  .message_seq = row.message.seq,
                                  .emoji = std::move(emoji),
                                  .content = {},
                                  .at_us = operation.at_us};
}

void MemoryModel::append_system_row(Conversation& conversation, const Operation& operation,
                                    Outcome& out, chat::SystemEvent event, UserId subject,
                                    chat::Role role, std::string content) {
  chat::Message& message = append_row(conversation, operation, out).message;
  message.type = chat::MessageType::kSystem;
  message.system = event;
  message.subject = subject;
  message.role = role;
  message.content = std::move(content);
}

void MemoryModel::raise_mark(Conversation& conversation, Member& member, chat::MarkKind kind,
                             Seq seq, std::int64_t at_us) {
  const UserId user = member.marks.user;
  for (auto& [row_seq, row] : conversation.rows) {
    if (row_seq > seq) break;
    chat::Message& message = row.message;
    if (message.sender == user || message.system != chat::SystemEvent::kNone) continue;
    if (row_seq > member.marks.delivered_seq && message.delivered_at_us == 0)
      message.delivered_at_us = at_us;
    const bool is_seen = kind == chat::MarkKind::kSeen && row_seq > member.marks.read_seq;
    if (is_seen && message.seen_at_us == 0) message.seen_at_us = at_us;
  }
  member.marks.delivered_seq = std::max(member.marks.delivered_seq, seq);
  if (kind != chat::MarkKind::kSeen) return;
  member.marks.read_seq = seq;
  for (const auto& [row_seq, row] : conversation.rows) {
    if (row_seq <= seq) member.marks.read_no = std::max(member.marks.read_no, row.last_no);
  }
}

Result<ConversationState, StoreError> MemoryModel::load_conversation(ConversationId id) const {
  const auto found = conversations_.find(id);
  if (found == conversations_.end()) return Err{StoreError::kNotFound};
  const Conversation& conversation = found->second;
  ConversationState state{.id = id,
                          .kind = conversation.kind,
                          .name = conversation.name,
                          .last_seq = conversation.last_seq,
                          .last_no = conversation.last_no,
                          .created_at_us = conversation.created_at_us,
                          .members = {}};
  for (const auto& [user, member] : conversation.members) state.members.push_back(member.marks);
  std::stable_sort(
      state.members.begin(), state.members.end(),
      [](const chat::Member& a, const chat::Member& b) { return a.joined_seq < b.joined_seq; });
  return state;
}

Result<Seq, StoreError> MemoryModel::read_last_seq(ConversationId id) const {
  const auto found = conversations_.find(id);
  if (found == conversations_.end()) return Err{StoreError::kNotFound};
  return found->second.last_seq;
}

Result<Page, StoreError> MemoryModel::read_page(const PageQuery& query) const {
  const auto found = conversations_.find(query.conversation);
  if (found == conversations_.end()) return Err{StoreError::kNotFound};
  const Conversation& conversation = found->second;
  const std::size_t limit = std::clamp<std::uint32_t>(query.limit, 1, kPageRowsMax);
  using Order = PageQuery::Order;

  Page page;
  for (const auto& [seq, row] : conversation.rows) {
    if (seq <= query.seq_floor) continue;
    const bool is_wanted = query.order == Order::kBefore  ? query.bound == 0 || seq < query.bound
                           : query.order == Order::kAfter ? seq > query.bound
                                                          : row.message.version > query.bound;
    if (is_wanted) page.messages.push_back(row.message);
  }
  std::vector<chat::Message>& messages = page.messages;
  if (query.order == Order::kChangedAfter) {
    std::sort(messages.begin(), messages.end(),
              [](const chat::Message& a, const chat::Message& b) { return a.version < b.version; });
  }
  page.has_more = messages.size() > limit;
  if (page.has_more && query.order == Order::kBefore) {
    messages.erase(messages.begin(), messages.end() - static_cast<std::ptrdiff_t>(limit));
  } else if (page.has_more) {
    messages.resize(limit);
  }
  if (query.order == Order::kChangedAfter) {
    page.upto_seq = page.has_more ? messages.back().version : conversation.last_seq;
  }
  cut_page(page, query.order, query.bytes_max);
  return page;
}

Result<LogPage, StoreError> MemoryModel::read_log(const LogQuery& query) const {
  const auto found = conversations_.find(query.conversation);
  if (found == conversations_.end()) return Err{StoreError::kNotFound};
  const Conversation& conversation = found->second;
  LogPageBuilder page(query);
  for (Seq seq = std::min(query.after, conversation.last_seq) + 1; seq <= conversation.last_seq;
       ++seq) {
    LogEntry entry{.seq = seq};
    if (const auto event = conversation.events.find(seq); event != conversation.events.end()) {
      LoggedEvent said = event->second;
      const Row& row = conversation.rows.at(said.message_seq);
      entry.is_superseded = said.kind == EventKind::kEdit && row.text_seq != seq;
      if (said.kind == EventKind::kEdit && !entry.is_superseded) said.content = row.message.content;
      entry.what = std::move(said);
    } else {
      const Row& row = conversation.rows.at(seq);
      entry.is_superseded = row.text_seq != seq;
      entry.what = as_sent(row.message, entry.is_superseded);
    }
    if (!page.take(std::move(entry))) break;
  }
  return std::move(page).finish(/*floor=*/0, conversation.last_seq);
}

}  // namespace uproar::storage
