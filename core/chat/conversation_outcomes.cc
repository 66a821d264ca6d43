// Hot path: per committed message: no allocation but the row that resume keeps.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"
#include "core/chat/node_event.h"

namespace uproar::chat {
namespace {

using storage::OutcomeStatus;

// The store forbids for one reason, that the actor is not a member, but for edits and deletions, which may be another's.
ErrorCode forbidden(const Conversation& conversation, const storage::Operation& operation) {
  const auto& body = operation.body;
  if (std::holds_alternative<storage::EditMessage>(body) ||
      std::holds_alternative<storage::DeleteMessage>(body)) {
    return ErrorCode::kForbidden;
  }
  const auto* append = std::get_if<storage::AppendMessage>(&body);
  const bool is_member_without_the_right = append != nullptr && append->retry_only &&
                                           conversation.find_member(operation.actor) != nullptr;
  return is_member_without_the_right ? ErrorCode::kForbidden : ErrorCode::kNotMember;
}

ErrorCode error_of(const Conversation& conversation, const storage::Operation& operation,
                   OutcomeStatus status) {
  switch (status) {
    case OutcomeStatus::kKeyReused:
      return ErrorCode::kKeyReused;
    case OutcomeStatus::kNotFound: {
      // Somebody who leaves, and has left already by another device.
      const auto* removal = std::get_if<storage::RemoveMember>(&operation.body);
      return removal != nullptr && removal->user == operation.actor ? ErrorCode::kNotMember
                                                                    : ErrorCode::kNotFound;
    }
    case OutcomeStatus::kForbidden:
      return forbidden(conversation, operation);
    case OutcomeStatus::kConflict:
      return ErrorCode::kConflict;
    case OutcomeStatus::kUnavailable:
    case OutcomeStatus::kCommitted:
    case OutcomeStatus::kDuplicate:
      break;
  }
  return ErrorCode::kUnavailable;
}

}  // namespace

void ConversationRole::on_committed(std::span<const storage::Outcome> outcomes) {
  for (const storage::Outcome& outcome : outcomes) {
    const auto waiting = pending_.find(outcome.ticket);
    UPROAR_CHECK(waiting != pending_.end(), outcome.ticket);
    Pending pending = std::move(waiting->second);
    pending_.erase(waiting);
    Conversation* conversation = find(pending.operation.conversation);
    UPROAR_CHECK(conversation != nullptr && conversation->pending > 0, outcome.ticket);
    --conversation->pending;
    outcome_of(*conversation, pending, outcome);
    if (conversation->state == Conversation::State::kAbsent) {
      handle_absent(*conversation);  // may be gone
      continue;
    }
    if (conversation->state == Conversation::State::kReady) {
      release_held(
          *conversation);  // when all is said of the outcome: who has joined has its answer
      note_if_closed(*conversation);
    }
    repair_if_behind(*conversation);
    advance_attaches(*conversation);
    // Who waits for room gets it in turn with the others: this conversation's batch was the last
    // one.
    if (!conversation->wants_room) unpark(*conversation);
  }
  give_room();
}

void ConversationRole::outcome_of(Conversation& conversation, Pending& pending,
                                  const storage::Outcome& outcome) {
  if (outcome.status != OutcomeStatus::kCommitted && outcome.status != OutcomeStatus::kDuplicate) {
    if (outcome.status == OutcomeStatus::kUnavailable) {
      context_.counters.commits_failed.add();
      commit_failed(conversation);
    }
    failed(conversation, pending, error_of(conversation, pending.operation, outcome.status));
    return;
  }
  if (outcome.status == OutcomeStatus::kDuplicate) {
    context_.counters.duplicates.add();
  } else if (outcome.seq <= pending.published_seq &&
             std::holds_alternative<storage::AppendMessage>(pending.operation.body)) {
    context_.counters.seqs_given_again.add();
  }
  const bool is_creation =
      std::holds_alternative<storage::CreateConversation>(pending.operation.body);
  if (!is_creation && conversation.state != Conversation::State::kReady && outcome.seq > 0) {
    // The creation before it turned out to be there already, or its answer was lost: whoever hears, hears after loading.
    const Seq before = outcome.seq - 1;
    conversation.published_at_most =
        std::min(conversation.published_at_most.value_or(before), before);
    if (conversation.state != Conversation::State::kLoading) {
      conversation.state = Conversation::State::kLoading;
      load(conversation);
    }
  }
  std::visit([&](auto& op) { committed(conversation, pending, op, outcome); },
             pending.operation.body);
}

bool ConversationRole::is_next(Conversation& conversation, Seq seq) {
  conversation.last_seq = std::max(conversation.last_seq, seq);
  if (conversation.state != Conversation::State::kReady || conversation.has_hole) return false;
  if (seq == conversation.published_seq + 1) {
    conversation.published_seq = seq;
    return true;
  }
  if (seq > conversation.published_seq) repair_soon(conversation);
  return false;
}

void ConversationRole::announce(Conversation& conversation, Seq seq, ServerEvent&& event) {
  const TopicId topic = topic_of(conversation.id);
  const bool is_turn = is_next(conversation, seq);
  if (is_turn) {
    context_.publish(topic, event, Delivery::kMessage, seq, nullptr);
    keep_row(conversation, std::move(event));
  } else if (context_.nodes != nullptr) {
    context_.outbox.publish(topic, {.here = false, .nodes = true, .seq = seq}, event,
                            Delivery::kMessage, nullptr);
    if (conversation.state == Conversation::State::kReady && seq > conversation.published_seq)
      hold(conversation, seq, std::move(event), {});
  }
}

void ConversationRole::keep_row(Conversation& conversation, ServerEvent&& event) {
  const std::size_t bytes_before = conversation.recent.bytes();
  RecentRows& rows = conversation.recent;
  if (auto* fresh = std::get_if<MessageNew>(&event)) {
    rows.push(std::move(fresh->message), context_.limits.recent_rows_max);
  } else if (const auto* updated = std::get_if<MessageUpdated>(&event)) {
    rows.edit(updated->message_seq, updated->seq, updated->content, updated->edited_at_us);
  } else if (const auto* deleted = std::get_if<MessageDeleted>(&event)) {
    rows.erase_content(deleted->message_seq, deleted->seq, deleted->deleted_at_us);
  } else if (const auto* reacted = std::get_if<ReactionUpdated>(&event)) {
    rows.react(reacted->message_seq, reacted->seq, {.emoji = reacted->emoji, .user = reacted->user},
               reacted->added);
  } else if (auto row = system_row_of(event)) {
    rows.push(std::move(*row), context_.limits.recent_rows_max);
  }
  account_recent(conversation, bytes_before);
}

void ConversationRole::publish(const Conversation& conversation, const ServerEvent& event,
                               Delivery delivery, const Endpoint* except) {
  context_.publish(topic_of(conversation.id), event, delivery, 0, except);
}

// --- creation ------------------------------------------------------------------------------------------------------

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::CreateConversation& op, const storage::Outcome& outcome) {
  using State = Conversation::State;
  if (outcome.status == OutcomeStatus::kDuplicate) {
    // It was there all the time (created on another node, or by a commit whose answer was lost).
    if (pending.is_creation_answer) {
      Conversation::Waiting again{
          .item =
              ForwardedCommand{{pending.actor, ClientEvent(ConversationCreate{})}, conversation.id},
          .bytes = sizeof(Conversation::Waiting),
          .since_us = context_.now.monotonic_us};
      ++parked_count_;
      parked_bytes_ += again.bytes;
      conversation.parked.push_front(std::move(again));
    }
    conversation.state = State::kLoading;
    load(conversation);
    return;
  }
  conversation.state = State::kReady;
  conversation.needs_verify =
      false;  // an earlier creation failed; this one shows that it left nothing
  conversation.verify_backoff_ms = 0;
  conversation.kind = op.kind;
  conversation.name = std::move(op.name);
  conversation.created_at_us = outcome.at_us;
  conversation.members.reserve(op.members.size());
  for (const storage::NewMember& member : op.members) {
    conversation.members.push_back({.user = member.user, .role = member.role});
  }
  auto& members = conversation.members;
  std::stable_sort(members.begin(), members.end(),
                   [](const MemberState& a, const MemberState& b) { return a.user < b.user; });
  members.erase(
      std::unique(members.begin(), members.end(),
                  [](const MemberState& a, const MemberState& b) { return a.user == b.user; }),
      members.end());
  conversation.recent.reset(0);
  Endpoint but;
  if (pending.is_creation_answer) {
    but = pending.actor.from;
    context_.reply(pending.actor, ServerEvent(ConversationCreated{
                                      .conversation = view_for(conversation, pending.actor.user, 0),
                                      .duplicate = false}));
  }
  for (const storage::NewMember& member : op.members)
    tell_joined(conversation, member.user, 0, but, true);
  if (pending.is_creation_answer) tell_asker(conversation, pending.actor, 0, true);
  if (context_.nodes != nullptr) {
    release_held(conversation);
    if (conversation.wants_look) want_look(conversation);  // listening began while it was created
    answer_asking(conversation);
  }
}

