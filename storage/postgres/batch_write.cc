// Hot path: per batch. Allocations: the columns of what changed, which grow by doubling, and the list of calls; what was
// appended is moved.
#include <utility>

#include "storage/limits.h"
#include "storage/postgres/batch_look.h"

namespace uproar::storage::postgres {
namespace {

class Calls {
 public:
  template <class... Columns>
  void add_unless_empty(Write statement, Column& first, Columns&... rest) {
    if (first.empty()) return;
    Params params;
    params.add(std::move(first));
    (params.add(std::move(rest)), ...);
    add(statement, std::move(params));
  }
  void add(Write statement, Params params) {
    calls_.push_back(
        {.statement = static_cast<std::uint8_t>(statement), .params = std::move(params)});
  }
  std::vector<Call> take() { return std::move(calls_); }

 private:
  std::vector<Call> calls_;
};

void write_new_conversations(BatchState& state, Calls& calls) {
  Column id(Type::kUuid), kind(Type::kInt2), name(Type::kText), last_seq(Type::kInt8),
      last_no(Type::kInt8), last_message_seq(Type::kInt8), last_message_at(Type::kTime),
      member_count(Type::kInt8), owner_count(Type::kInt8), delivered_upto(Type::kInt8),
      seen_upto(Type::kInt8), created_at(Type::kTime);
  for (const auto& one : state.conversations) {
    if (!one.is_new) continue;
    id.add(one.id);
    kind.add_int2(static_cast<std::uint64_t>(one.kind));
    name.add_text(one.name);
    last_seq.add_int8(one.last_seq);
    last_no.add_int8(one.last_no);
    last_message_seq.add_int8(one.last_message_seq);
    last_message_at.add_time(one.last_message_at_us);
    member_count.add_int8(one.member_count);
    owner_count.add_int8(one.owner_count);
    delivered_upto.add_int8(one.receipts_upto[0]);
    seen_upto.add_int8(one.receipts_upto[1]);
    created_at.add_time(one.created_at_us);
  }
  calls.add_unless_empty(Write::kInsertConversations, id, kind, name, last_seq, last_no,
                         last_message_seq, last_message_at, member_count, owner_count,
                         delivered_upto, seen_upto, created_at);
}

void write_conversations(BatchState& state, Calls& calls) {
  Column id(Type::kUuid), name(Type::kText), last_seq(Type::kInt8), last_no(Type::kInt8),
      last_message_seq(Type::kInt8), last_message_at(Type::kTime), member_count(Type::kInt8),
      owner_count(Type::kInt8), delivered_upto(Type::kInt8), seen_upto(Type::kInt8);
  for (const auto& one : state.conversations) {
    if (one.is_new || !one.is_changed) continue;
    id.add(one.id);
    if (one.is_renamed) {
      name.add_text(one.name);
    } else {
      name.add_null();
    }
    last_seq.add_int8(one.last_seq);
    last_no.add_int8(one.last_no);
    last_message_seq.add_int8(one.last_message_seq);
    last_message_at.add_time(one.last_message_at_us);
    member_count.add_int8(one.member_count);
    owner_count.add_int8(one.owner_count);
    delivered_upto.add_int8(one.receipts_upto[0]);
    seen_upto.add_int8(one.receipts_upto[1]);
  }
  calls.add_unless_empty(Write::kUpdateConversations, id, name, last_seq, last_no, last_message_seq,
                         last_message_at, member_count, owner_count, delivered_upto, seen_upto);
}

void write_members(BatchState& state, Calls& calls) {
  using Change = BatchState::KnownMember::Change;
  Column conversation(Type::kUuid), user(Type::kUuid), role(Type::kInt2), joined_seq(Type::kInt8),
      delivered_seq(Type::kInt8), read_seq(Type::kInt8), read_no(Type::kInt8),
      muted_until(Type::kTime);
  Column marks_conversation(Type::kUuid), marks_user(Type::kUuid), marks_delivered(Type::kInt8),
      marks_read(Type::kInt8), marks_no(Type::kInt8);
  Column gone_conversation(Type::kUuid), gone_user(Type::kUuid);
  for (const auto& [key, one] : state.members) {
    if (one.change == Change::kNone) continue;
    if (!one.is_there) {
      if (!one.was_there) continue;
      gone_conversation.add(key.first);
      gone_user.add(key.second);
    } else if (one.change == Change::kMarks) {
      marks_conversation.add(key.first);
      marks_user.add(key.second);
      marks_delivered.add_int8(one.row.delivered_seq);
      marks_read.add_int8(one.row.read_seq);
      marks_no.add_int8(one.row.read_no);
    } else {
      conversation.add(key.first);
      user.add(key.second);
      role.add_int2(static_cast<std::uint64_t>(one.row.role));
      joined_seq.add_int8(one.row.joined_seq);
      delivered_seq.add_int8(one.row.delivered_seq);
      read_seq.add_int8(one.row.read_seq);
      read_no.add_int8(one.row.read_no);
      muted_until.add_time_or_null(one.muted_until_us);
    }
  }
  calls.add_unless_empty(Write::kPutMembers, conversation, user, role, joined_seq, delivered_seq,
                         read_seq, read_no, muted_until);
  calls.add_unless_empty(Write::kDeleteMembers, gone_conversation, gone_user);
  calls.add_unless_empty(Write::kSetMarks, marks_conversation, marks_user, marks_delivered,
                         marks_read, marks_no);
}

void write_messages(BatchState& state, Calls& calls) {
  auto& fresh = state.new_messages;
  calls.add_unless_empty(Write::kInsertMessages, fresh.conversation, fresh.seq, fresh.no, fresh.id,
                         fresh.user, fresh.client_id, fresh.digest, fresh.type, fresh.content,
                         fresh.attachments, fresh.reply_to, fresh.mentions, fresh.sent_at);
  auto& system = state.new_system_rows;
  calls.add_unless_empty(Write::kInsertSystemRows, system.conversation, system.seq, system.no,
                         system.user, system.content, system.sent_at, system.system, system.subject,
                         system.role);
  auto& events = state.new_events;
  calls.add_unless_empty(Write::kInsertEvents, events.conversation, events.seq, events.kind,
                         events.actor, events.message_seq, events.detail, events.at);
  Column conversation(Type::kUuid), seq(Type::kInt8), version(Type::kInt8), text_seq(Type::kInt8),
      content(Type::kText), edited_at(Type::kTime), deleted_at(Type::kTime);
  for (const auto& one : state.messages) {
    if (!one.is_changed) continue;
    conversation.add(one.conversation);
    seq.add_int8(one.seq);
    version.add_int8(one.version);
    if (one.text_seq != 0) {
      text_seq.add_int8(one.text_seq);
      content.add_text(one.content);
    } else {
      text_seq.add_null();
      content.add_null();
    }
    edited_at.add_time_or_null(one.edited_at_us);
    deleted_at.add_time_or_null(one.deleted_at_us);
  }
  calls.add_unless_empty(Write::kChangeMessages, conversation, seq, version, text_seq, content,
                         edited_at, deleted_at);
}

void write_reactions(BatchState& state, Calls& calls) {
  Column all_conversation(Type::kUuid), all_seq(Type::kInt8);
  for (const auto& one : state.messages) {
    if (!one.is_changed || one.deleted_at_us == 0) continue;
    all_conversation.add(one.conversation);
    all_seq.add_int8(one.seq);
  }
  Column gone_conversation(Type::kUuid), gone_message(Type::kInt8), gone_seq(Type::kInt8);
  Column conversation(Type::kUuid), message_seq(Type::kInt8), seq(Type::kInt8), user(Type::kUuid),
      emoji(Type::kText);
  for (const auto& [key, one] : state.reactions) {
    const auto& [where, message, who, what] = key;
    if (one.before == one.now) continue;
    if (one.before != 0) {
      gone_conversation.add(where);
      gone_message.add_int8(message);
      gone_seq.add_int8(one.before);
    }
    const bool is_deleted = state.find(where, {.seq = message, .id = {}})->deleted_at_us != 0;
    if (one.now == 0 || is_deleted) continue;
    conversation.add(where);
    message_seq.add_int8(message);
    seq.add_int8(one.now);
    user.add(who);
    emoji.add_text(what);
  }
  calls.add_unless_empty(Write::kDeleteReactionsOf, all_conversation, all_seq);
  calls.add_unless_empty(Write::kDeleteReactions, gone_conversation, gone_message, gone_seq);
  calls.add_unless_empty(Write::kInsertReactions, conversation, message_seq, seq, user, emoji);
}

void write_receipts(BatchState& state, Calls& calls) {
  Column conversation(Type::kUuid), kind(Type::kInt2), upto_seq(Type::kInt8), from_seq(Type::kInt8),
      user(Type::kUuid), at(Type::kTime), second(Type::kUuid), second_at(Type::kTime);
  const auto add_user = [](Column& column, UserId id) {
    if (id.is_nil()) return column.add_null();
    column.add(id);
  };
  for (const auto& one : state.conversations) {
    for (std::size_t of = 0; of < one.receipts.size(); ++of) {
      for (const auto& [upto, run] : one.receipts[of].runs()) {
        if (!run.changed) continue;
        conversation.add(one.id);
        kind.add_int2(of);
        upto_seq.add_int8(upto);
        from_seq.add_int8(run.from);
        add_user(user, run.user);
        at.add_time_or_null(run.at_us);
        add_user(second, run.second);
        second_at.add_time_or_null(run.second_at_us);
      }
    }
  }
  calls.add_unless_empty(Write::kPutReceipts, conversation, kind, upto_seq, from_seq, user, at,
                         second, second_at);
}

void write_jobs(BatchState& state, Calls& calls) {
  auto& fresh = state.new_jobs;
  const std::uint32_t added = fresh.conversation.size();
  if (added == 0) return;
  calls.add_unless_empty(Write::kPutJobs, fresh.conversation, fresh.seq, fresh.kind, fresh.user,
                         fresh.at, fresh.expires_at);
  Params params;
  params.add_time(fresh.newest_us).add_int8(std::uint64_t{added} * kJobsForgottenForEach);
  calls.add(Write::kForgetJobs, std::move(params));
}

}  // namespace

std::vector<Call> batch_writes(BatchState& state) {
  Calls calls;
  write_new_conversations(state, calls);
  write_members(state, calls);
  write_messages(state, calls);
  write_reactions(state, calls);
  write_receipts(state, calls);
  write_conversations(state, calls);
  write_jobs(state, calls);
  calls.add(Write::kCommit, {});
  return calls.take();
}

}  // namespace uproar::storage::postgres
