#include "tests/sim/words.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include <simdjson.h>

#include "proto/chat/rfc3339.h"
#include "proto/chat/wire_names.h"

namespace uproar::sim {
namespace {

using namespace chat;  // NOLINT(google-build-using-namespace): thirty structs

// --- what clients say ------------------------------------------------------------------------------------------------

class Object {
 public:
  Object(std::string_view type, std::string_view id) {
    text_ = R"({"type":")" + std::string(type) + '"';
    if (!id.empty()) field("id", id);
  }
  Object& field(std::string_view name, std::string_view text) {
    return raw(name, '"' + std::string(text) + '"');
  }
  Object& field(std::string_view name, std::uint64_t number) {
    return raw(name, std::to_string(number));
  }
  template <class Id>
  requires requires(Id id) { id.text(); }
  Object& field(std::string_view name, const Id& id) {
    return field(name, std::string_view(id.text()));
  }
  Object& field(std::string_view name, const std::vector<UserId>& users) {
    std::string list;
    for (const UserId& user : users) list += (list.empty() ? "\"" : ",\"") + user.text() + '"';
    return raw(name, '[' + list + ']');
  }
  Object& raw(std::string_view name, std::string_view value) {
    text_ += ",\"" + std::string(name) + "\":" + std::string(value);
    return *this;
  }
  Object& message(const MessageRef& ref) {
    return ref.seq != 0 ? field("message_seq", ref.seq) : field("message_id", ref.id);
  }
  [[nodiscard]] std::string end() { return text_ + '}'; }

 private:
  std::string text_;
};

struct Speaker {
  std::string_view id;

