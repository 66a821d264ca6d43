// Hot path: per publish and per reply. Allocations: 0 once the writer has grown (reactions excepted).
#include "proto/chat/server_event_encoder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "proto/chat/event_parts.h"
#include "proto/chat/wire_names.h"

namespace uproar::chat {
using detail::cursor_map;
using detail::message_item;
using detail::refusal_map;

namespace {

// `{"type":"x"` and the id of the request. Every encoder begins here and ends with '}'.
void open(JsonWriter& out, std::string_view head, std::string_view id) {
  out.raw(head);
  if (id.empty()) return;
  out.raw(R"(,"id":)");
  out.raw(id);
}

template <class Id>
void optional_uuid(JsonWriter& out, std::string_view name, const Id& id) {
  if (id.is_nil()) return;
  out.raw(name);
  out.uuid(id);
}

void optional_number(JsonWriter& out, std::string_view name, std::uint64_t value) {
  if (value == 0) return;
  out.raw(name);
  out.number(value);
}

void optional_time(JsonWriter& out, std::string_view name, std::int64_t unix_us) {
  if (unix_us == 0) return;
  out.raw(name);
  out.time(unix_us);
}

void optional_string(JsonWriter& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out.raw(name);
  out.string(text);
}

void reactions(const std::vector<Reaction>& list, JsonWriter& out) {
  std::vector<std::uint32_t> order(list.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  std::stable_sort(order.begin(), order.end(), [&list](std::uint32_t a, std::uint32_t b) {
    return list[a].emoji < list[b].emoji;
  });
  out.raw(R"(,"reactions":{)");
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Reaction& reaction = list[order[i]];
    if (i > 0 && list[order[i - 1]].emoji == reaction.emoji) {
      out.raw(',');
    } else {
      if (i > 0) out.raw("],");
      out.string(reaction.emoji);
      out.raw(":[");
    }
    out.uuid(reaction.user);
  }
  out.raw("]}");
}

// Whose change a system row tells: the same words as the live event.
void system_fields(const Message& message, JsonWriter& out) {
  out.number(message.seq);
  out.raw(R"(,"kind":"system")");
  if (message.system != SystemEvent::kNone) {
    out.raw(R"(,"event":)");
    out.plain_string(wire_name(message.system));
  }
  optional_uuid(out, R"(,"sender_id":)", message.sender);
  optional_uuid(out, R"(,"user_id":)", message.subject);
  if (message.system == SystemEvent::kMemberAdded || message.system == SystemEvent::kRoleChanged) {
    out.raw(R"(,"role":)");
    out.plain_string(wire_name(message.role));
  }
  optional_string(out, R"(,"content":)", message.content);
  optional_time(out, R"(,"sent_at":)", message.sent_at_us);
}

// From the value of "seq" on; what message.new and the items of pages share.
void message_fields(const Message& message, JsonWriter& out) {
  if (message.type == MessageType::kSystem) return system_fields(message, out);
  out.number(message.seq);
  out.raw(R"(,"message_id":)");
  out.uuid(message.id);
  out.raw(R"(,"sender_id":)");
  out.uuid(message.sender);
  optional_string(out, R"(,"content":)", message.content);
  out.raw(R"(,"sent_at":)");
  out.time(message.sent_at_us);
  optional_number(out, R"(,"no":)", message.no);
  optional_string(out, R"(,"client_id":)", message.client_id);
  if (message.type != MessageType::kText) {
    out.raw(R"(,"kind":)");
    out.plain_string(wire_name(message.type));
  }
  if (!message.attachments.empty()) {
    out.raw(R"(,"attachments":)");
    out.raw(message.attachments);
  }
  optional_number(out, R"(,"reply_to":)", message.reply_to);
  if (!message.mentions.empty()) {
    out.raw(R"(,"mentions":)");
    char separator = '[';
    for (const UserId& user : message.mentions) {
      out.raw(separator);
      out.uuid(user);
      separator = ',';
    }
    out.raw(']');
  }
}

void member(const Member& member, JsonWriter& out) {
  out.raw(R"({"user_id":)");
  out.uuid(member.user);
  optional_string(out, R"(,"name":)", member.name);
  out.raw(R"(,"role":)");
  out.plain_string(wire_name(member.role));
  optional_number(out, R"(,"delivered_seq":)", member.delivered_seq);
  optional_number(out, R"(,"read_seq":)", member.read_seq);
  out.raw('}');
}

void conversation(const ConversationView& view, JsonWriter& out) {
  out.raw(R"({"id":)");
  out.uuid(view.id);
  out.raw(R"(,"kind":)");
  out.plain_string(wire_name(view.kind));
  optional_string(out, R"(,"name":)", view.name);
  out.raw(R"(,"role":)");
  out.plain_string(wire_name(view.role));
  out.raw(R"(,"last_seq":)");
  out.number(view.last_seq);
  out.raw(R"(,"unread":)");
  out.number(view.unread);
  optional_number(out, R"(,"read_seq":)", view.read_seq);
  optional_number(out, R"(,"delivered_seq":)", view.delivered_seq);
  optional_number(out, R"(,"member_count":)", view.member_count);
  optional_time(out, R"(,"muted_until":)", view.muted_until_us);
  optional_time(out, R"(,"created_at":)", view.created_at_us);
  if (!view.is_live) out.raw(R"(,"live":false)");
  if (view.last_message) {
    out.raw(R"(,"last_message":)");
    message_item(*view.last_message, out);
  }
  if (!view.members.empty()) {
    out.raw(R"(,"members":)");
    char separator = '[';
    for (const Member& each : view.members) {
      out.raw(separator);
      member(each, out);
      separator = ',';
    }
    out.raw(']');
  }
  out.raw('}');
}

void presence(const PresenceState& state, JsonWriter& out) {
  out.uuid(state.user);
  out.raw(state.online ? std::string_view(R"(,"status":"online")")
                       : std::string_view(R"(,"status":"offline")"));
  optional_time(out, R"(,"last_online":)", state.last_online_us);
  if (state.uncertain) out.raw(R"(,"uncertain":true)");
}

}  // namespace

void detail::message_item(const Message& message, JsonWriter& out) {
  out.raw(R"({"seq":)");
  message_fields(message, out);
  if (message.version != message.seq) optional_number(out, R"(,"version":)", message.version);
  optional_time(out, R"(,"edited_at":)", message.edited_at_us);
  optional_time(out, R"(,"deleted_at":)", message.deleted_at_us);
  optional_time(out, R"(,"delivered_at":)", message.delivered_at_us);
  optional_time(out, R"(,"seen_at":)", message.seen_at_us);
  if (!message.reactions.empty()) reactions(message.reactions, out);
  out.raw('}');
}

void detail::cursor_map(const std::vector<std::pair<ConversationId, Seq>>& cursors,
                        JsonWriter& out) {
  out.raw('{');
  bool first = true;
  for (const auto& [id, seq] : cursors) {
    if (!first) out.raw(',');
    first = false;
    out.uuid(id);
    out.raw(':');
    out.number(seq);
  }
  out.raw('}');
}

void detail::refusal_map(const std::vector<std::pair<ConversationId, ErrorCode>>& refused,
                         JsonWriter& out) {
  out.raw('{');
  bool first = true;
  for (const auto& [id, code] : refused) {
    if (!first) out.raw(',');
    first = false;
    out.uuid(id);
    out.raw(':');
    out.plain_string(error_info(code).name);
  }
  out.raw('}');
}

void encode(const ServerEvent& event, std::string_view id, JsonWriter& out) {
  std::visit([&](const auto& each) { encode(each, id, out); }, event);
}

void encode(const SessionReady& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"session.ready")", id);
  out.raw(R"(,"session_id":)");
  out.uuid(event.session);
  out.raw(R"(,"user_id":)");
  out.uuid(event.user);
  out.raw(R"(,"server_time":)");
  out.time(event.server_time_us);
  out.raw(R"(,"heartbeat_interval_ms":)");
  out.number(event.heartbeat_interval_ms);
  out.raw(R"(,"resume_window_s":)");
  out.number(event.resume_window_s);
  const Limits& limits = event.limits;
  out.raw(R"(,"limits":{"content_bytes_max":)");
  out.number(limits.content_bytes_max);
  out.raw(R"(,"event_bytes_max":)");
  out.number(limits.event_bytes_max);
  out.raw(R"(,"message_bytes_max":)");
  out.number(limits.message_bytes_max);
  out.raw(R"(,"members_max":)");
  out.number(limits.members_max);
  out.raw(R"(,"history_limit_max":)");
  out.number(limits.history_limit_max);
  out.raw(R"(,"sync_conversations_max":)");
  out.number(limits.sync_conversations_max);
  out.raw(R"(,"presence_watch_max":)");
  out.number(limits.presence_watch_max);
  out.raw('}');
  optional_string(out, R"(,"node":)", event.node);
  optional_time(out, R"(,"expires_at":)", event.expires_at_us);
  out.raw('}');
}