// --- messages ------------------------------------------------------------------------------------------------------

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::AppendMessage& op, const storage::Outcome& outcome) {
  const Actor& actor = pending.actor;
  const bool is_duplicate = outcome.status == OutcomeStatus::kDuplicate;
  context_.reply(actor, ServerEvent(MessageSent{.message = outcome.message,
                                                .conversation = conversation.id,
                                                .seq = outcome.seq,
                                                .sent_at_us = outcome.at_us,
                                                .duplicate = is_duplicate}));
  if (is_duplicate) {
    // Stored by a commit whose answer was lost, and not heard so far?
    if (conversation.state == Conversation::State::kReady &&
        outcome.seq > conversation.published_seq) {
      conversation.last_seq = std::max(conversation.last_seq, outcome.seq);
      repair_soon(conversation);
    }
    return;
  }
  context_.counters.messages_committed.add();
  stop_typing(conversation, actor.user);

  sent_by(conversation, actor.user, outcome.seq, outcome.no, outcome.at_us);
  ServerEvent event(std::in_place_type<MessageNew>);
  Message& message = std::get<MessageNew>(event).message;
  message.id = outcome.message;
  message.conversation = conversation.id;
  message.seq = outcome.seq;
  message.no = outcome.no;
  message.version = outcome.seq;
  message.sender = actor.user;
  message.client_id = std::move(op.client_id);
  message.type = op.type;
  message.content = std::move(op.content);
  message.attachments = std::move(op.attachments);
  message.reply_to = op.reply_to;
  message.mentions = std::move(op.mentions);
  message.sent_at_us = outcome.at_us;
  announce(conversation, outcome.seq, std::move(event));
}

