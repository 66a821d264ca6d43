#include "core/chat/live_event.h"

namespace uproar::chat {

std::optional<ServerEvent> live_event_of(const Message& row) {
  if (row.version != row.seq) return std::nullopt;
  switch (row.system) {
    case SystemEvent::kNone:
      return MessageNew{.message = row};
    case SystemEvent::kMemberAdded:
      return MemberAdded{.conversation = row.conversation,
                         .seq = row.seq,
                         .user = row.subject,
                         .role = row.role,
                         .by = row.sender,
                         .at_us = row.sent_at_us};
    case SystemEvent::kMemberRemoved:
      return MemberRemoved{.conversation = row.conversation,
                           .seq = row.seq,
                           .user = row.subject,
                           .by = row.sender,
                           .at_us = row.sent_at_us};
    case SystemEvent::kRenamed:
      return ConversationUpdated{.conversation = row.conversation,
                                 .seq = row.seq,
                                 .by = row.sender,
                                 .name = row.content,
                                 .user = {},
                                 .role = Role::kMember,
                                 .at_us = row.sent_at_us};
    case SystemEvent::kRoleChanged:
      return ConversationUpdated{.conversation = row.conversation,
                                 .seq = row.seq,
                                 .by = row.sender,
                                 .name = {},
                                 .user = row.subject,
                                 .role = row.role,
                                 .at_us = row.sent_at_us};
  }
  return std::nullopt;
}

}  // namespace uproar::chat