void encode(const SessionExpiring& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"session.expiring")", id);
  out.raw(R"(,"expires_at":)");
  out.time(event.expires_at_us);
  out.raw('}');
}

void encode(const SessionRefreshed& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"session.refreshed")", id);
  out.raw(R"(,"expires_at":)");
  out.time(event.expires_at_us);
  out.raw('}');
}

void encode(const Pong&, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"pong")", id);
  out.raw('}');
}

void encode(const Ok&, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"ok")", id);
  out.raw('}');
}

void encode(const Error& event, std::string_view id, JsonWriter& out) {
  const ErrorInfo& info = error_info(event.code);
  open(out, R"({"type":"error")", id);
  out.raw(R"(,"code":)");
  out.plain_string(info.name);
  out.raw(R"(,"message":)");
  if (event.detail.empty()) {
    out.string(info.message);
  } else {
    out.string(event.detail.text().view());
  }
  optional_number(out, R"(,"retry_after_ms":)", event.retry_after_ms);
  out.raw('}');
}

void encode(const MessageSent& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"message.sent")", id);
  out.raw(R"(,"message_id":)");
  out.uuid(event.message);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  out.raw(R"(,"seq":)");
  out.number(event.seq);
  out.raw(R"(,"sent_at":)");
  out.time(event.sent_at_us);
  if (event.duplicate) out.raw(R"(,"duplicate":true)");
  out.raw('}');
}