  std::string operator()(const MessageSend& e) const {
    Object out("message.send", id);
    if (e.to.is_nil()) {
      out.field("conversation_id", e.conversation);
    } else {
      out.field("to", e.to);
    }
    return out.field("client_id", e.client_id).field("content", e.content).end();
  }
  std::string operator()(const MessageEdit& e) const {
    return Object("message.edit", id)
        .field("conversation_id", e.conversation)
        .message(e.message)
        .field("content", e.content)
        .end();
  }
  std::string operator()(const MessageDelete& e) const {
    return Object("message.delete", id)
        .field("conversation_id", e.conversation)
        .message(e.message)
        .end();
  }
  std::string operator()(const ReactionChange& e) const {
    return Object(e.add ? "reaction.add" : "reaction.remove", id)
        .field("conversation_id", e.conversation)
        .message(e.message)
        .field("emoji", e.emoji)
        .end();
  }
  std::string operator()(const MarkAdvance& e) const {
    return Object(e.kind == MarkKind::kSeen ? "message.read" : "message.delivered", id)
        .field("conversation_id", e.conversation)
        .field("seq", e.seq)
        .end();
  }
  std::string operator()(const EventPublish& e) const {
    return Object("event.publish", id)
        .field("conversation_id", e.conversation)
        .field("name", e.name)
        .raw("data", e.data)
        .end();
  }
  std::string operator()(const TypingChange& e) const {
    return Object(e.typing ? "typing.start" : "typing.stop", id)
        .field("conversation_id", e.conversation)
        .end();
  }
  std::string operator()(const PresenceSubscribe& e) const {
    return Object("presence.subscribe", id).field("user_ids", e.users).end();
  }
  std::string operator()(const ConversationList& e) const {
    return Object("conversation.list", id).field("limit", e.limit).end();
  }
  std::string operator()(const ConversationJoin& e) const {
    return Object("conversation.join", id).field("conversation_id", e.conversation).end();
  }
  std::string operator()(const MemberAdd& e) const {
    return Object("conversation.add", id)
        .field("conversation_id", e.conversation)
        .field("user_ids", e.users)
        .end();
  }
  std::string operator()(const MemberRemove& e) const {
    return Object("conversation.remove", id)
        .field("conversation_id", e.conversation)
        .field("user_id", e.user)
        .end();
  }
  std::string operator()(const ConversationRename& e) const {
    return Object("conversation.rename", id)
        .field("conversation_id", e.conversation)
        .field("name", e.name)
        .end();
  }
  std::string operator()(const Sync& e) const {
    std::string cursors;
    for (const auto& [conversation, seq] : e.cursors) {
      cursors +=
          (cursors.empty() ? "\"" : ",\"") + conversation.text() + "\":" + std::to_string(seq);
    }
    return Object("sync", id).raw("cursors", '{' + cursors + '}').end();
  }
  std::string operator()(const UnreadFetch& e) const {
    return Object("unread.fetch", id).field("limit", e.limit).end();
  }
  std::string operator()(const SessionRefresh& e) const {
    return Object("session.refresh", id).field("token", e.token).end();
  }
  std::string operator()(const Ping&) const { return Object("ping", id).end(); }
  template <class Other>
  std::string operator()(const Other&) const {
    return Object("ping", id).end();  // simulated clients say nothing else
  }
};

// --- what the server says --------------------------------------------------------------------------------------------

using simdjson::dom::element;
using simdjson::dom::object;

std::string_view text(const object& from, std::string_view name) {
  std::string_view out;
  return from.at_key(name).get(out) == simdjson::SUCCESS ? out : std::string_view();
}
std::uint64_t number(const object& from, std::string_view name) {
  std::uint64_t out = 0;
  return from.at_key(name).get(out) == simdjson::SUCCESS ? out : 0;
}
bool flag(const object& from, std::string_view name) {
  bool out = false;
  return from.at_key(name).get(out) == simdjson::SUCCESS && out;
}
template <class Id>
Id id(const object& from, std::string_view name) {
  return Id::parse(text(from, name)).value_or(Id());
}
std::int64_t time(const object& from, std::string_view name) {
  return parse_rfc3339(text(from, name)).value_or(0);
}
template <class F>
void each(const object& from, std::string_view name, F&& take) {
  simdjson::dom::array list;
  if (from.at_key(name).get(list) != simdjson::SUCCESS) return;
  for (const element item : list) {
    object entry;
    if (item.get(entry) == simdjson::SUCCESS) take(entry);
  }
}

SystemEvent system_event(std::string_view name) {
  for (const SystemEvent event : {SystemEvent::kMemberAdded, SystemEvent::kMemberRemoved,
                                  SystemEvent::kRenamed, SystemEvent::kRoleChanged}) {
    if (wire_name(event) == name) return event;
  }
  return SystemEvent::kNone;
}

Message message(const object& from, ConversationId conversation) {
  Message out;
  out.conversation = conversation;
  out.seq = number(from, "seq");
  out.version = std::max(number(from, "version"), out.seq);
  out.id = id<MessageId>(from, "message_id");
  out.sender = id<UserId>(from, "sender_id");
  out.content = text(from, "content");
  out.no = number(from, "no");
  out.client_id = text(from, "client_id");
  out.reply_to = number(from, "reply_to");
  out.sent_at_us = time(from, "sent_at");
  out.edited_at_us = time(from, "edited_at");
  out.deleted_at_us = time(from, "deleted_at");
  if (text(from, "kind") == "system") {
    out.type = MessageType::kSystem;
    out.system = system_event(text(from, "event"));
    out.subject = id<UserId>(from, "user_id");
    out.role = role_of(text(from, "role")).value_or(Role::kMember);
  }
  object reactions;
  if (from.at_key("reactions").get(reactions) == simdjson::SUCCESS) {
    for (const auto& [emoji, users] : reactions) {
      simdjson::dom::array list;
      if (users.get(list) != simdjson::SUCCESS) continue;
      for (std::size_t i = 0; i < list.size(); ++i)
        out.reactions.push_back({.emoji = std::string(emoji), .user = {}});
    }
  }
  return out;
}

ConversationView view(const object& from) {
  ConversationView out;
  object inner;
  if (from.at_key("conversation").get(inner) != simdjson::SUCCESS) inner = from;
  out.id = id<ConversationId>(inner, "id");
  out.last_seq = number(inner, "last_seq");
  out.last_no = chat::testing::kNotSaid;
  out.unread = number(inner, "unread");
  const std::string_view kind = text(inner, "kind");
  out.kind = kind == "direct"    ? ConversationKind::kDirect
             : kind == "channel" ? ConversationKind::kChannel
                                 : ConversationKind::kGroup;
  return out;
}

ErrorCode error_code(std::string_view name) {
  return error_code_of(name).value_or(ErrorCode::kInternal);
}

std::optional<ServerEvent> reply(std::string_view type, const object& from) {
  if (type == "session.ready") {
    SessionReady out;
    out.user = id<UserId>(from, "user_id");
    return out;
  }
  if (type == "session.expiring") return SessionExpiring{time(from, "expires_at")};
  if (type == "session.refreshed") return SessionRefreshed{time(from, "expires_at")};
  if (type == "message.sent") {
    MessageSent out;
    out.message = id<MessageId>(from, "message_id");
    out.conversation = id<ConversationId>(from, "conversation_id");
    out.seq = number(from, "seq");
    out.sent_at_us = time(from, "sent_at");
    out.duplicate = flag(from, "duplicate");
    return out;
  }
  if (type == "error") {
    Error out;
    out.code = error_code(text(from, "code"));
    out.retry_after_ms = static_cast<std::uint32_t>(number(from, "retry_after_ms"));
    return out;
  }
  if (type == "history.page") {
    HistoryPage out;
    out.conversation = id<ConversationId>(from, "conversation_id");
    out.upto_seq = number(from, "upto_seq");
    out.has_more = flag(from, "has_more");
    each(from, "messages",
         [&](const object& item) { out.messages.push_back(message(item, out.conversation)); });
    return out;
  }
  if (type == "sync.done") {
    SyncDone out;
    object map;
    if (from.at_key("cursors").get(map) == simdjson::SUCCESS) {
      for (const auto& [key, value] : map) {
        std::uint64_t seq = 0;
        if (value.get(seq) != simdjson::SUCCESS) return std::nullopt;
        out.cursors.emplace_back(ConversationId::parse(key).value_or(ConversationId()), seq);
      }
    }
    if (from.at_key("refused").get(map) == simdjson::SUCCESS) {
      for (const auto& [key, value] : map) {
        std::string_view name;
        if (value.get(name) != simdjson::SUCCESS) return std::nullopt;
        out.refused.emplace_back(ConversationId::parse(key).value_or(ConversationId()),
                                 error_code(name));
      }
    }
    return out;
  }
  if (type == "conversation.joined") return ConversationJoined{view(from)};
  if (type == "conversation.not_live") {
    ConversationNotLive out;
    simdjson::dom::array ids;
    if (from.at_key("conversation_ids").get(ids) == simdjson::SUCCESS) {
      for (const element item : ids) {
        std::string_view name;
        if (item.get(name) == simdjson::SUCCESS)
          out.conversations.push_back(ConversationId::parse(name).value_or(ConversationId()));
      }
    }
    out.more = flag(from, "more");
    return out;
  }
  if (type == "conversation.info") return ConversationInfo{view(from)};
  if (type == "conversation.created")
    return ConversationCreated{view(from), flag(from, "duplicate")};
  if (type == "conversation.list") {
    ConversationPage out;
    each(from, "conversations",
         [&](const object& item) { out.conversations.push_back(view(item)); });
    out.has_more = flag(from, "has_more");
    return out;
  }
  if (type == "presence.state") {
    PresenceList out;
    each(from, "users", [&](const object& item) {
      out.users.push_back({.user = id<UserId>(item, "user_id"),
                           .online = text(item, "status") == "online",
                           .last_online_us = 0});
    });
    return out;
  }
  if (type == "server.draining")
    return ServerDraining{static_cast<std::uint32_t>(number(from, "reconnect_after_ms"))};
  return std::nullopt;
}

}  // namespace

std::string words_of(const ClientEvent& event, std::string_view id) {
  return std::visit(Speaker{id}, event);
}

struct Listener::State {
  simdjson::dom::parser parser;
  ServerEventDecoder events;
};

Listener::Listener() : state_(std::make_unique<State>()) {}
Listener::~Listener() = default;

std::optional<Heard> Listener::hear(std::string_view json) {
  object from;
  if (state_->parser.parse(json.data(), json.size()).get(from) != simdjson::SUCCESS)
    return std::nullopt;
  Heard heard;
  heard.id = text(from, "id");
  const std::string_view type = text(from, "type");
  if (auto known = reply(type, from)) {
    heard.event = std::move(*known);
    return heard;
  }
  if (heard.id.empty() && type != "pong" && type != "ok") {
    auto event = state_->events.decode(as_bytes(json));
    if (!event.ok()) return std::nullopt;
    heard.event = std::move(*event);
    return heard;
  }
  heard.event = Ok{};
  return heard;
}

}  // namespace uproar::sim
