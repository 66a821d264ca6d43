// Hot path: per event.publish and message.send. event.publish: 0 allocations here; message.send: one copy of its body
// for the hearers.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"
#include "proto/base/sort_unique.h"

namespace uproar::chat {

bool ConversationRole::is_write(const ClientEvent& event) {
  return !std::holds_alternative<EventPublish>(event) &&
         !std::holds_alternative<TypingChange>(event) && !std::holds_alternative<History>(event) &&
         !std::holds_alternative<ConversationCreate>(event);
}

bool ConversationRole::is_barred(const Conversation& conversation, const Command& command) {
  const MembershipCommand& change = conversation.change;
  if (change.left == 0) return false;
  if (change.joining.empty() || !std::holds_alternative<ConversationJoin>(command.event))
    return true;
  return std::any_of(change.joining.begin(), change.joining.end(),
                     [&](const Actor& x) { return x.user == command.actor.user; });
}

void ConversationRole::on(ForwardedCommand command) {
  const Actor& actor = command.command.actor;
  if (const auto* create = std::get_if<ConversationCreate>(&command.command.event)) {
    const bool is_fresh = create->kind != ConversationKind::kDirect && create->client_id.empty();
    if (is_fresh && find(command.conversation) == nullptr) {
      Conversation* conversation = insert(command.conversation, Conversation::State::kAbsent);
      if (conversation == nullptr) {
        context_.refuse(actor, ErrorCode::kOverloaded);
      } else if (lacks_room(*conversation, command.command.event)) {
        if (!park(*conversation, std::move(command))) erase(*conversation);
      } else if (!begin_creation(*conversation, std::move(command))) {
        erase(*conversation);
      }
      return;
    }
  }
  Conversation* conversation = find_or_load(command.conversation);
  if (conversation == nullptr) {
    context_.refuse(actor, ErrorCode::kOverloaded);
    return;
  }
  if (conversation->state != Conversation::State::kReady) {
    park(*conversation, std::move(command));
    return;
  }
  if (needs_look(*conversation, command.command)) {
    park_for_look(*conversation, std::move(command));
    return;
  }
  if (is_write(command.command.event)) {
    // Waiting in vain helps nobody: while the store cannot be read, writes are refused at once.
    const bool is_hopeless = conversation->needs_verify && !conversation->is_loading &&
                             conversation->verify_backoff_ms > kVerifyBackoffMinMs;
    if (is_hopeless) {
      context_.refuse(actor, ErrorCode::kUnavailable);
      return;
    }
    if (!conversation->parked.empty() || is_barred(*conversation, command.command) ||
        conversation->needs_verify || lacks_room(*conversation, command.command.event)) {
      park(*conversation, std::move(command));
      return;
    }
  }
  run(*conversation, std::move(command));
}

// With several nodes: whether what is known here may be too old to answer from. How much a member has not read is not
// what receipts tell, and what is missing here is not counted.
bool ConversationRole::needs_look(const Conversation& conversation, const Command& command) const {
  if (context_.nodes == nullptr) return false;
  const bool is_answered_from_here = std::holds_alternative<ConversationJoin>(command.event) ||
                                     std::holds_alternative<ConversationCreate>(command.event);
  const bool is_uncounted =
      conversation.marks_doubtful || !conversation.announces_marks() || conversation.is_behind();
  return (is_answered_from_here && is_uncounted) ||
         is_stranger_in_doubt(conversation, command.actor.user);
}

// REQUIRES: ready, and for writes: neither a membership change nor a check is under way.
void ConversationRole::run(Conversation& conversation, ForwardedCommand forwarded) {
  const Actor actor = std::move(forwarded.command.actor);
  ClientEvent& event = forwarded.command.event;
  if (auto* publish_command = std::get_if<EventPublish>(&event)) {
    publish_event(conversation, actor, *publish_command);
  } else if (auto* send = std::get_if<MessageSend>(&event)) {
    send_message(conversation, actor, *send);
  } else if (auto* edit_command = std::get_if<MessageEdit>(&event)) {
    edit(conversation, actor, *edit_command);
  } else if (auto* erase_command = std::get_if<MessageDelete>(&event)) {
    erase_message(conversation, actor, *erase_command);
  } else if (auto* reaction = std::get_if<ReactionChange>(&event)) {
    react(conversation, actor, *reaction);
  } else if (auto* mark = std::get_if<MarkAdvance>(&event)) {
    advance_mark(conversation, actor, *mark);
  } else if (auto* typing_command = std::get_if<TypingChange>(&event)) {
    typing(conversation, actor, typing_command->typing);
  } else if (std::holds_alternative<ConversationCreate>(event)) {
    created_again(conversation, actor);
  } else if (std::holds_alternative<ConversationJoin>(event)) {
    join(conversation, actor);
  } else if (std::holds_alternative<ConversationLeave>(event)) {
    leave(conversation, actor);
  } else if (auto* add = std::get_if<MemberAdd>(&event)) {
    add_members(conversation, actor, *add);
  } else if (auto* remove = std::get_if<MemberRemove>(&event)) {
    remove_member(conversation, actor, remove->user);
  } else if (auto* role = std::get_if<MemberRole>(&event)) {
    change_role(conversation, actor, *role);
  } else if (auto* rename_command = std::get_if<ConversationRename>(&event)) {
    rename(conversation, actor, *rename_command);
  } else if (auto* mute = std::get_if<ConversationMute>(&event)) {
    if (permit(conversation, actor, Act::kReact) != nullptr) {
      (void)stage(conversation, actor, storage::SetMute{mute->until_us});
    }
  } else if (auto* history_command = std::get_if<History>(&event)) {
    history(conversation, actor, *history_command);
  } else {
    UPROAR_CHECK(false, event.index());  // SessionRole::route() forwards no other
  }
}

// --- rights and staging --------------------------------------------------------------------------------------------

std::optional<Error> ConversationRole::refusal_of(const Conversation& conversation, UserId user,
                                                  Act act) {
  const auto refusal = [](ErrorCode code, std::string_view detail = {}) {
    return Error{.code = code, .detail = detail, .retry_after_ms = 0};
  };
  const MemberState* member = conversation.find_member(user);
  if (member == nullptr) return refusal(ErrorCode::kNotMember);
  const std::optional<Role> least = least_role(act, conversation.kind);
  if (!least) return refusal(ErrorCode::kConflict, "this kind of conversation does not have that");
  if (member->role < *least) return refusal(ErrorCode::kForbidden);
  return std::nullopt;
}

MemberState* ConversationRole::permit(Conversation& conversation, const Actor& actor, Act act) {
  if (const auto refusal = refusal_of(conversation, actor.user, act)) {
    context_.refuse(actor, *refusal);
    return nullptr;
  }
  return conversation.find_member(actor.user);
}

std::optional<Error> ConversationRole::try_stage(Conversation& conversation, const Actor& actor,
                                                 Body body, bool is_creation_answer) {
  const auto refusal = [this](ErrorCode code) {
    return Error{.code = code, .detail = {}, .retry_after_ms = context_.log.retry_after_ms()};
  };
  if (pending_.size() >= kPendingMax) return refusal(ErrorCode::kOverloaded);
  storage::Operation operation{.ticket = next_ticket_,
                               .conversation = conversation.id,
                               .actor = actor.user,
                               .at_us = context_.now.wall_us,
                               .body = std::move(body)};
  switch (context_.log.stage(operation)) {
    case storage::StageResult::kStaged:
      break;
    case storage::StageResult::kFull:
      return refusal(ErrorCode::kOverloaded);
    case storage::StageResult::kUnavailable:
      return refusal(ErrorCode::kUnavailable);
  }
  ++conversation.pending;
  pending_.emplace(next_ticket_++, Pending{.operation = std::move(operation),
                                           .actor = actor,
                                           .published_seq = conversation.published_seq,
                                           .is_creation_answer = is_creation_answer});
  return std::nullopt;
}

bool ConversationRole::stage(Conversation& conversation, const Actor& actor, Body body,
                             bool is_creation_answer) {
  const std::optional<Error> error =
      try_stage(conversation, actor, std::move(body), is_creation_answer);
  if (error) context_.refuse(actor, *error);
  return !error;
}

// --- creation ------------------------------------------------------------------------------------------------------

// False when nothing was staged; the refusal is out.
bool ConversationRole::begin_creation(Conversation& conversation, ForwardedCommand forwarded) {
  UPROAR_CHECK(conversation.state == Conversation::State::kAbsent);
  const Actor actor = std::move(forwarded.command.actor);
  if (auto* create = std::get_if<ConversationCreate>(&forwarded.command.event)) {
    if (create->members.size() + 1 > context_.limits.members_max) {
      context_.refuse(actor, ErrorCode::kTooLarge, "members: too many");
      return false;
    }
    const bool is_direct = create->kind == ConversationKind::kDirect;
    storage::CreateConversation body{.kind = create->kind, .name = {}, .members = {}};
    if (!is_direct) body.name = std::move(create->name);
    body.members.push_back({.user = actor.user, .role = is_direct ? Role::kMember : Role::kOwner});
    for (const UserId user : create->members)
      body.members.push_back({.user = user, .role = Role::kMember});
    if (!stage(conversation, actor, std::move(body), true)) return false;
    conversation.state = Conversation::State::kCreating;
    return true;
  }
  auto& send = std::get<MessageSend>(forwarded.command.event);
  if (const std::optional<Error> error = check_message(send)) {
    context_.refuse(actor, *error);
    return false;
  }
  storage::CreateConversation body{.kind = ConversationKind::kDirect,
                                   .name = {},
                                   .members = {{.user = actor.user, .role = Role::kMember},
                                               {.user = send.to, .role = Role::kMember}}};
  if (!stage(conversation, actor, std::move(body))) return false;
  conversation.state = Conversation::State::kCreating;
  // The same batch as a rule. Should it not fit, the conversation exists and the sender comes again.
  (void)stage(conversation, actor, append_of(send));
  return true;
}

void ConversationRole::created_again(Conversation& conversation, const Actor& actor) {
  if (conversation.find_member(actor.user) == nullptr) {
    context_.refuse(actor, ErrorCode::kConflict, "the conversation exists and you are not in it");
    return;
  }
  context_.counters.duplicates.add();
  context_.reply(actor,
                 ServerEvent(ConversationCreated{
                     .conversation = view_for(conversation, actor.user, conversation.published_seq),
                     .duplicate = true}));
}

// --- messages ------------------------------------------------------------------------------------------------------

storage::AppendMessage ConversationRole::append_of(MessageSend& send) {
  return {.id = MessageId(context_.ids.make(context_.now)),
          .client_id = std::move(send.client_id),
          .type = send.type,
          .content = std::move(send.content),
          .attachments = std::move(send.attachments),
          .reply_to = send.reply_to,
          .mentions = std::move(send.mentions)};
}

std::optional<Error> ConversationRole::check_message(const MessageSend& send) const {
  if (send.content.size() > context_.limits.content_bytes_max) {
    return Error{.code = ErrorCode::kTooLarge, .detail = "content: too large", .retry_after_ms = 0};
  }
  if (send.type == MessageType::kSystem) {
    return Error{.code = ErrorCode::kInvalidField,
                 .detail = "kind: the server alone says system",
                 .retry_after_ms = 0};
  }
  return std::nullopt;
}

void ConversationRole::send_message(Conversation& conversation, const Actor& actor,
                                    MessageSend& send) {
  const std::optional<Error> refusal = refusal_of(conversation, actor.user, Act::kPost);
  const std::optional<Error> error = check_message(send);
  if (refusal && (error || send.client_id.empty())) {
    context_.refuse(actor, *refusal);
    return;
  }
  if (error) {
    context_.refuse(actor, *error);
    return;
  }
  storage::AppendMessage append = append_of(send);
  // Whoever left after the commit, and lost its answer, retries: the store alone knows (docs/contract.md, D3).
  append.retry_only = refusal.has_value();
  (void)stage(conversation, actor, std::move(append));
}

void ConversationRole::edit(Conversation& conversation, const Actor& actor, MessageEdit& edit) {
  if (permit(conversation, actor, Act::kEditOwn) == nullptr) return;
  if (edit.content.size() > context_.limits.content_bytes_max) {
    context_.refuse(actor, ErrorCode::kTooLarge, "content: too large");
    return;
  }
  (void)stage(conversation, actor, storage::EditMessage{edit.message, std::move(edit.content)});
}

void ConversationRole::erase_message(Conversation& conversation, const Actor& actor,
                                     const MessageDelete& erase) {
  const MemberState* member = permit(conversation, actor, Act::kEditOwn);
  if (member == nullptr) return;
  const std::optional<Role> least = least_role(Act::kDeleteOthers, conversation.kind);
  (void)stage(conversation, actor,
              storage::DeleteMessage{erase.message, least.has_value() && member->role >= *least});
}

void ConversationRole::react(Conversation& conversation, const Actor& actor,
                             ReactionChange& change) {
  if (permit(conversation, actor, Act::kReact) == nullptr) return;
  (void)stage(conversation, actor,
              storage::ChangeReaction{change.message, std::move(change.emoji), change.add});
}

// --- marks ---------------------------------------------------------------------------------------------------------

void ConversationRole::advance_mark(Conversation& conversation, const Actor& actor,
                                    const MarkAdvance& mark) {
  const MemberState* member = permit(conversation, actor, Act::kReact);
  if (member == nullptr) return;
  const bool is_seen = mark.kind == MarkKind::kSeen;
  const Seq stands = is_seen ? member->read_seq : member->delivered_seq;
  // With several nodes more may be committed than is known here: the store knows its end.
  const Seq wanted =
      context_.nodes != nullptr ? mark.seq : std::min(mark.seq, conversation.last_seq);
  if (wanted <= stands) {
    if (wants_reply(actor)) {
      context_.reply(actor, ServerEvent(ReceiptUpdate{.conversation = conversation.id,
                                                      .user = actor.user,
                                                      .delivered_seq = is_seen ? 0 : stands,
                                                      .read_seq = is_seen ? stands : 0,
                                                      .at_us = context_.now.wall_us}));
    }
    return;
  }
  const auto slot =
      std::find_if(conversation.marks.begin(), conversation.marks.end(),
                   [&](const MarkSlot& x) { return x.user == actor.user && x.kind == mark.kind; });
  if (slot != conversation.marks.end()) {
    if (wants_reply(actor)) {
      if (slot->waiting.size() >= kMarkRepliesMax) {
        context_.refuse(actor, ErrorCode::kOverloaded);
        return;
      }
      slot->waiting.push_back(actor);
    }
    if (slot->waiting_seq != 0) context_.counters.receipts_coalesced.add();
    slot->waiting_seq = std::max(slot->waiting_seq, wanted);
    return;
  }
  if (conversation.marks.size() >= kWaitingMarksMax) {
    context_.refuse(actor, ErrorCode::kOverloaded);
    return;
  }
  if (!stage(conversation, actor, storage::AdvanceMark{mark.kind, wanted})) return;
  conversation.marks.push_back(
      {.user = actor.user, .kind = mark.kind, .waiting_seq = 0, .waiting = {}, .staged = {actor}});
}

// --- ephemeral -----------------------------------------------------------------------------------------------------

void ConversationRole::publish_event(Conversation& conversation, const Actor& actor,
                                     EventPublish& event) {
  if (permit(conversation, actor, Act::kReact) == nullptr) return;
  if (event.data.size() > context_.limits.event_bytes_max) {
    context_.refuse(actor, ErrorCode::kTooLarge, "data: too large");
    return;
  }
  context_.counters.events_published.add();
  publish(conversation,
          ServerEvent(Event{.conversation = conversation.id,
                            .sender = actor.user,
                            .name = std::move(event.name),
                            .data = std::move(event.data)}),
          Delivery::kEphemeral);
  if (wants_reply(actor)) context_.reply(actor, ServerEvent(Ok{}));
}

void ConversationRole::typing(Conversation& conversation, const Actor& actor, bool is_typing) {
  if (permit(conversation, actor, Act::kPost) == nullptr) return;
  if (wants_reply(actor)) context_.reply(actor, ServerEvent(Ok{}));
  if (!is_typing) {
    stop_typing(conversation, actor.user);
    return;
  }
  const std::int64_t until_us = context_.now.monotonic_us + std::int64_t{kTypingMs} * 1000;
  for (Typer& typer : conversation.typers) {
    if (typer.user != actor.user) continue;
    typer.until_us = until_us;
    return;
  }
  if (conversation.typers.size() >= kTypersMax) {
    context_.counters.typing_shed.add();
    return;
  }
  conversation.typers.push_back({.user = actor.user, .from = actor.from, .until_us = until_us});
  if (!conversation.typing_timer_armed) {
    conversation.typing_timer_armed = true;
    context_.deadlines.arm(until_us, Deadline::Kind::kTyping, conversation.id.uuid());
  }
  publish(conversation,
          ServerEvent(
              TypingUpdate{.conversation = conversation.id, .user = actor.user, .typing = true}),
          Delivery::kEphemeral, &actor.from);
}

void ConversationRole::stop_typing(Conversation& conversation, UserId user) {
  const auto typer = std::find_if(conversation.typers.begin(), conversation.typers.end(),
                                  [&](const Typer& x) { return x.user == user; });
  if (typer == conversation.typers.end()) return;
  const Endpoint from = typer->from;
  conversation.typers.erase(typer);
  publish(conversation,
          ServerEvent(TypingUpdate{.conversation = conversation.id, .user = user, .typing = false}),
          Delivery::kEphemeral, &from);
}

void ConversationRole::typing_due(ConversationId id) {
  Conversation* conversation = find(id);
  if (conversation == nullptr) return;
  conversation->typing_timer_armed = false;
  std::vector<UserId> over;
  std::int64_t next_us = 0;
  for (const Typer& typer : conversation->typers) {
    if (typer.until_us <= context_.now.monotonic_us) {
      over.push_back(typer.user);
    } else if (next_us == 0 || typer.until_us < next_us) {
      next_us = typer.until_us;
    }
  }
  for (const UserId user : over) stop_typing(*conversation, user);
  if (next_us == 0) return;
  conversation->typing_timer_armed = true;
  context_.deadlines.arm(next_us, Deadline::Kind::kTyping, id.uuid());
}

// --- who is here ---------------------------------------------------------------------------------------------------

bool ConversationRole::stage_change(Conversation& conversation, const Actor& actor,
                                    std::vector<Body> bodies, std::optional<ServerEvent> answer) {
  UPROAR_CHECK(conversation.change.left == 0);
  std::reverse(bodies.begin(), bodies.end());
  conversation.change = {.actor = actor,
                         .left = 0,
                         .answer = std::move(answer),
                         .error = {},
                         .rest = std::move(bodies)};
  if (stage_slice(conversation)) return true;
  const MembershipCommand none = std::exchange(conversation.change, {});
  if (none.error) context_.refuse(actor, *none.error);
  return false;
}

// The next operations of a change, when those before have their outcomes: a list of a thousand people shares its batches,
// and the turns in which they are told, with what others say meanwhile. False: nothing was staged.
bool ConversationRole::stage_slice(Conversation& conversation) {
  MembershipCommand& change = conversation.change;
  while (!change.rest.empty() && change.left < kChangeSliceRows) {
    Body body = std::move(change.rest.back());
    change.rest.pop_back();
    if (auto error = try_stage(conversation, change.actor, std::move(body), false)) {
      // What is staged already counts; the command is answered with the error.
      change.error = *error;
      change.rest.clear();
      break;
    }
    ++change.left;
  }
  return change.left > 0;
}

void ConversationRole::join(Conversation& conversation, const Actor& actor) {
  if (conversation.find_member(actor.user) != nullptr) {
    // Not conversation.joined: that word says "you hear it from last_seq on", and resets the client's cursor.
    // A look may be ahead of what is published, and what is unread counts to its end.
    context_.reply(
        actor,
        ServerEvent(ConversationInfo{view_for(conversation, actor.user, conversation.last_seq)}));
    return;
  }
  if (conversation.kind == ConversationKind::kDirect) {
    context_.refuse(actor,
                    ErrorCode::kNotFound);  // as handle_absent() says of one that is not there
    return;
  }
  if (!least_role(Act::kJoin, conversation.kind)) {
    context_.refuse(actor, ErrorCode::kForbidden, "only channels are open to everyone");
    return;
  }
  MembershipCommand& change = conversation.change;
  if (conversation.members.size() + change.joining.size() >= context_.limits.members_max) {
    context_.refuse(actor, ErrorCode::kConflict, "the conversation is full");
    return;
  }
  const storage::AddMember body{.user = actor.user, .role = Role::kMember};
  if (!stage(conversation, actor, body)) return;
  ++change.left;
  change.joining.push_back(actor);
}

void ConversationRole::leave(Conversation& conversation, const Actor& actor) {
  const MemberState* member = permit(conversation, actor, Act::kLeave);
  if (member == nullptr) return;
  std::vector<Body> bodies;
  // The last owner's place goes to the admin, else the member, who has been here longest.
  const MemberState* heir = nullptr;
  bool is_last_owner = member->role == Role::kOwner;
  for (const MemberState& other : conversation.members) {
    if (other.user == actor.user) continue;
    if (other.role == Role::kOwner) is_last_owner = false;
    const bool is_better = heir == nullptr || other.role > heir->role ||
                           (other.role == heir->role && other.joined_seq < heir->joined_seq);
    if (is_better) heir = &other;
  }
  if (is_last_owner && heir != nullptr)
    bodies.emplace_back(storage::SetRole{.user = heir->user, .role = Role::kOwner});
  bodies.emplace_back(storage::RemoveMember{actor.user});
  (void)stage_change(conversation, actor, std::move(bodies), {});
}

void ConversationRole::add_members(Conversation& conversation, const Actor& actor,
                                   const MemberAdd& add) {
  const MemberState* member = permit(conversation, actor, Act::kAdd);
  if (member == nullptr) return;
  if (add.role != Role::kMember && member->role != Role::kOwner) {
    context_.refuse(actor, ErrorCode::kForbidden, "only owners give roles");
    return;
  }
  std::vector<UserId> users = add.users;
  sort_unique(users);
  std::vector<Body> bodies;
  for (const UserId user : users) {
    if (conversation.find_member(user) == nullptr)
      bodies.emplace_back(storage::AddMember{.user = user, .role = add.role});
  }
  if (conversation.members.size() + bodies.size() > context_.limits.members_max) {
    context_.refuse(actor, ErrorCode::kConflict, "the conversation is full");
    return;
  }
  if (bodies.empty()) {  // so it was: seq 0 says that nothing happened
    context_.reply(actor, ServerEvent(MemberAdded{.conversation = conversation.id,
                                                  .seq = 0,
                                                  .user = users.empty() ? UserId() : users.back(),
                                                  .role = add.role,
                                                  .by = actor.user,
                                                  .at_us = context_.now.wall_us}));
    return;
  }
  (void)stage_change(conversation, actor, std::move(bodies), {});
}

void ConversationRole::remove_member(Conversation& conversation, const Actor& actor, UserId user) {
  if (user == actor.user) {
    leave(conversation, actor);
    return;
  }
  const MemberState* member = permit(conversation, actor, Act::kRemove);
  if (member == nullptr) return;
  const MemberState* subject = conversation.find_member(user);
  if (subject == nullptr) {
    context_.refuse(actor, ErrorCode::kNotFound, "user_id: not a member");
    return;
  }
  if (!is_above(member->role, subject->role)) {
    context_.refuse(actor, ErrorCode::kForbidden);
    return;
  }
  (void)stage_change(conversation, actor, {storage::RemoveMember{user}}, {});
}

void ConversationRole::change_role(Conversation& conversation, const Actor& actor,
                                   const MemberRole& change) {
  if (permit(conversation, actor, Act::kChangeRole) == nullptr) return;
  const MemberState* subject = conversation.find_member(change.user);
  if (subject == nullptr) {
    context_.refuse(actor, ErrorCode::kNotFound, "user_id: not a member");
    return;
  }
  if (subject->role == Role::kOwner && change.role != Role::kOwner) {
    const auto owners = std::count_if(conversation.members.begin(), conversation.members.end(),
                                      [](const MemberState& x) { return x.role == Role::kOwner; });
    if (owners == 1) {
      context_.refuse(actor, ErrorCode::kConflict, "the last owner stays one");
      return;
    }
  }
  (void)stage_change(conversation, actor,
                     {storage::SetRole{.user = change.user, .role = change.role}}, {});
}

void ConversationRole::rename(Conversation& conversation, const Actor& actor,
                              ConversationRename& rename) {
  if (permit(conversation, actor, Act::kRename) == nullptr) return;
  (void)stage(conversation, actor, storage::Rename{std::move(rename.name)});
}

}  // namespace uproar::chat