void encode(const MessageNew& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"message.new")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.message.conversation);
  out.raw(R"(,"seq":)");
  message_fields(event.message, out);
  out.raw('}');
}

void encode(const MessageUpdated& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"message.updated")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  optional_number(out, R"(,"seq":)", event.seq);
  out.raw(R"(,"message_seq":)");
  out.number(event.message_seq);
  optional_uuid(out, R"(,"message_id":)", event.message);
  optional_uuid(out, R"(,"sender_id":)", event.sender);
  out.raw(R"(,"content":)");
  out.string(event.content);
  optional_time(out, R"(,"edited_at":)", event.edited_at_us);
  out.raw('}');
}

void encode(const MessageDeleted& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"message.deleted")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  optional_number(out, R"(,"seq":)", event.seq);
  out.raw(R"(,"message_seq":)");
  out.number(event.message_seq);
  optional_uuid(out, R"(,"message_id":)", event.message);
  optional_uuid(out, R"(,"by":)", event.by);
  optional_time(out, R"(,"deleted_at":)", event.deleted_at_us);
  out.raw('}');
}

void encode(const ReactionUpdated& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"reaction.updated")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  optional_number(out, R"(,"seq":)", event.seq);
  out.raw(R"(,"message_seq":)");
  out.number(event.message_seq);
  optional_uuid(out, R"(,"message_id":)", event.message);
  out.raw(R"(,"user_id":)");
  out.uuid(event.user);
  out.raw(R"(,"emoji":)");
  out.string(event.emoji);
  out.raw(R"(,"added":)");
  out.boolean(event.added);
  out.raw('}');
}

void encode(const ReceiptUpdate& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"receipt.update")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  out.raw(R"(,"user_id":)");
  out.uuid(event.user);
  optional_number(out, R"(,"delivered_seq":)", event.delivered_seq);
  optional_number(out, R"(,"read_seq":)", event.read_seq);
  optional_time(out, R"(,"at":)", event.at_us);
  out.raw('}');
}

void encode(const Event& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"event")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  out.raw(R"(,"name":)");
  out.string(event.name);
  if (!event.data.empty()) {
    out.raw(R"(,"data":)");
    out.raw(event.data);
  }
  out.raw(R"(,"sender_id":)");
  out.uuid(event.sender);
  out.raw('}');
}

void encode(const TypingUpdate& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"typing.update")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  out.raw(R"(,"user_id":)");
  out.uuid(event.user);
  out.raw(R"(,"typing":)");
  out.boolean(event.typing);
  out.raw('}');
}

void encode(const PresenceUpdate& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"presence.update")", id);
  out.raw(R"(,"user_id":)");
  presence(event.state, out);
  out.raw('}');
}

