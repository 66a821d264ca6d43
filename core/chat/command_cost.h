#pragma once

// What each command costs its sender (docs/security.md, docs/decisions/0039): one line for each
// alternative of ClientEvent, by the size that makes it dear. A command without a line does not
// compile. Charged before the work, to the connection (SessionRole::admit) and, where it is large,
// to the user as well (user_shares.h). What only an answer shows is charged when it is there: the
// members of conversation.get, the pages of sync and unread.fetch.

#include <cstdint>
#include <span>
#include <string_view>

#include "proto/chat/client_event.h"
#include "proto/chat/server_event.h"

namespace uproar::chat {

// A unit is so much of a thread's time: of the shard, or of the store's where that is busier. 100
// units a second, which a connection has by default, are 10 ms.
inline constexpr std::uint32_t kCostUnitUs = 100;

// conversation.get is answered with as many members as there are, which is known afterwards:
// charged then, and meanwhile so many units are reserved of the user's share (session_share.cc).
inline constexpr std::uint32_t kMembersPerUnit = 64;
inline constexpr std::uint32_t kUnitsReserved = 16;

// Pages that a sync or an unread.fetch brings: so many rows, or so many bytes of text, are a unit.
// They are owed by the user, and asked for at a pace (limits.h: kPullUnitsPerS).
inline constexpr std::uint32_t kRowsPerUnit = 20;
inline constexpr std::uint32_t kRowBytesPerUnit = 8 * 1024;
[[nodiscard]] std::uint32_t cost_of(const HistoryPage& page);

// More for each user of a presence command of whom the store has to be asked whether they share a
// conversation, charged when it runs: by then the session knows whom it hears.
inline constexpr std::uint32_t kUnitsPerStranger = 1;

struct CommandCost {
  std::string_view type;         // on the wire
  std::string_view worst_input;  // what makes it dearest
  std::uint32_t units = 1;       // without any item
  // Of the list that it carries, of the rows that it asks for, or of 8 KiB of text; 0: its size is
  // no matter.
  std::uint32_t items_per_unit = 0;
  std::uint32_t items_max = 0;
  // That its worst input may take (tests/attack/command_costs.mjs measures it).
  std::uint32_t budget_us = 0;

  [[nodiscard]] constexpr std::uint32_t of(std::uint32_t items) const {
    return items_per_unit == 0 ? units : units + (items + items_per_unit - 1) / items_per_unit;
  }
  [[nodiscard]] constexpr std::uint32_t worst() const { return of(items_max); }
};

// In the order of ClientEvent.
[[nodiscard]] std::span<const CommandCost> command_costs();

// At least 1.
[[nodiscard]] std::uint32_t cost_of(const ClientEvent& event);

// What is told to those who hear a conversation costs by their number as well: a delivery takes a
// third of a microsecond (docs/benchmarks), so that so many are a unit.
inline constexpr std::uint32_t kDeliveriesPerUnit = 300;
struct Told {
  ConversationId conversation;
  std::uint32_t events = 0;  // each to all subscribers; 0: nothing is told
};
// Nothing for receipts, which no large conversation has, and for direct messages by name.
[[nodiscard]] Told told_by(const ClientEvent& event);

// What is stored for it, in pages of kStoredPageBytes: one for each row, and what it carries. 0: it
// stores nothing.
inline constexpr std::uint32_t kStoredPageBytes = 256;
[[nodiscard]] std::uint32_t stored_pages_of(const ClientEvent& event);

}  // namespace uproar::chat
