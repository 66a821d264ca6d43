// Hot path: per command. Allocations: only the strings and lists of the command itself.
#include "proto/chat/command_builder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/chat/limits.h"
#include "proto/chat/rfc3339.h"
#include "proto/chat/wire_names.h"

namespace uproar::chat {
namespace {

constexpr std::size_t kIdTextBytesMax = Uuid::kTextBytes;

// Each call looks at one field; the first failure is kept and makes all later calls no-ops, so a command is read as a
// plain list of its fields.
class Builder {
 public:
  Builder(const CommandFields& fields, Now now) : fields_(fields), now_(now) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] bool given(Field field) const { return fields_.state(field) == FieldState::kGiven; }
  [[nodiscard]] bool absent(Field field) const {
    return fields_.state(field) == FieldState::kAbsent;
  }

  void fail(ErrorCode code, std::string_view detail) {
    if (failed_) return;
    failed_ = true;
    error_ = {.code = code, .detail = detail, .retry_after_ms = 0};
  }
  void fail_invalid(Field field) { fail(ErrorCode::kInvalidField, field_info(field).invalid); }
  void fail_missing(Field field) { fail(ErrorCode::kMissingField, field_info(field).missing); }
  void fail_too_large(Field field) { fail(ErrorCode::kTooLarge, field_info(field).too_large); }

  // False when there is nothing to read: absent, or an error that was noted.
  bool present(Field field) {
    if (failed_) return false;
    switch (fields_.state(field)) {
      case FieldState::kAbsent:
        return false;
      case FieldState::kGiven:
        return true;
      case FieldState::kWrong:
        fail_invalid(field);
        return false;
      case FieldState::kTooMany:
        fail_too_large(field);
        return false;
    }
    return false;
  }
  bool required(Field field) {
    if (present(field)) return true;
    if (absent(field)) fail_missing(field);
    return false;
  }

  // Optional string; a field whose limit has a sentence of its own is kTooLarge above it, the others kInvalidField.
  void text(Field field, std::size_t bytes_min, std::size_t bytes_max, std::string& out) {
    if (!present(field)) return;
    const std::string_view text = fields_.text(field);
    if (text.size() > bytes_max) {
      if (field_info(field).too_large.empty()) return fail_invalid(field);
      return fail_too_large(field);
    }
    if (text.size() < bytes_min || text.find('\0') != std::string_view::npos)
      return fail_invalid(field);
    out.assign(text);
  }
  void required_text(Field field, std::size_t bytes_min, std::size_t bytes_max, std::string& out) {
    if (required(field)) text(field, bytes_min, bytes_max, out);
  }

  template <class Id>
  void id(Field field, Id& out) {
    if (!present(field)) return;
    const std::string_view text = fields_.text(field);
    const auto parsed = text.size() <= kIdTextBytesMax ? Id::parse(text) : std::nullopt;
    if (!parsed || parsed->is_nil()) return fail_invalid(field);  // nil stands for "none" inside
    out = *parsed;
  }
  template <class Id>
  void required_id(Field field, Id& out) {
    if (required(field)) id(field, out);
  }

  template <class Number>
  void number(Field field, std::uint64_t min, std::uint64_t max, Number& out) {
    if (!present(field)) return;
    const std::uint64_t value = fields_.number(field);
    if (value < min || value > max) return fail_invalid(field);
    out = static_cast<Number>(value);
  }

  // seq, its synonym message_seq, or message_id.
  void message(MessageRef& out) {
    number(Field::kMessageSeq, 1, kNumberMax, out.seq);
    number(Field::kSeq, 1, kNumberMax, out.seq);
    id(Field::kMessageId, out.id);
    if (out.seq == 0 && out.id.is_nil()) fail_missing(Field::kMessageId);
  }

  void role(Role& out) {
    if (!present(Field::kRole)) return;
    const auto parsed = role_of(fields_.text(Field::kRole));
    if (!parsed) return fail_invalid(Field::kRole);
    out = *parsed;
  }

  void users(std::size_t count_max, std::vector<UserId>& out) {
    if (!required(Field::kUserIds)) return;
    if (fields_.user_ids().size() > count_max) return fail_too_large(Field::kUserIds);
    out = fields_.user_ids();
  }

  const CommandFields& fields() const { return fields_; }
  Now now() const { return now_; }

