#pragma once

// The commands by name. REST routes name a command, WebSocket messages carry its name in "type"; metrics count by it.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace uproar::chat {

enum class CommandType : std::uint8_t {
  kSessionOpen,
  kSessionRefresh,
  kPing,
  kMessageSend,
  kMessageEdit,
  kMessageDelete,
  kReactionAdd,
  kReactionRemove,
  kMessageDelivered,
  kMessageRead,
  kEventPublish,
  kTypingStart,
  kTypingStop,
  kPresenceSubscribe,
  kPresenceUnsubscribe,
  kPresenceGet,
  kConversationCreate,
  kConversationList,
  kConversationGet,
  kConversationJoin,
  kConversationLeave,
  kConversationAdd,
  kConversationRemove,
  kConversationRename,
  kConversationRole,
  kConversationMute,
  kHistory,
  kSync,
  kUnreadFetch,
  kCount
};

// "message.send". The views live as long as the program.
[[nodiscard]] std::string_view command_name(CommandType type);
[[nodiscard]] std::optional<CommandType> command_type_of(std::string_view name);
// All names, in the order of the enum.
[[nodiscard]] std::span<const std::string_view> command_names();

}  // namespace uproar::chat
