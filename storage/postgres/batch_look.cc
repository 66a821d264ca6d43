// Hot path: per batch, once before and once after its first round trip. Allocations: the columns and sets of what its
// operations name, which grow by doubling, and the entries of BatchState.
#include "storage/postgres/batch_look.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace uproar::storage::postgres {
namespace {

using In = std::pair<ConversationId, UserId>;

// What the operations name, without repeats.
struct Wanted {
  bool careful = false;
  absl::flat_hash_map<In, bool> readers;  // marks and messages: true when it is a mark
  absl::flat_hash_set<In> members;
  absl::flat_hash_set<UserId> users;
  absl::flat_hash_set<BatchState::AttemptKey> attempts;
  absl::flat_hash_set<std::pair<ConversationId, Seq>> numbers;
  Column id_conversation{Type::kUuid}, id{Type::kUuid};
  Column target_conversation{Type::kUuid}, target_seq{Type::kInt8}, target_id{Type::kUuid};
  Column reaction_conversation{Type::kUuid}, reaction_seq{Type::kInt8}, reaction_id{Type::kUuid},
      reaction_user{Type::kUuid}, reaction_emoji{Type::kText};

  void target(ConversationId conversation, const chat::MessageRef& ref) {
    target_conversation.add(conversation);
    target_seq.add_int8(ref.seq);
    target_id.add(ref.id);
  }
  void want(const Operation& operation, const CreateConversation& op) {
    for (const NewMember& member : op.members) users.insert(member.user);
    (void)operation;
  }
  void want(const Operation& operation, const AppendMessage& op) {
    const In actor(operation.conversation, operation.actor);
    readers.try_emplace(actor, false);
    if (BatchState::knows_first_attempt(careful, op) && !op.client_id.empty())
      attempts.emplace(operation.conversation, operation.actor, op.client_id);
    if (op.reply_to != 0) target(operation.conversation, {.seq = op.reply_to, .id = {}});
  }
  void want(const Operation& operation, const EditMessage& op) {
    target(operation.conversation, op.message);
  }
  void want(const Operation& operation, const DeleteMessage& op) {
    target(operation.conversation, op.message);
  }
  void want(const Operation& operation, const ChangeReaction& op) {
    target(operation.conversation, op.message);
    reaction_conversation.add(operation.conversation);
    reaction_seq.add_int8(op.message.seq);
    reaction_id.add(op.message.id);
    reaction_user.add(operation.actor);
    reaction_emoji.add_text(op.emoji);
  }
  void want(const Operation& operation, const AddMember& op) {
    members.emplace(operation.conversation, op.user);
    users.insert(op.user);
  }
  void want(const Operation& operation, const RemoveMember& op) {
    members.emplace(operation.conversation, op.user);
  }
  void want(const Operation& operation, const SetRole& op) {
    members.emplace(operation.conversation, op.user);
  }
  void want(const Operation& operation, const AdvanceMark& op) {
    readers[{operation.conversation, operation.actor}] = true;
    if (op.kind == chat::MarkKind::kSeen) numbers.emplace(operation.conversation, op.seq);
  }
  void want(const Operation&, const Rename&) {}
  void want(const Operation&, const SetMute&) {}
};

std::size_t index_of(chat::MarkKind kind) {
  return static_cast<std::size_t>(kind);
}

}  // namespace

void BatchLook::add(Write statement, Params params) {
  order_.push_back(statement);
  calls_.push_back(
      {.statement = static_cast<std::uint8_t>(statement), .params = std::move(params)});
}