 private:
  const CommandFields& fields_;
  const Now now_;
  bool failed_ = false;
  Error error_;
};

void build(Builder& in, SessionOpen& out) {
  in.required_text(Field::kToken, 1, kTokenBytesMax, out.token);
  std::uint64_t resume = 0;
  in.number(Field::kResume, 0, 1, resume);
  out.resume = resume != 0;
}

void build(Builder& in, MessageSend& out) {
  in.id(Field::kConversationId, out.conversation);
  in.id(Field::kTo, out.to);
  if (in.given(Field::kConversationId) && in.given(Field::kTo)) {
    in.fail(ErrorCode::kInvalidField, "conversation_id and to exclude each other");
  }
  if (out.conversation.is_nil() && out.to.is_nil()) {
    in.fail(ErrorCode::kMissingField, "conversation_id or to is required");
  }
  in.required_text(Field::kClientId, 1, kClientIdBytesMax, out.client_id);
  if (in.present(Field::kKind)) {
    const auto type = message_type_of(in.fields().text(Field::kKind));
    if (!type || *type == MessageType::kSystem) return in.fail_invalid(Field::kKind);
    out.type = *type;
  }
  if (in.present(Field::kAttachments)) {
    const std::string_view raw = in.fields().text(Field::kAttachments);
    if (raw.size() > kAttachmentsBytesMax ||
        in.fields().attachments_shape().children > kAttachmentsMax) {
      return in.fail_too_large(Field::kAttachments);
    }
    out.attachments.assign(raw);
  }
  if (out.attachments.empty()) {
    in.required_text(Field::kContent, 1, kContentBytesMax, out.content);
  } else {
    in.text(Field::kContent, 0, kContentBytesMax, out.content);
  }
  in.number(Field::kReplyTo, 1, kNumberMax, out.reply_to);
  if (in.present(Field::kMentions)) out.mentions = in.fields().mentions();
}

void build(Builder& in, MessageEdit& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.message(out.message);
  in.required_text(Field::kContent, 1, kContentBytesMax, out.content);
}

void build(Builder& in, MessageDelete& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.message(out.message);
}

void build(Builder& in, ReactionChange& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.message(out.message);
  in.required_text(Field::kEmoji, 1, kEmojiBytesMax, out.emoji);
}

void build(Builder& in, MarkAdvance& out) {
  in.required_id(Field::kConversationId, out.conversation);
  if (in.required(Field::kSeq)) in.number(Field::kSeq, 1, kNumberMax, out.seq);
}

void build(Builder& in, EventPublish& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.required_text(Field::kName, 1, kEventNameBytesMax, out.name);
  if (!in.present(Field::kData)) return;  // an event may be its name alone
  const std::string_view raw = in.fields().text(Field::kData);
  if (raw.size() > kEventDataBytesMax) return in.fail_too_large(Field::kData);
  out.data.assign(raw);
}

void build(Builder& in, TypingChange& out) {
  in.required_id(Field::kConversationId, out.conversation);
}
void build(Builder& in, PresenceSubscribe& out) {
  in.users(kPresenceListMax, out.users);
}
void build(Builder& in, PresenceUnsubscribe& out) {
  in.users(kPresenceListMax, out.users);
}
void build(Builder& in, PresenceGet& out) {
  in.users(kPresenceListMax, out.users);
}

void build(Builder& in, ConversationCreate& out) {
  if (in.present(Field::kKind)) {
    const auto kind = conversation_kind_of(in.fields().text(Field::kKind));
    if (!kind) return in.fail_invalid(Field::kKind);
    out.kind = *kind;
  }
  in.text(Field::kName, 0, kConversationNameBytesMax, out.name);
  in.text(Field::kClientId, 1, kClientIdBytesMax, out.client_id);
  if (in.present(Field::kUserIds)) out.members = in.fields().user_ids();
  if (in.present(Field::kMembers)) out.members = in.fields().members();
}

void build(Builder& in, ConversationList& out) {
  in.number(Field::kLimit, 1, kConversationListLimitMax, out.limit);
  in.id(Field::kAfter, out.after);
}

void build(Builder& in, ConversationGet& out) {
  in.required_id(Field::kConversationId, out.conversation);
}
void build(Builder& in, ConversationJoin& out) {
  in.required_id(Field::kConversationId, out.conversation);
}
void build(Builder& in, ConversationLeave& out) {
  in.required_id(Field::kConversationId, out.conversation);
}

void build(Builder& in, MemberAdd& out) {
  in.required_id(Field::kConversationId, out.conversation);
  UserId one;
  in.id(Field::kUserId, one);
  if (!one.is_nil() && in.absent(Field::kUserIds)) {
    out.users.assign(1, one);
  } else {
    in.users(kMemberListMax, out.users);
    if (out.users.empty()) in.fail_invalid(Field::kUserIds);
  }
  in.role(out.role);
}

void build(Builder& in, MemberRemove& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.required_id(Field::kUserId, out.user);
}

void build(Builder& in, ConversationRename& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.required_text(Field::kName, 1, kConversationNameBytesMax, out.name);
}

void build(Builder& in, MemberRole& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.required_id(Field::kUserId, out.user);
  if (in.required(Field::kRole)) in.role(out.role);
}

void build(Builder& in, ConversationMute& out) {
  in.required_id(Field::kConversationId, out.conversation);
  if (in.given(Field::kUntil) && in.given(Field::kForMs)) {
    return in.fail(ErrorCode::kInvalidField, "until and for_ms exclude each other");
  }
  const std::int64_t latest_us = in.now().wall_us + kMuteMsMax * 1000;
  if (in.present(Field::kUntil)) {
    const auto until = parse_rfc3339(in.fields().text(Field::kUntil));
    if (!until || *until <= 0) return in.fail_invalid(Field::kUntil);
    out.until_us = std::min(*until, latest_us);
  }
  std::int64_t for_ms = 0;
  in.number(Field::kForMs, 1, static_cast<std::uint64_t>(kMuteMsMax), for_ms);
  if (for_ms > 0) out.until_us = in.now().wall_us + for_ms * 1000;
}

void build(Builder& in, History& out) {
  in.required_id(Field::kConversationId, out.conversation);
  Seq seq = 0;
  in.number(Field::kBeforeSeq, 1, kNumberMax, seq);
  if (in.given(Field::kBeforeSeq)) out.before_seq = seq;
  in.number(Field::kAfterSeq, 0, kNumberMax, seq);
  if (in.given(Field::kAfterSeq)) out.after_seq = seq;
  if (out.before_seq && out.after_seq) {
    in.fail(ErrorCode::kInvalidField, "before_seq and after_seq exclude each other");
  }
  in.number(Field::kLimit, 1, kHistoryLimitMax, out.limit);
}

void build(Builder& in, Sync& out) {
  if (in.required(Field::kCursors)) out.cursors = in.fields().cursors();
}

void build(Builder& in, UnreadFetch& out) {
  in.number(Field::kLimit, 1, kHistoryLimitMax, out.limit);
}

template <class Command>
Result<ClientEvent, Error> finish(Builder& in, Command command) {
  build(in, command);
  if (in.failed()) return Err{in.error()};
  return ClientEvent(std::move(command));
}

Result<ClientEvent, Error> build_typing(Builder& in, bool typing, Door door) {
  if (door == Door::kRest) {  // one route says both
    std::uint64_t flag = typing ? 1 : 0;
    in.number(Field::kTyping, 0, 1, flag);
    typing = flag != 0;
  }
  return finish(in, TypingChange{.conversation = {}, .typing = typing});
}

}  // namespace

