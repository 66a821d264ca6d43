// What waits for its turn in a conversation: for it to be read, for a membership change, for a look
// at the store, for room in the log. In the order in which it came. A command that waits in a crowd
// holds up the connection that said it (Backpressure), and is refused only when it has waited for
// long.
#include <algorithm>
#include <utility>

#include "core/chat/conversation_role.h"

namespace uproar::chat {
namespace {

// Just what a stranger hears of a direct conversation that exists: its id can be computed from its
// two users (docs/decisions/0009), and whether they talk is no stranger's business.
ErrorCode refusal_of_absent(const ClientEvent& event) {
  return std::holds_alternative<ConversationJoin>(event) ? ErrorCode::kNotFound
                                                         : ErrorCode::kNotMember;
}

// What an event keeps beside itself.
std::size_t kept_bytes(const MessageSend& event) {
  return event.client_id.size() + event.content.size() + event.attachments.size() +
         event.mentions.size() * sizeof(UserId);
}
std::size_t kept_bytes(const MessageEdit& event) {
  return event.content.size();
}
std::size_t kept_bytes(const ReactionChange& event) {
  return event.emoji.size();
}
std::size_t kept_bytes(const EventPublish& event) {
  return event.name.size() + event.data.size();
}
std::size_t kept_bytes(const ConversationCreate& event) {
  return event.name.size() + event.client_id.size() +
         event.members.size() * sizeof(storage::NewMember);
}
std::size_t kept_bytes(const ConversationRename& event) {
  return event.name.size();
}
std::size_t kept_bytes(const MemberAdd& event) {
  return event.users.size() * sizeof(UserId);
}
template <class T>
std::size_t kept_bytes(const T&) {
  return 0;
}
std::size_t kept_bytes_of(const ClientEvent& event) {
  return std::visit([](const auto& said) { return kept_bytes(said); }, event);
}

// What the operations of a command take of a batch, or more.
struct Room {
  std::size_t rows = 0;
  std::size_t bytes = 0;
};

Room room_of(const ClientEvent& event) {
  const auto* add = std::get_if<MemberAdd>(&event);
  // Two: a creation and its first message; a change of roles and a leaving.
  const std::size_t rows =
      add == nullptr ? 2 : std::clamp<std::size_t>(add->users.size(), 1, kChangeSliceRows);
  return {.rows = rows, .bytes = rows * sizeof(storage::Operation) + kept_bytes_of(event)};
}

std::uint32_t bytes_of(const Conversation::Parked& parked) {
  const auto* command = std::get_if<ForwardedCommand>(&parked);
  const std::size_t kept = command == nullptr ? 0 : kept_bytes_of(command->command.event);
  return static_cast<std::uint32_t>(sizeof(Conversation::Waiting) + kept);
}

}  // namespace

bool ConversationRole::is_crowded() const {
  return parked_count_ >= kParkedCrowd || !waiting_loads_.empty();
}

// It would be refused by the log for now.
bool ConversationRole::lacks_room(const Conversation& conversation,
                                  const ClientEvent& event) const {
  if (!is_write(event) && !std::holds_alternative<ConversationCreate>(event)) return false;
  const Room room = room_of(event);
  return pending_.size() + room.rows > kPendingMax ||
         !context_.log.has_room(conversation.id, room.rows, room.bytes);
}

void ConversationRole::refuse(const Conversation::Parked& parked, ErrorCode code) {
  if (const auto* command = std::get_if<ForwardedCommand>(&parked)) {
    context_.refuse(command->command.actor, code);
  } else {
    const Attach& attach = std::get<Attach>(parked);
    context_.send(attach.to.shard, AttachEnd{attach.to, attach.token, attach.cursor, code});
  }
}

bool ConversationRole::park(Conversation& conversation, Conversation::Parked parked) {
  Conversation::Waiting waiting{
      .item = std::move(parked), .bytes = 0, .since_us = context_.now.monotonic_us};
  waiting.bytes = bytes_of(waiting.item);
  if (parked_count_ >= kParkedMax || parked_bytes_ + waiting.bytes > kParkedBytesMax) {
    refuse(waiting.item, ErrorCode::kOverloaded);
    return false;
  }
  const auto* command = std::get_if<ForwardedCommand>(&waiting.item);
  if (command != nullptr && (is_crowded() || lacks_room(conversation, command->command.event)))
    hold_up(conversation, waiting);
  ++parked_count_;
  parked_bytes_ += waiting.bytes;
  conversation.parked.push_back(std::move(waiting));
  want_room(conversation);
  return true;
}

// REQUIRES: a command.
void ConversationRole::hold_up(Conversation& conversation, Conversation::Waiting& waiting) {
  waiting.is_held_up = true;
  arm_parked(conversation, waiting);
  context_.counters.commands_held_up.add();
  const Endpoint& from = std::get<ForwardedCommand>(waiting.item).command.actor.from;
  if (from.kind == Endpoint::Kind::kSession)
    context_.send(from.shard, Backpressure{.session = from, .begins = true});
}

// It has left the queue, and is run or refused.
void ConversationRole::left_parked(const Conversation::Waiting& waiting) {
  --parked_count_;
  parked_bytes_ -= waiting.bytes;
  if (!waiting.is_held_up) return;
  const Endpoint& from = std::get<ForwardedCommand>(waiting.item).command.actor.from;
  if (from.kind == Endpoint::Kind::kSession)
    context_.send(from.shard, Backpressure{.session = from, .begins = false});
}

Conversation::Waiting ConversationRole::take_parked(Conversation& conversation) {
  Conversation::Waiting waiting = std::move(conversation.parked.front());
  conversation.parked.pop_front();
  left_parked(waiting);
  return waiting;
}

void ConversationRole::refuse_parked(Conversation& conversation, ErrorCode code) {
  const std::deque<Conversation::Waiting> parked = std::exchange(conversation.parked, {});
  for (const Conversation::Waiting& waiting : parked) left_parked(waiting);
  for (const Conversation::Waiting& waiting : parked) refuse(waiting.item, code);
}

bool ConversationRole::may_run_now(const Conversation& conversation,
                                   const Conversation::Parked& parked) const {
  if (conversation.state != Conversation::State::kReady || conversation.look_blocks) return false;
  const auto* command = std::get_if<ForwardedCommand>(&parked);
  if (command == nullptr || !is_write(command->command.event)) return true;
  return !is_barred(conversation, command->command) && !conversation.needs_verify &&
         !lacks_room(conversation, command->command.event);
}

void ConversationRole::unpark(Conversation& conversation) {
  if (conversation.is_unparking) return;
  conversation.is_unparking = true;
  while (!conversation.parked.empty() &&
         may_run_now(conversation, conversation.parked.front().item)) {
    Conversation::Waiting waiting = take_parked(conversation);
    if (auto* command = std::get_if<ForwardedCommand>(&waiting.item)) {
      run(conversation, std::move(*command));
    } else {
      begin_attach(conversation, std::get<Attach>(waiting.item));
    }
  }
  conversation.is_unparking = false;
  want_room(conversation);
}

// There is no such conversation: who can make it, makes it; the others hear so. The reference is
// dead afterwards.
void ConversationRole::handle_absent(Conversation& conversation) {
  UPROAR_CHECK(conversation.state == Conversation::State::kAbsent);
  if (conversation.pending > 0) return;
  while (!conversation.parked.empty()) {
    const auto* first = std::get_if<ForwardedCommand>(&conversation.parked.front().item);
    const auto* send = first == nullptr ? nullptr : std::get_if<MessageSend>(&first->command.event);
    const bool can_create =
        first != nullptr && (std::holds_alternative<ConversationCreate>(first->command.event) ||
                             (send != nullptr && !send->to.is_nil()));
    if (can_create && lacks_room(conversation, first->command.event)) {
      want_room(conversation);
      return;
    }
    Conversation::Waiting waiting = take_parked(conversation);
    auto* command = std::get_if<ForwardedCommand>(&waiting.item);
    if (command == nullptr) {
      refuse(waiting.item, ErrorCode::kNotMember);
    } else if (!can_create) {
      context_.refuse(command->command.actor, refusal_of_absent(command->command.event));
    } else if (begin_creation(conversation, std::move(*command))) {
      return;
    }
  }
  erase(conversation);
}

// --- room in the log -----------------------------------------------------------------------------------------------

// If room is what its first command lacks. Those that have waited for something else so far wait in
// a crowd from here on.
void ConversationRole::want_room(Conversation& conversation) {
  if (conversation.wants_room || conversation.parked.empty()) return;
  const auto* first = std::get_if<ForwardedCommand>(&conversation.parked.front().item);
  if (first == nullptr || !lacks_room(conversation, first->command.event)) return;
  conversation.wants_room = true;
  waiting_for_room_.push_back(conversation.id);
  for (Conversation::Waiting& waiting : conversation.parked) {
    if (waiting.is_held_up) break;
    if (std::holds_alternative<ForwardedCommand>(waiting.item)) hold_up(conversation, waiting);
  }
}

// After outcomes: those who have waited longest go on, each until there is no more room, and stand
// behind the others then. Who finds none for a larger command, or in the other lane, keeps its
// place.
void ConversationRole::give_room() {
  std::vector<ConversationId> without;
  bool is_any_served = false;
  while (!waiting_for_room_.empty() && without.size() < kRoomLooksMax) {
    const ConversationId id = waiting_for_room_.front();
    waiting_for_room_.pop_front();
    Conversation* conversation = find(id);
    UPROAR_CHECK(conversation != nullptr && conversation->wants_room);
    const auto* first = conversation->parked.empty()
                            ? nullptr
                            : std::get_if<ForwardedCommand>(&conversation->parked.front().item);
    if (first != nullptr && lacks_room(*conversation, first->command.event)) {
      without.push_back(id);
      continue;
    }
    is_any_served = true;
    conversation->wants_room = false;
    if (conversation->state == Conversation::State::kAbsent) {
      handle_absent(*conversation);  // may be gone
    } else {
      unpark(*conversation);
    }
  }
  // Where nobody of so many was served, all of them may be of one lane: the next look is at others.
  const auto where = is_any_served ? waiting_for_room_.begin() : waiting_for_room_.end();
  waiting_for_room_.insert(where, without.begin(), without.end());
}

// --- who has waited for long -----------------------------------------------------------------------

void ConversationRole::arm_parked(Conversation& conversation,
                                  const Conversation::Waiting& waiting) {
  if (conversation.parked_timer_armed) return;
  conversation.parked_timer_armed = true;
  context_.deadlines.arm(waiting.since_us + std::int64_t{kParkedWaitMs} * 1000,
                         Deadline::Kind::kParked, conversation.id.uuid());
}

void ConversationRole::parked_due(ConversationId id) {
  Conversation* conversation = find(id);
  if (conversation == nullptr) return;
  conversation->parked_timer_armed = false;
  const std::int64_t since_us = context_.now.monotonic_us - std::int64_t{kParkedWaitMs} * 1000;
  auto& parked = conversation->parked;
  for (auto at = parked.begin(); at != parked.end();) {
    if (!at->is_held_up) {
      ++at;
      continue;
    }
    if (at->since_us > since_us) {
      arm_parked(*conversation, *at);
      break;
    }
    const Conversation::Waiting late = std::move(*at);
    at = parked.erase(at);
    left_parked(late);
    refuse(late.item, ErrorCode::kOverloaded);
  }
  if (conversation->state == Conversation::State::kAbsent) {
    handle_absent(*conversation);  // may be gone
  } else {
    unpark(*conversation);
  }
}

}  // namespace uproar::chat
