#pragma once

// What a client may say (docs/protocol.md). One struct a command, used by codec, domain, simulator and load tool
// alike. The same structs are made from WebSocket messages and from REST requests.

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/chat/vocabulary.h"

namespace uproar::chat {

// Names a message by its seq, or by its id where the seq is 0.
struct MessageRef {
  Seq seq = 0;
  MessageId id;
};

struct SessionOpen {
  std::string token;
  bool resume = false;
};  // resume: a sync follows
struct SessionRefresh {
  std::string token;
};
struct Ping {};
struct MessageSend {
  ConversationId conversation;  // nil when `to` is given
  UserId to;                    // nil when `conversation` is given
  std::string client_id;
  std::string content;
  MessageType type = MessageType::kText;
  std::string attachments;  // raw JSON array, already validated; or empty
  Seq reply_to = 0;
  std::vector<UserId> mentions;
};
struct MessageEdit {
  ConversationId conversation;
  MessageRef message;
  std::string content;
};
struct MessageDelete {
  ConversationId conversation;
  MessageRef message;
};
struct ReactionChange {
  ConversationId conversation;
  MessageRef message;
  std::string emoji;
  bool add = true;
};
struct MarkAdvance {
  ConversationId conversation;
  Seq seq = 0;
  MarkKind kind = MarkKind::kDelivered;
};
struct EventPublish {
  ConversationId conversation;
  std::string name;
  std::string data;
};  // data: raw, validated JSON
struct TypingChange {
  ConversationId conversation;
  bool typing = true;
};
struct PresenceSubscribe {
  std::vector<UserId> users;
};
struct PresenceUnsubscribe {
  std::vector<UserId> users;
};
struct PresenceGet {
  std::vector<UserId> users;
};
struct ConversationCreate {
  ConversationKind kind = ConversationKind::kGroup;
  std::string name;
  std::string client_id;        // optional: makes a retry name the same conversation
  std::vector<UserId> members;  // without the creator
};
struct ConversationList {
  std::uint32_t limit = 100;
  ConversationId after;
};  // ordered by id; nil: from the start
struct ConversationGet {
  ConversationId conversation;
};
struct ConversationJoin {
  ConversationId conversation;
};
struct ConversationLeave {
  ConversationId conversation;
};
struct MemberAdd {
  ConversationId conversation;
  std::vector<UserId> users;
  Role role = Role::kMember;
};
struct MemberRemove {
  ConversationId conversation;
  UserId user;
};
struct ConversationRename {
  ConversationId conversation;
  std::string name;
};
struct MemberRole {
  ConversationId conversation;
  UserId user;
  Role role = Role::kMember;
};
struct ConversationMute {
  ConversationId conversation;
  std::int64_t until_us = 0;
};  // 0: unmute
struct History {
  ConversationId conversation;
  std::optional<Seq> before_seq;  // newest first below it; neither given: the newest
  std::optional<Seq> after_seq;   // oldest first above it
  std::uint32_t limit = 50;
};
struct Sync {
  std::vector<std::pair<ConversationId, Seq>> cursors;
};
struct UnreadFetch {
  std::uint32_t limit = 50;
};  // newest per conversation

using ClientEvent =
    std::variant<SessionOpen, SessionRefresh, Ping, MessageSend, MessageEdit, MessageDelete,
                 ReactionChange, MarkAdvance, EventPublish, TypingChange, PresenceSubscribe,
                 PresenceUnsubscribe, PresenceGet, ConversationCreate, ConversationList,
                 ConversationGet, ConversationJoin, ConversationLeave, MemberAdd, MemberRemove,
                 ConversationRename, MemberRole, ConversationMute, History, Sync, UnreadFetch>;

// What the sender wants echoed in the reply: the raw JSON token of "id" (string or number, at most 64 bytes), or empty
// when no reply is wanted beyond what the command always answers.
using RequestId = std::string;

}  // namespace uproar::chat
