#pragma once

// What the server may say (docs/protocol.md): replies carry the request's id, events none. Encoders write no field
// that is empty. The comment behind a struct is its "type" on the wire.

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/chat/error_code.h"
#include "proto/chat/vocabulary.h"

namespace uproar::chat {

struct Limits {
  std::uint32_t content_bytes_max = 0;
  std::uint32_t event_bytes_max = 0;
  std::uint32_t message_bytes_max = 0;  // whole WebSocket message
  std::uint32_t members_max = 0;
  std::uint32_t history_limit_max = 0;
  std::uint32_t sync_conversations_max = 0;
  std::uint32_t presence_watch_max = 0;
};

struct SessionReady {  // session.ready
  SessionId session;
  UserId user;
  std::int64_t server_time_us = 0;
  std::uint32_t heartbeat_interval_ms = 0;
  std::uint32_t resume_window_s = 0;
  Limits limits;
  std::string node;
  std::int64_t expires_at_us = 0;  // of the token that opened it
};
struct SessionExpiring {  // session.expiring
  std::int64_t expires_at_us = 0;
};
struct SessionRefreshed {  // session.refreshed
  std::int64_t expires_at_us = 0;
};
struct Pong {};       // pong
struct Ok {};         // ok
struct MessageSent {  // message.sent
  MessageId message;
  ConversationId conversation;
  Seq seq = 0;
  std::int64_t sent_at_us = 0;
  bool duplicate = false;
};
struct MessageNew {
  Message message;
};                       // message.new
struct MessageUpdated {  // message.updated
  ConversationId conversation;
  Seq seq = 0;  // of this edit
  Seq message_seq = 0;
  MessageId message;
  UserId sender;
  std::string content;
  std::int64_t edited_at_us = 0;
};
struct MessageDeleted {  // message.deleted
  ConversationId conversation;
  Seq seq = 0;
  Seq message_seq = 0;
  MessageId message;
  UserId by;
  std::int64_t deleted_at_us = 0;
};
struct ReactionUpdated {  // reaction.updated
  ConversationId conversation;
  Seq seq = 0;  // 0 in a reply to a change that was already so
  Seq message_seq = 0;
  MessageId message;
  UserId user;
  std::string emoji;
  bool added = true;
};
struct ReceiptUpdate {  // receipt.update
  ConversationId conversation;
  UserId user;
  Seq delivered_seq = 0;  // 0: not in this update
  Seq read_seq = 0;
  std::int64_t at_us = 0;
};
struct Event {  // event
  ConversationId conversation;
  UserId sender;
  std::string name;
  std::string data;  // raw JSON
};
struct TypingUpdate {
  ConversationId conversation;
  UserId user;
  bool typing = true;
};  // typing.update
struct PresenceUpdate {
  PresenceState state;
};  // presence.update
struct PresenceList {
  std::vector<PresenceState> users;
};  // presence.state
struct ConversationCreated {
  ConversationView conversation;
  bool duplicate = false;
};                         // conversation.created
struct ConversationPage {  // conversation.list
  std::vector<ConversationView> conversations;
  bool has_more = false;
  bool stale = false;
};
struct ConversationInfo {
  ConversationView conversation;
};  // conversation.info
struct ConversationJoined {
  ConversationView conversation;
};  // conversation.joined: to those who are added, too
// conversation.not_live: not on this connection, until a sync names them.
struct ConversationNotLive {
  std::vector<ConversationId> conversations;
  bool more = false;  // and others, which conversation.list shows
};
struct ConversationUpdated {  // conversation.updated: a rename or a change of role
  ConversationId conversation;
  Seq seq = 0;
  UserId by;
  std::string name;  // rename
  UserId user;       // role change: whose
  Role role = Role::kMember;
  std::int64_t at_us = 0;
};
struct MemberAdded {  // member.added
  ConversationId conversation;
  Seq seq = 0;
  UserId user;
  Role role = Role::kMember;
  UserId by;
  std::int64_t at_us = 0;
};
struct MemberRemoved {  // member.removed
  ConversationId conversation;
  Seq seq = 0;
  UserId user;
  UserId by;
  std::int64_t at_us = 0;
};
struct ConversationMuted {
  ConversationId conversation;
  std::int64_t muted_until_us = 0;
};                    // conversation.muted
struct HistoryPage {  // history.page: answers history, sync and unread.fetch
  ConversationId conversation;
  std::vector<Message> messages;
  Seq upto_seq = 0;  // sync: the cursor after this page; 0 in answers to history
  bool has_more = false;
  bool stale = false;  // from memory while the store is down
};
struct SyncDone {  // sync.done
  std::vector<std::pair<ConversationId, Seq>> cursors;
  std::vector<std::pair<ConversationId, ErrorCode>> refused;
  bool has_more = false;  // of a request: its one answer is full; ask again with `cursors`
};
struct ServerDraining {
  std::uint32_t reconnect_after_ms = 0;
};  // server.draining

using ServerEvent =
    std::variant<SessionReady, SessionExpiring, SessionRefreshed, Pong, Ok, Error, MessageSent,
                 MessageNew, MessageUpdated, MessageDeleted, ReactionUpdated, ReceiptUpdate, Event,
                 TypingUpdate, PresenceUpdate, PresenceList, ConversationCreated, ConversationPage,
                 ConversationInfo, ConversationJoined, ConversationNotLive, ConversationUpdated,
                 MemberAdded, MemberRemoved, ConversationMuted, HistoryPage, SyncDone,
                 ServerDraining>;

}  // namespace uproar::chat
