#include "proto/chat/wire_names.h"

#include <array>
#include <cstddef>
#include <variant>

#include "proto/base/check.h"

namespace uproar::chat {
namespace {

constexpr std::array<std::string_view, 3> kKinds = {"direct", "group", "channel"};
constexpr std::array<std::string_view, 3> kRoles = {"member", "admin", "owner"};
constexpr std::array<std::string_view, 7> kMessageTypes = {"text", "image",    "video", "audio",
                                                           "file", "location", "system"};
constexpr std::array<std::string_view, 5> kSystemEvents = {"", "member.added", "member.removed",
                                                           "conversation.renamed", "role.changed"};
constexpr std::array<std::string_view, std::variant_size_v<ServerEvent>> kEvents = {
    "session.ready",
    "session.expiring",
    "session.refreshed",
    "pong",
    "ok",
    "error",
    "message.sent",
    "message.new",
    "message.updated",
    "message.deleted",
    "reaction.updated",
    "receipt.update",
    "event",
    "typing.update",
    "presence.update",
    "presence.state",
    "conversation.created",
    "conversation.list",
    "conversation.info",
    "conversation.joined",
    "conversation.not_live",
    "conversation.updated",
    "member.added",
    "member.removed",
    "conversation.muted",
    "history.page",
    "sync.done",
    "server.draining",
};

template <std::size_t N, class Enum>
std::string_view at(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  UPROAR_CHECK(index < N, index);
  return names[index];
}

template <class Enum, std::size_t N>
std::optional<Enum> find(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view wire_name(ConversationKind kind) {
  return at(kKinds, kind);
}
std::string_view wire_name(Role role) {
  return at(kRoles, role);
}
std::string_view wire_name(MessageType type) {
  return at(kMessageTypes, type);
}
std::string_view wire_name(SystemEvent event) {
  return at(kSystemEvents, event);
}

std::optional<ConversationKind> conversation_kind_of(std::string_view name) {
  return find<ConversationKind>(kKinds, name);
}
std::optional<Role> role_of(std::string_view name) {
  return find<Role>(kRoles, name);
}
std::optional<MessageType> message_type_of(std::string_view name) {
  return find<MessageType>(kMessageTypes, name);
}

std::string_view event_name(const ServerEvent& event) {
  return kEvents[event.index()];
}
std::span<const std::string_view> event_names() {
  return kEvents;
}

}  // namespace uproar::chat
