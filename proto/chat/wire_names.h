#pragma once

// The words that enums have on the wire, both ways. The views live as long as the program.

#include <optional>
#include <span>
#include <string_view>

#include "proto/chat/server_event.h"
#include "proto/chat/vocabulary.h"

namespace uproar::chat {

[[nodiscard]] std::string_view wire_name(ConversationKind kind);
[[nodiscard]] std::string_view wire_name(Role role);
[[nodiscard]] std::string_view wire_name(MessageType type);
// Empty for kNone.
[[nodiscard]] std::string_view wire_name(SystemEvent event);

[[nodiscard]] std::optional<ConversationKind> conversation_kind_of(std::string_view name);
[[nodiscard]] std::optional<Role> role_of(std::string_view name);
// "system" included; whether a client may say it is the decoder's business (it may not).
[[nodiscard]] std::optional<MessageType> message_type_of(std::string_view name);

// The "type" of a server event: "message.new".
[[nodiscard]] std::string_view event_name(const ServerEvent& event);
// All of them, in the order of the variant.
[[nodiscard]] std::span<const std::string_view> event_names();

}  // namespace uproar::chat
