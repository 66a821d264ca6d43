// Hot path: per command: a look at a table, no allocation.
#include "core/chat/command_cost.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <variant>

#include "core/chat/limits.h"

namespace uproar::chat {
namespace {

// Text costs a unit for each so many bytes: a short message is one unit.
constexpr std::size_t kTextBytesPerUnit = 8 * 1024;
constexpr auto kTextUnitsMax = static_cast<std::uint32_t>(
    (kContentBytesMax + kAttachmentsBytesMax + kMentionsMax * sizeof(UserId)) / kTextBytesPerUnit);

// Everybody may come and go in a channel, and what others say there waits for the outcome: so much
// that all connections of a user pay for it together.
constexpr std::uint32_t kBarrierUnits = kSharedCostMin;

// clang-format off
constexpr std::array<CommandCost, std::variant_size_v<ClientEvent>> kCosts = {{
    {"session.open", "a token of 8 KiB", 1, 0, 0, 100},
    {"session.refresh", "a token of 8 KiB", 2, 0, 0, 200},
    {"ping", "", 1, 0, 0, 10},
    {"message.send", "16 KiB, 10 attachments, 50 mentions", 1, 1, kTextUnitsMax, 300},
    {"message.edit", "16 KiB", 1, 1, kTextUnitsMax, 300},
    {"message.delete", "", 1, 0, 0, 100},
    {"reaction.add, reaction.remove", "", 1, 0, 0, 100},
    {"message.delivered, message.read", "", 1, 0, 0, 100},
    {"event.publish", "8 KiB", 1, 0, 0, 50},
    {"typing.start, typing.stop", "", 1, 0, 0, 50},
    {"presence.subscribe", "256 users that the session hears", 1, 32, kPresenceListMax, 900},
    {"presence.unsubscribe", "256 users that the session hears", 1, 32, kPresenceListMax, 900},
    {"presence.get", "256 users that the session hears", 1, 32, kPresenceListMax, 900},
    {"conversation.create", "1,000 members", 2, 6, kMemberListMax, 16'000},
    {"conversation.list", "200 conversations of 32 members", 2, 8, kConversationListLimitMax, 2'600},
    {"conversation.get", "10,000 members", 2, 0, 0, 200},
    {"conversation.join", "", kBarrierUnits, 0, 0, 200},
    {"conversation.leave", "the last owner", kBarrierUnits, 0, 0, 200},
    {"conversation.add", "1,000 users", 2, 6, kMemberListMax, 16'000},
    {"conversation.remove", "", 2, 0, 0, 200},
    {"conversation.rename", "", 1, 0, 0, 100},
    {"conversation.role", "", 2, 0, 0, 200},
    {"conversation.mute", "", 1, 0, 0, 100},
    {"history", "200 rows", 1, kRowsPerUnit, kHistoryLimitMax, 1'100},
    {"sync", "1,000 conversations", 2, 8, kSyncConversationsMax, 12'000},
    {"unread.fetch", "100 conversations with 200 messages", 4, 4, kHistoryLimitMax, 5'000},
}};
// clang-format on

constexpr bool all_are_paid_for() {
  return std::all_of(kCosts.begin(), kCosts.end(), [](const CommandCost& cost) {
    return !cost.type.empty() && cost.units >= 1 && cost.budget_us <= cost.worst() * kCostUnitUs;
  });
}
static_assert(all_are_paid_for(), "what a command costs covers its budget");

constexpr bool all_fit() {
  return std::all_of(kCosts.begin(), kCosts.end(), [](const CommandCost& cost) {
    return cost.worst() <= ChatLimits().commands_burst;
  });
}
static_assert(all_fit(), "with the usual limits each command may be said at once");

// How large one command is: one overload for each, so that a new one has to say.
struct Size {
  std::uint32_t items = 0;  // that cost (CommandCost::items_per_unit)
  std::uint32_t rows = 0;   // stored, or what is kept for them in place of rows
  std::size_t bytes = 0;    // stored in these
};

std::uint32_t count(const auto& list) {
  return static_cast<std::uint32_t>(list.size());
}

Size size_of(const SessionOpen&) {
  return {};
}
Size size_of(const SessionRefresh&) {
  return {};
}
Size size_of(const Ping&) {
  return {};
}
// A message, or what it says from now on.
Size size_of_text(std::size_t bytes) {
  return {
      .items = static_cast<std::uint32_t>(bytes / kTextBytesPerUnit), .rows = 1, .bytes = bytes};
}

Size size_of(const MessageSend& said) {
  return size_of_text(said.content.size() + said.attachments.size() + said.client_id.size() +
                      said.mentions.size() * sizeof(UserId));
}
Size size_of(const MessageEdit& said) {
  return size_of_text(said.content.size());
}
Size size_of(const MessageDelete&) {
  return {.items = 0, .rows = 1, .bytes = 0};
}
Size size_of(const ReactionChange&) {  // an event, and the reaction that it adds
  return {.items = 0, .rows = 2, .bytes = 0};
}
Size size_of(const MarkAdvance&) {
  return {.items = 0, .rows = 1, .bytes = 0};
}
Size size_of(const EventPublish&) {
  return {};
}
Size size_of(const TypingChange&) {
  return {};
}
Size size_of(const PresenceSubscribe& said) {
  return {.items = count(said.users), .rows = 0, .bytes = 0};
}
Size size_of(const PresenceUnsubscribe& said) {
  return {.items = count(said.users), .rows = 0, .bytes = 0};
}
Size size_of(const PresenceGet& said) {
  return {.items = count(said.users), .rows = 0, .bytes = 0};
}
Size size_of(const ConversationCreate& said) {
  // Itself, its creator, and the others.
  return {.items = count(said.members),
          .rows = count(said.members) + 2,
          .bytes = said.name.size() + said.client_id.size()};
}
Size size_of(const ConversationList& said) {
  return {.items = std::min(said.limit, kConversationListLimitMax), .rows = 0, .bytes = 0};
}
Size size_of(const ConversationGet&) {
  return {};
}
Size size_of(const ConversationJoin&) {  // a membership and the event that tells of it
  return {.items = 0, .rows = 2, .bytes = 0};
}
Size size_of(const ConversationLeave&) {
  return {.items = 0, .rows = 2, .bytes = 0};
}
Size size_of(const MemberAdd& said) {
  return {.items = count(said.users), .rows = 2 * count(said.users), .bytes = 0};
}
Size size_of(const MemberRemove&) {
  return {.items = 0, .rows = 1, .bytes = 0};
}
Size size_of(const ConversationRename& said) {
  return {.items = 0, .rows = 1, .bytes = said.name.size()};
}
Size size_of(const MemberRole&) {
  return {.items = 0, .rows = 1, .bytes = 0};
}
Size size_of(const ConversationMute&) {
  return {.items = 0, .rows = 1, .bytes = 0};
}
Size size_of(const History& said) {
  return {.items = std::min(said.limit, kHistoryLimitMax), .rows = 0, .bytes = 0};
}
Size size_of(const Sync& said) {
  return {.items = count(said.cursors), .rows = 0, .bytes = 0};
}
Size size_of(const UnreadFetch& said) {
  return {.items = std::min(said.limit, kHistoryLimitMax), .rows = 0, .bytes = 0};
}

Size size_of_event(const ClientEvent& event) {
  return std::visit([](const auto& said) { return size_of(said); }, event);
}

struct ToldBy {
  Told operator()(const MessageSend& said) const { return {said.conversation, 1}; }
  Told operator()(const MessageEdit& said) const { return {said.conversation, 1}; }
  Told operator()(const MessageDelete& said) const { return {said.conversation, 1}; }
  Told operator()(const ReactionChange& said) const { return {said.conversation, 1}; }
  Told operator()(const EventPublish& said) const { return {said.conversation, 1}; }
  Told operator()(const TypingChange& said) const { return {said.conversation, 1}; }
  Told operator()(const ConversationJoin& said) const { return {said.conversation, 1}; }
  Told operator()(const ConversationLeave& said) const { return {said.conversation, 1}; }
  Told operator()(const MemberAdd& said) const {
    return {said.conversation, static_cast<std::uint32_t>(said.users.size())};
  }
  Told operator()(const MemberRemove& said) const { return {said.conversation, 1}; }
  Told operator()(const ConversationRename& said) const { return {said.conversation, 1}; }
  Told operator()(const MemberRole& said) const { return {said.conversation, 1}; }
  Told operator()(const auto& /*said*/) const { return {}; }
};

}  // namespace

std::span<const CommandCost> command_costs() {
  return kCosts;
}

std::uint32_t cost_of(const ClientEvent& event) {
  const CommandCost& cost = kCosts[event.index()];
  return cost.items_per_unit == 0 ? cost.units : cost.of(size_of_event(event).items);
}

std::uint32_t cost_of(const HistoryPage& page) {
  std::size_t bytes = 0;
  for (const Message& row : page.messages) bytes += row.content.size() + row.attachments.size();
  return static_cast<std::uint32_t>(page.messages.size() / kRowsPerUnit + bytes / kRowBytesPerUnit);
}

Told told_by(const ClientEvent& event) {
  return std::visit(ToldBy(), event);
}

std::uint32_t stored_pages_of(const ClientEvent& event) {
  const Size size = size_of_event(event);
  return size.rows + static_cast<std::uint32_t>(size.bytes / kStoredPageBytes);
}

}  // namespace uproar::chat
