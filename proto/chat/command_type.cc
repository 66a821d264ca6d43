// Hot path: per command. Allocations: 0.
#include "proto/chat/command_type.h"

#include <array>
#include <cstddef>

#include "proto/base/check.h"

namespace uproar::chat {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(CommandType::kCount)> kNames = {
    "session.open",
    "session.refresh",
    "ping",
    "message.send",
    "message.edit",
    "message.delete",
    "reaction.add",
    "reaction.remove",
    "message.delivered",
    "message.read",
    "event.publish",
    "typing.start",
    "typing.stop",
    "presence.subscribe",
    "presence.unsubscribe",
    "presence.get",
    "conversation.create",
    "conversation.list",
    "conversation.get",
    "conversation.join",
    "conversation.leave",
    "conversation.add",
    "conversation.remove",
    "conversation.rename",
    "conversation.role",
    "conversation.mute",
    "history",
    "sync",
    "unread.fetch",
};
static_assert(kNames.back() == "unread.fetch");

}  // namespace

std::string_view command_name(CommandType type) {
  const auto index = static_cast<std::size_t>(type);
  UPROAR_CHECK(index < kNames.size(), index);
  return kNames[index];
}

std::optional<CommandType> command_type_of(std::string_view name) {
  // 29 compares of a length and rarely of bytes: about 10 ns, cheaper than a hash of the name.
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<CommandType>(i);
  }
  return std::nullopt;
}

std::span<const std::string_view> command_names() {
  return kNames;
}

}  // namespace uproar::chat
