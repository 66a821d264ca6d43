#pragma once

// Who may do what, in one table.
//
// Direct conversations have their two members for ever. A group is talked in by its members and led by its admins and
// owners. A channel is read by everyone who joined it and written by its admins and owners; ephemeral events and
// reactions are open to all members of every kind.

#include <cstdint>
#include <optional>

#include "proto/chat/vocabulary.h"

namespace uproar::chat {

enum class Act : std::uint8_t {
  kPost,   // messages, and typing that announces them
  kReact,  // reactions, ephemeral events, marks, mute
  kEditOwn,
  kDeleteOthers,
  kRename,
  kAdd,     // a role below one's own, or members as an admin
  kRemove,  // somebody below oneself
  kChangeRole,
  kLeave,
  kJoin,  // by one's own decision
  kCount
};

// The least role that may; nullopt: nobody may, the kind of conversation does not have it (conflict).
[[nodiscard]] constexpr std::optional<Role> least_role(Act act, ConversationKind kind) {
  struct Row {
    std::optional<Role> direct, group, channel;
  };
  constexpr Row kTable[] = {
      /* kPost         */ {Role::kMember, Role::kMember, Role::kAdmin},
      /* kReact        */ {Role::kMember, Role::kMember, Role::kMember},
      /* kEditOwn      */ {Role::kMember, Role::kMember, Role::kMember},
      /* kDeleteOthers */ {std::nullopt, Role::kAdmin, Role::kAdmin},
      /* kRename       */ {std::nullopt, Role::kAdmin, Role::kAdmin},
      /* kAdd          */ {std::nullopt, Role::kAdmin, Role::kAdmin},
      /* kRemove       */ {std::nullopt, Role::kAdmin, Role::kAdmin},
      /* kChangeRole   */ {std::nullopt, Role::kOwner, Role::kOwner},
      /* kLeave        */ {std::nullopt, Role::kMember, Role::kMember},
      /* kJoin         */ {std::nullopt, std::nullopt, Role::kMember},
  };
  static_assert(sizeof(kTable) / sizeof(kTable[0]) == static_cast<std::size_t>(Act::kCount));
  const Row& row = kTable[static_cast<std::size_t>(act)];
  switch (kind) {
    case ConversationKind::kDirect:
      return row.direct;
    case ConversationKind::kGroup:
      return row.group;
    case ConversationKind::kChannel:
      return row.channel;
  }
  return std::nullopt;
}

// Nobody acts on their equals, except owners.
[[nodiscard]] constexpr bool is_above(Role actor, Role subject) {
  return actor == Role::kOwner || actor > subject;
}

}  // namespace uproar::chat