void ConversationRole::message_changed(Conversation& conversation, const Actor& actor,
                                       const storage::Outcome& outcome, ServerEvent&& event) {
  const bool is_duplicate = outcome.status == OutcomeStatus::kDuplicate;
  // Without an id the answer would be the event once more.
  if (is_duplicate || wants_reply(actor)) context_.reply(actor, event);
  if (!is_duplicate) announce(conversation, outcome.seq, std::move(event));
}

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::EditMessage& op, const storage::Outcome& outcome) {
  message_changed(conversation, pending.actor, outcome,
                  MessageUpdated{.conversation = conversation.id,
                                 .seq = outcome.seq,
                                 .message_seq = outcome.message_seq,
                                 .message = outcome.message,
                                 .sender = pending.actor.user,
                                 .content = std::move(op.content),
                                 .edited_at_us = outcome.at_us});
}

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::DeleteMessage& op, const storage::Outcome& outcome) {
  (void)op;
  message_changed(conversation, pending.actor, outcome,
                  MessageDeleted{.conversation = conversation.id,
                                 .seq = outcome.seq,
                                 .message_seq = outcome.message_seq,
                                 .message = outcome.message,
                                 .by = pending.actor.user,
                                 .deleted_at_us = outcome.at_us});
}

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::ChangeReaction& op, const storage::Outcome& outcome) {
  message_changed(conversation, pending.actor, outcome,
                  ReactionUpdated{.conversation = conversation.id,
                                  .seq = outcome.seq,
                                  .message_seq = outcome.message_seq,
                                  .message = outcome.message,
                                  .user = pending.actor.user,
                                  .emoji = std::move(op.emoji),
                                  .added = op.add});
}

// --- marks ---------------------------------------------------------------------------------------------------------

