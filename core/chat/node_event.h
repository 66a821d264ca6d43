#pragma once

// What an event of another node speaks of.

#include <optional>

#include "core/chat/ports.h"

namespace uproar::chat {

struct EventPlace {
  ConversationId conversation;
  Seq seq = 0;  // 0: ephemeral
};
// nullopt: no event that a conversation's hearers get.
[[nodiscard]] std::optional<EventPlace> place_of(const ServerEvent& event);
[[nodiscard]] Delivery delivery_of(const ServerEvent& event);
// The system row that history shows for a change of members, role or name; nullopt for other events.
[[nodiscard]] std::optional<Message> system_row_of(const ServerEvent& event);

}  // namespace uproar::chat
