#include "core/chat/node_event.h"

namespace uproar::chat {

std::optional<EventPlace> place_of(const ServerEvent& event) {
  if (const auto* fresh = std::get_if<MessageNew>(&event))
    return EventPlace{fresh->message.conversation, fresh->message.seq};
  if (const auto* updated = std::get_if<MessageUpdated>(&event))
    return EventPlace{updated->conversation, updated->seq};
  if (const auto* deleted = std::get_if<MessageDeleted>(&event))
    return EventPlace{deleted->conversation, deleted->seq};
  if (const auto* reacted = std::get_if<ReactionUpdated>(&event))
    return EventPlace{reacted->conversation, reacted->seq};
  if (const auto* changed = std::get_if<ConversationUpdated>(&event))
    return EventPlace{changed->conversation, changed->seq};
  if (const auto* added = std::get_if<MemberAdded>(&event))
    return EventPlace{added->conversation, added->seq};
  if (const auto* removed = std::get_if<MemberRemoved>(&event))
    return EventPlace{removed->conversation, removed->seq};
  if (const auto* receipt = std::get_if<ReceiptUpdate>(&event))
    return EventPlace{receipt->conversation, 0};
  if (const auto* typing = std::get_if<TypingUpdate>(&event))
    return EventPlace{typing->conversation, 0};
  if (const auto* free = std::get_if<Event>(&event)) return EventPlace{free->conversation, 0};
  return std::nullopt;
}

Delivery delivery_of(const ServerEvent& event) {
  if (std::holds_alternative<TypingUpdate>(event) || std::holds_alternative<Event>(event))
    return Delivery::kEphemeral;
  if (std::holds_alternative<PresenceUpdate>(event)) return Delivery::kPresence;
  if (std::holds_alternative<ReceiptUpdate>(event)) return Delivery::kReceipt;
  return Delivery::kMessage;
}

std::optional<Message> system_row_of(const ServerEvent& event) {
  Message row;
  row.type = MessageType::kSystem;
  if (const auto* added = std::get_if<MemberAdded>(&event)) {
    row.seq = added->seq;
    row.sender = added->by;
    row.sent_at_us = added->at_us;
    row.system = SystemEvent::kMemberAdded;
    row.subject = added->user;
    row.role = added->role;
  } else if (const auto* removed = std::get_if<MemberRemoved>(&event)) {
    row.seq = removed->seq;
    row.sender = removed->by;
    row.sent_at_us = removed->at_us;
    row.system = SystemEvent::kMemberRemoved;
    row.subject = removed->user;
  } else if (const auto* changed = std::get_if<ConversationUpdated>(&event)) {
    row.seq = changed->seq;
    row.sender = changed->by;
    row.sent_at_us = changed->at_us;
    row.system = changed->user.is_nil() ? SystemEvent::kRenamed : SystemEvent::kRoleChanged;
    row.subject = changed->user;
    if (!changed->user.is_nil()) row.role = changed->role;
    row.content = changed->name;
  } else {
    return std::nullopt;
  }
  row.conversation = place_of(event)->conversation;
  row.version = row.seq;
  return row;
}

}  // namespace uproar::chat