void ConversationRole::committed(Conversation& conversation, Pending& pending,
                                 storage::AdvanceMark& op, const storage::Outcome& outcome) {
  const bool is_seen = op.kind == MarkKind::kSeen;
  const ServerEvent update(ReceiptUpdate{.conversation = conversation.id,
                                         .user = pending.actor.user,
                                         .delivered_seq = is_seen ? 0 : outcome.seq,
                                         .read_seq = is_seen ? outcome.seq : 0,
                                         .at_us = outcome.at_us});
  bool is_news = outcome.status == OutcomeStatus::kCommitted;
  if (MemberState* member = conversation.find_member(pending.actor.user)) {
    if (is_news) {
      conversation.recent.mark(member->user, member->delivered_seq, member->read_seq, is_seen,
                               outcome.seq, outcome.at_us);
    } else if (conversation.announces_marks() &&
               outcome.seq > (is_seen ? member->read_seq : member->delivered_seq)) {
      // Stored by another node, or by a commit whose answer was lost, and not heard of.
      is_news = true;
      forget_recent(conversation);
    }
    member->delivered_seq = std::max(member->delivered_seq, outcome.seq);
    if (is_seen) {
      member->read_seq = std::max(member->read_seq, outcome.seq);
      member->read_no = std::max(member->read_no, outcome.no);
    }
  }
  if (is_news) {
    note_announced(conversation, pending.actor.user, outcome.seq, is_seen ? outcome.seq : 0);
    context_.counters.receipts_committed.add();
    if (conversation.announces_marks()) {
      publish(conversation, update, Delivery::kReceipt);
    } else {
      context_.counters.receipts_unpublished.add();
    }
  }
  mark_ended(conversation, pending, op.kind, update);
}

void ConversationRole::mark_ended(Conversation& conversation, Pending& pending, MarkKind kind,
                                  const ServerEvent& answer) {
  const auto slot = std::find_if(
      conversation.marks.begin(), conversation.marks.end(),
      [&](const MarkSlot& x) { return x.user == pending.actor.user && x.kind == kind; });
  UPROAR_CHECK(slot != conversation.marks.end());
  const auto* error = std::get_if<Error>(&answer);
  for (const Actor& actor : slot->staged) {
    if (error != nullptr) {
      context_.refuse(actor, *error);
    } else if (wants_reply(actor)) {
      context_.reply(actor, answer);
    }
  }
  slot->staged = std::exchange(slot->waiting, {});
  const Seq next = std::exchange(slot->waiting_seq, 0);
  if (next != 0) {
    const auto refusal =
        try_stage(conversation, pending.actor, storage::AdvanceMark{kind, next}, false);
    if (!refusal) return;
    for (const Actor& actor : slot->staged) context_.refuse(actor, *refusal);
  }
  conversation.marks.erase(slot);
}

void ConversationRole::committed(Conversation& conversation, Pending& pending, storage::SetMute& op,
                                 const storage::Outcome& outcome) {
  (void)outcome;
  context_.reply(pending.actor, ServerEvent(ConversationMuted{.conversation = conversation.id,
                                                              .muted_until_us = op.until_us}));
}

// --- failure -------------------------------------------------------------------------------------------------------

void ConversationRole::failed(Conversation& conversation, Pending& pending, ErrorCode code) {
  const Error error{.code = code, .detail = {}, .retry_after_ms = context_.retry_after_ms(code)};
  const auto& body = pending.operation.body;
  if (const auto* mark = std::get_if<storage::AdvanceMark>(&body)) {
    mark_ended(conversation, pending, mark->kind, ServerEvent(error));
  } else if (const auto* added = std::get_if<storage::AddMember>(&body);
             added != nullptr && added->user == pending.actor.user) {
    joining_done(conversation, pending.actor, {});
    context_.refuse(pending.actor, error);
    tell_if_member(conversation, added->user);
  } else if (added != nullptr || std::holds_alternative<storage::RemoveMember>(body) ||
             std::holds_alternative<storage::SetRole>(body)) {
    change_step_done(conversation, {}, error);
  } else if (std::holds_alternative<storage::CreateConversation>(body)) {
    UPROAR_CHECK(conversation.state == Conversation::State::kCreating);
    conversation.state = Conversation::State::kAbsent;
    if (code == ErrorCode::kUnavailable) {  // verify_due() looks whether it is there
      conversation.state = Conversation::State::kLoading;
      conversation.creation_in_doubt = true;
      conversation.published_at_most = 0;
    }
    if (pending.is_creation_answer) context_.refuse(pending.actor, error);
  } else {
    context_.refuse(pending.actor, error);
  }
}

}  // namespace uproar::chat