void encode(const PresenceList& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"presence.state")", id);
  out.raw(R"(,"users":[)");
  bool first = true;
  for (const PresenceState& state : event.users) {
    out.raw(first ? std::string_view(R"({"user_id":)") : std::string_view(R"(,{"user_id":)"));
    first = false;
    presence(state, out);
    out.raw('}');
  }
  out.raw("]}");
}

void encode(const ConversationCreated& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"conversation.created")", id);
  out.raw(R"(,"conversation":)");
  conversation(event.conversation, out);
  if (event.duplicate) out.raw(R"(,"duplicate":true)");
  out.raw('}');
}

void encode(const ConversationPage& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"conversation.list")", id);
  out.raw(R"(,"conversations":[)");
  bool first = true;
  for (const ConversationView& view : event.conversations) {
    if (!first) out.raw(',');
    first = false;
    conversation(view, out);
  }
  out.raw(R"(],"has_more":)");
  out.boolean(event.has_more);
  if (event.stale) out.raw(R"(,"stale":true)");
  out.raw('}');
}

void encode(const ConversationInfo& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"conversation.info")", id);
  out.raw(R"(,"conversation":)");
  conversation(event.conversation, out);
  out.raw('}');
}

void encode(const ConversationJoined& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"conversation.joined")", id);
  out.raw(R"(,"conversation":)");
  conversation(event.conversation, out);
  out.raw('}');
}

void encode(const ConversationNotLive& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"conversation.not_live")", id);
  if (!event.conversations.empty()) {
    out.raw(R"(,"conversation_ids":)");
    char separator = '[';
    for (const ConversationId conversation : event.conversations) {
      out.raw(separator);
      out.uuid(conversation);
      separator = ',';
    }
    out.raw(']');
  }
  if (event.more) out.raw(R"(,"more":true)");
  out.raw('}');
}

void encode(const ConversationUpdated& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"conversation.updated")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  optional_number(out, R"(,"seq":)", event.seq);
  optional_uuid(out, R"(,"by":)", event.by);
  optional_string(out, R"(,"name":)", event.name);
  if (!event.user.is_nil()) {
    out.raw(R"(,"user_id":)");
    out.uuid(event.user);
    out.raw(R"(,"role":)");
    out.plain_string(wire_name(event.role));
  }
  optional_time(out, R"(,"at":)", event.at_us);
  out.raw('}');
}

void encode(const MemberAdded& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"member.added")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  optional_number(out, R"(,"seq":)", event.seq);
  out.raw(R"(,"user_id":)");
  out.uuid(event.user);
  out.raw(R"(,"role":)");
  out.plain_string(wire_name(event.role));
  optional_uuid(out, R"(,"by":)", event.by);
  optional_time(out, R"(,"at":)", event.at_us);
  out.raw('}');
}

void encode(const MemberRemoved& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"member.removed")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  optional_number(out, R"(,"seq":)", event.seq);
  out.raw(R"(,"user_id":)");
  out.uuid(event.user);
  optional_uuid(out, R"(,"by":)", event.by);
  optional_time(out, R"(,"at":)", event.at_us);
  out.raw('}');
}

void encode(const ConversationMuted& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"conversation.muted")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  optional_time(out, R"(,"muted_until":)", event.muted_until_us);
  out.raw('}');
}

void encode(const HistoryPage& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"history.page")", id);
  out.raw(R"(,"conversation_id":)");
  out.uuid(event.conversation);
  out.raw(R"(,"messages":[)");
  bool first = true;
  for (const Message& message : event.messages) {
    if (!first) out.raw(',');
    first = false;
    message_item(message, out);
  }
  out.raw(']');
  optional_number(out, R"(,"upto_seq":)", event.upto_seq);
  out.raw(R"(,"has_more":)");
  out.boolean(event.has_more);
  if (event.stale) out.raw(R"(,"stale":true)");
  out.raw('}');
}

void encode(const SyncDone& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"sync.done")", id);
  out.raw(R"(,"cursors":)");
  cursor_map(event.cursors, out);
  if (!event.refused.empty()) {
    out.raw(R"(,"refused":)");
    refusal_map(event.refused, out);
  }
  out.raw('}');
}

void encode(const ServerDraining& event, std::string_view id, JsonWriter& out) {
  open(out, R"({"type":"server.draining")", id);
  out.raw(R"(,"reconnect_after_ms":)");
  out.number(event.reconnect_after_ms);
  out.raw('}');
}

}  // namespace uproar::chat
