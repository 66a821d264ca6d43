#pragma once

// Words that commands, events and records share.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/chat/ids.h"

namespace uproar::chat {

enum class ConversationKind : std::uint8_t {
  kDirect,
  kGroup,
  kChannel
};  // "direct" "group" "channel"
enum class Role : std::uint8_t {
  kMember,
  kAdmin,
  kOwner
};  // "member" "admin" "owner"; ordered by power
enum class MessageType : std::uint8_t { kText, kImage, kVideo, kAudio, kFile, kLocation, kSystem };
// What a kSystem row says.
enum class SystemEvent : std::uint8_t {
  kNone,
  kMemberAdded,
  kMemberRemoved,
  kRenamed,
  kRoleChanged
};
enum class MarkKind : std::uint8_t { kDelivered, kSeen };

struct Reaction {
  std::string emoji;
  UserId user;
  friend bool operator==(const Reaction&, const Reaction&) = default;
};

// A message as it stands now: what history and sync show, and what message.new carries when it is fresh.
struct Message {
  MessageId id;
  ConversationId conversation;
  Seq seq = 0;            // the event that made it
  std::uint64_t no = 0;   // counts messages only; 0 for system rows
  Seq version = 0;        // seq of its last change; == seq when never changed
  UserId sender;          // for system rows: who did it
  std::string client_id;  // empty for system rows
  MessageType type = MessageType::kText;
  std::string content;      // empty once deleted
  std::string attachments;  // raw JSON array or empty
  Seq reply_to = 0;         // seq of the message answered, or 0
  std::vector<UserId> mentions;
  std::int64_t sent_at_us = 0;
  std::int64_t edited_at_us = 0;     // 0: never
  std::int64_t deleted_at_us = 0;    // 0: not
  std::int64_t delivered_at_us = 0;  // first mark by another member that covers it; 0: none yet
  std::int64_t seen_at_us = 0;
  std::vector<Reaction> reactions;
  // kSystem only
  SystemEvent system = SystemEvent::kNone;
  UserId subject;  // who was added, removed or given a role
  Role role = Role::kMember;
  friend bool operator==(const Message&, const Message&) = default;
};

struct Member {
  UserId user;
  std::string name;  // filled where people are shown; empty inside the domain
  Role role = Role::kMember;
  Seq joined_seq = 0;  // hears seqs above this
  Seq delivered_seq = 0;
  Seq read_seq = 0;
  std::uint64_t read_no = 0;
  friend bool operator==(const Member&, const Member&) = default;
};

// A conversation as one member sees it.
struct ConversationView {
  ConversationId id;
  ConversationKind kind = ConversationKind::kGroup;
  std::string name;
  Role role = Role::kMember;
  Seq last_seq = 0;
  std::uint64_t last_no = 0;
  Seq read_seq = 0;
  Seq delivered_seq = 0;
  std::uint64_t unread = 0;
  std::uint32_t member_count = 0;
  std::int64_t muted_until_us = 0;
  std::int64_t created_at_us = 0;
  std::optional<Message> last_message;
  std::vector<Member> members;  // all of a direct or small conversation; empty for large ones
  Seq joined_seq = 0;           // the viewer hears seqs above this; not shown
  bool is_live = true;          // on the connection that is told of it
  friend bool operator==(const ConversationView&, const ConversationView&) = default;
};

struct PresenceState {
  UserId user;
  bool online = false;
  std::int64_t last_online_us = 0;  // 0: unknown
  bool uncertain = false;           // what other nodes know of them cannot be asked now
  friend bool operator==(const PresenceState&, const PresenceState&) = default;
};

}  // namespace uproar::chat