Result<ClientEvent, Error> build_command(CommandType type, const CommandFields& fields, Now now,
                                         Door door) {
  Builder in(fields, now);
  switch (type) {
    case CommandType::kSessionOpen:
      return finish(in, SessionOpen{});
    case CommandType::kPing:
      return ClientEvent(Ping{});
    case CommandType::kMessageSend:
      return finish(in, MessageSend{});
    case CommandType::kMessageEdit:
      return finish(in, MessageEdit{});
    case CommandType::kMessageDelete:
      return finish(in, MessageDelete{});
    case CommandType::kReactionAdd:
    case CommandType::kReactionRemove: {
      ReactionChange change;
      change.add = type == CommandType::kReactionAdd;
      return finish(in, std::move(change));
    }
    case CommandType::kMessageDelivered:
    case CommandType::kMessageRead: {
      MarkAdvance mark;
      mark.kind = type == CommandType::kMessageRead ? MarkKind::kSeen : MarkKind::kDelivered;
      return finish(in, mark);
    }
    case CommandType::kEventPublish:
      return finish(in, EventPublish{});
    case CommandType::kTypingStart:
      return build_typing(in, true, door);
    case CommandType::kTypingStop:
      return build_typing(in, false, door);
    case CommandType::kPresenceSubscribe:
      return finish(in, PresenceSubscribe{});
    case CommandType::kPresenceUnsubscribe:
      return finish(in, PresenceUnsubscribe{});
    case CommandType::kPresenceGet:
      return finish(in, PresenceGet{});
    case CommandType::kConversationCreate:
      return finish(in, ConversationCreate{});
    case CommandType::kConversationList:
      return finish(in, ConversationList{});
    case CommandType::kConversationGet:
      return finish(in, ConversationGet{});
    case CommandType::kConversationJoin:
      return finish(in, ConversationJoin{});
    case CommandType::kConversationLeave:
      return finish(in, ConversationLeave{});
    case CommandType::kConversationAdd:
      return finish(in, MemberAdd{});
    case CommandType::kConversationRemove:
      return finish(in, MemberRemove{});
    case CommandType::kConversationRename:
      return finish(in, ConversationRename{});
    case CommandType::kConversationRole:
      return finish(in, MemberRole{});
    case CommandType::kConversationMute:
      return finish(in, ConversationMute{});
    case CommandType::kHistory:
      return finish(in, History{});
    case CommandType::kSync:
      return finish(in, Sync{});
    case CommandType::kUnreadFetch:
      return finish(in, UnreadFetch{});
    case CommandType::kCount:
      break;
  }
  return Err{Error{.code = ErrorCode::kUnknownType, .detail = {}, .retry_after_ms = 0}};
}

Result<std::string, Error> required_text(const CommandFields& fields, Field field,
                                         std::size_t bytes_min, std::size_t bytes_max) {
  Builder in(fields, Now{});
  std::string out;
  in.required_text(field, bytes_min, bytes_max, out);
  if (in.failed()) return Err{in.error()};
  return out;
}

}  // namespace uproar::chat