BatchLook::BatchLook(std::span<const Operation> operations, bool careful) {
  Wanted wanted;
  wanted.careful = careful;
  state_.is_careful = careful;
  for (const Operation& operation : operations) {
    if (state_.by_id.try_emplace(operation.conversation, 0).second)
      state_.conversations.emplace_back().id = operation.conversation;
    wanted.members.emplace(operation.conversation, operation.actor);
    std::visit([&](const auto& op) { wanted.want(operation, op); }, operation.body);
    const auto* append = std::get_if<AppendMessage>(&operation.body);
    if (careful && append != nullptr) {
      wanted.id_conversation.add(operation.conversation);
      wanted.id.add(append->id);
    }
  }
  std::sort(state_.conversations.begin(), state_.conversations.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  Column ids(Type::kUuid);
  for (std::uint32_t i = 0; i < state_.conversations.size(); ++i) {
    state_.by_id[state_.conversations[i].id] = i;
    ids.add(state_.conversations[i].id);
  }
  add(Write::kBegin, {});
  add(Write::kLockConversations, std::move(Params().add(std::move(ids))));

  Column conversation(Type::kUuid), user(Type::kUuid);
  for (const auto& [where, who] : wanted.members) {
    conversation.add(where);
    user.add(who);
  }
  add(Write::kFindMembers, std::move(Params().add(std::move(conversation)).add(std::move(user))));
  if (!wanted.users.empty()) {
    Column users(Type::kUuid);
    for (const UserId one : wanted.users) users.add(one);
    add(Write::kFindUsers, std::move(Params().add(std::move(users))));
  }
  if (!wanted.attempts.empty()) {
    Column where(Type::kUuid), who(Type::kUuid), client_id(Type::kText);
    for (const auto& [in, by, key] : wanted.attempts) {
      where.add(in);
      who.add(by);
      client_id.add_text(key);
    }
    add(Write::kFindFirstAttempts,
        std::move(Params().add(std::move(where)).add(std::move(who)).add(std::move(client_id))));
    attempts_ = std::move(wanted.attempts);
  }
  if (!wanted.id.empty()) {
    add(Write::kFindMessageIds,
        std::move(Params().add(std::move(wanted.id_conversation)).add(std::move(wanted.id))));
  }
  if (!wanted.target_id.empty()) {
    add(Write::kFindTargets, std::move(Params()
                                           .add(std::move(wanted.target_conversation))
                                           .add(std::move(wanted.target_seq))
                                           .add(std::move(wanted.target_id))));
  }
  if (!wanted.reaction_id.empty()) {
    add(Write::kFindReactions, std::move(Params()
                                             .add(std::move(wanted.reaction_conversation))
                                             .add(std::move(wanted.reaction_seq))
                                             .add(std::move(wanted.reaction_id))
                                             .add(std::move(wanted.reaction_user))
                                             .add(std::move(wanted.reaction_emoji))));
  }
  if (!wanted.numbers.empty()) {
    Column where(Type::kUuid), seq(Type::kInt8);
    for (const auto& [in, at] : wanted.numbers) {
      where.add(in);
      seq.add_int8(at);
    }
    add(Write::kFindNumbers, std::move(Params().add(std::move(where)).add(std::move(seq))));
  }
  if (!wanted.readers.empty()) {
    Column where(Type::kUuid), who(Type::kUuid), marks(Type::kBool);
    for (const auto& [in, is_mark] : wanted.readers) {
      where.add(in.first);
      who.add(in.second);
      marks.add_bool(is_mark);
    }
    add(Write::kFindReceipts,
        std::move(Params().add(std::move(where)).add(std::move(who)).add(std::move(marks))));
  }
}

namespace {

void read_conversations(const Rows& rows, BatchState& state) {
  for (int i = 0; i < rows.count(); ++i) {
    auto& one = state.conversation(rows.id<ConversationId>(i, 0));
    one.exists = true;
    one.kind = rows.as<chat::ConversationKind>(i, 1);
    one.last_seq = rows.int8(i, 2);
    one.last_no = rows.int8(i, 3);
    one.last_message_seq = rows.int8(i, 4);
    one.last_message_at_us = rows.time(i, 5);
    one.member_count = rows.int8(i, 6);
    one.receipts_upto[index_of(chat::MarkKind::kDelivered)] = rows.int8(i, 7);
    one.receipts_upto[index_of(chat::MarkKind::kSeen)] = rows.int8(i, 8);
    one.created_at_us = rows.time(i, 9);
    one.owner_count = rows.int8(i, 10);
  }
}

void read_members(const Rows& rows, BatchState& state) {
  for (int i = 0; i < rows.count(); ++i) {
    state.members[{rows.id<ConversationId>(i, 0), rows.id<UserId>(i, 1)}] = {
        .was_there = true,
        .is_there = true,
        .row = {.role = rows.as<chat::Role>(i, 2),
                .joined_seq = rows.int8(i, 3),
                .delivered_seq = rows.int8(i, 4),
                .read_seq = rows.int8(i, 5),
                .read_no = rows.int8(i, 6)},
        .muted_until_us = rows.time(i, 7)};
  }
}

BatchState::KnownMessage read_target(const Rows& rows, int row) {
  BatchState::KnownMessage known;
  known.conversation = rows.id<ConversationId>(row, 0);
  known.seq = rows.int8(row, 1);
  known.version = rows.int8(row, 2);
  known.id = rows.id<MessageId>(row, 3);
  known.sender = rows.id<UserId>(row, 4);
  known.deleted_at_us = rows.time(row, 5);
  return known;
}

}  // namespace

BatchState BatchLook::read(const std::vector<Rows>& answer) {
  for (std::size_t n = 0; n < order_.size(); ++n) {
    const Rows& rows = answer[n];
    if (order_[n] == Write::kLockConversations) read_conversations(rows, state_);
    if (order_[n] == Write::kFindMembers) read_members(rows, state_);
    for (int i = 0; i < rows.count(); ++i) {
      switch (order_[n]) {
        case Write::kFindUsers:
          state_.users.insert(rows.id<UserId>(i, 0));
          break;
        case Write::kFindFirstAttempts: {
          BatchState::FirstAttempt first{.seq = rows.int8(i, 3),
                                         .no = rows.int8(i, 4),
                                         .message = rows.id<MessageId>(i, 5),
                                         .at_us = rows.time(i, 6)};
          const std::string_view digest = rows.bytes(i, 7);
          std::memcpy(first.digest.data(), digest.data(),
                      std::min(digest.size(), first.digest.size()));
          // The key's text must outlive the rows: it is the one that was asked for.
          const BatchState::AttemptKey key(rows.id<ConversationId>(i, 0), rows.id<UserId>(i, 1),
                                           rows.bytes(i, 2));
          state_.first_attempts[*attempts_.find(key)] = first;
          break;
        }
        case Write::kFindMessageIds:
          state_.message_ids.emplace(rows.id<ConversationId>(i, 0), rows.id<MessageId>(i, 1));
          break;
        case Write::kFindTargets:
          state_.add(read_target(rows, i));
          break;
        case Write::kFindReactions: {
          const auto conversation = rows.id<ConversationId>(i, 0);
          auto* message = state_.find(conversation, {.seq = rows.int8(i, 1), .id = {}});
          if (message == nullptr) break;  // a system row
          message->reactions = rows.int8(i, 4);
          if (rows.is_null(i, 5)) break;
          const Seq stands = rows.int8(i, 5);
          const std::string& emoji = state_.texts.emplace_back(rows.text(i, 3));
          state_.reactions[{conversation, message->seq, rows.id<UserId>(i, 2), emoji}] = {
              .before = stands, .now = stands};
          break;
        }
        case Write::kFindNumbers:
          state_.numbers[{rows.id<ConversationId>(i, 0), rows.int8(i, 1)}] = rows.int8(i, 2);
          break;
        case Write::kFindReceipts:
          state_.conversation(rows.id<ConversationId>(i, 0))
              .receipts[rows.int2(i, 1)]
              .load(rows.int8(i, 3), {.from = rows.int8(i, 2),
                                      .user = rows.id<UserId>(i, 4),
                                      .at_us = rows.time(i, 5)});
          break;
        default:
          break;
      }
    }
  }
  return std::move(state_);
}

}  // namespace uproar::storage::postgres
