#pragma once

// ServerEvent -> JSON (docs/protocol.md), for WebSocket messages and REST bodies alike. Pure; appends to a writer, so
// the caller may leave room in front or join several values.
//
// Hot path: per publish and per reply, not per recipient. Allocations: 0 once the writer has grown, except for messages
// with reactions (grouping them sorts a small index).
//
// `id` is the RequestId of the command this answers, verbatim JSON, or empty for events. Field order is fixed and
// empty fields are not written: frames are short because bytes are the price of a delivery.

#include <string_view>

#include "proto/chat/account.h"
#include "proto/chat/client_event.h"
#include "proto/chat/json_writer.h"
#include "proto/chat/server_event.h"

namespace uproar::chat {

void encode(const ServerEvent& event, std::string_view id, JsonWriter& out);

// The same for one alternative, for callers that know it: no variant is built or visited.
void encode(const SessionReady& event, std::string_view id, JsonWriter& out);
void encode(const SessionExpiring& event, std::string_view id, JsonWriter& out);
void encode(const SessionRefreshed& event, std::string_view id, JsonWriter& out);
void encode(const Pong& event, std::string_view id, JsonWriter& out);
void encode(const Ok& event, std::string_view id, JsonWriter& out);
void encode(const Error& event, std::string_view id, JsonWriter& out);
void encode(const MessageSent& event, std::string_view id, JsonWriter& out);
void encode(const MessageNew& event, std::string_view id, JsonWriter& out);
void encode(const MessageUpdated& event, std::string_view id, JsonWriter& out);
void encode(const MessageDeleted& event, std::string_view id, JsonWriter& out);
void encode(const ReactionUpdated& event, std::string_view id, JsonWriter& out);
void encode(const ReceiptUpdate& event, std::string_view id, JsonWriter& out);
void encode(const Event& event, std::string_view id, JsonWriter& out);
void encode(const TypingUpdate& event, std::string_view id, JsonWriter& out);
void encode(const PresenceUpdate& event, std::string_view id, JsonWriter& out);
void encode(const PresenceList& event, std::string_view id, JsonWriter& out);
void encode(const ConversationCreated& event, std::string_view id, JsonWriter& out);
void encode(const ConversationPage& event, std::string_view id, JsonWriter& out);
void encode(const ConversationInfo& event, std::string_view id, JsonWriter& out);
void encode(const ConversationJoined& event, std::string_view id, JsonWriter& out);
void encode(const ConversationNotLive& event, std::string_view id, JsonWriter& out);
void encode(const ConversationUpdated& event, std::string_view id, JsonWriter& out);
void encode(const MemberAdded& event, std::string_view id, JsonWriter& out);
void encode(const MemberRemoved& event, std::string_view id, JsonWriter& out);
void encode(const ConversationMuted& event, std::string_view id, JsonWriter& out);
void encode(const HistoryPage& event, std::string_view id, JsonWriter& out);
void encode(const SyncDone& event, std::string_view id, JsonWriter& out);
void encode(const ServerDraining& event, std::string_view id, JsonWriter& out);

// REST bodies that are no event.
void encode(const SignedIn& answer, JsonWriter& out);
void encode(const UserProfile& answer, JsonWriter& out);
void encode(const UserList& answer, JsonWriter& out);
void encode(const SyncAnswer& answer, JsonWriter& out);

}  // namespace uproar::chat
