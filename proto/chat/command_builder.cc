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

  void fail(const Error& error) {
    if (failed_) return;
    failed_ = true;
    error_ = error;
  }
  void fail(ErrorCode code, const ErrorDetail& detail) {
    fail(Error{.code = code, .detail = detail, .retry_after_ms = 0});
  }
  // `expected`: where commands differ; else that of field_info().
  [[gnu::cold, gnu::noinline]] void fail_invalid(Field field, Got got, std::uint64_t number = 0,
                                                 std::string_view expected = {}) {
    const FieldInfo& info = field_info(field);
    if (expected.empty()) expected = info.expected;
    fail(ErrorCode::kInvalidField, {info.name, expected, got, number});
  }
  [[gnu::cold, gnu::noinline]] void fail_too_large(Field field, std::string_view at_most, Got got,
                                                   std::uint64_t number) {
    fail(ErrorCode::kTooLarge, {field_info(field).name, at_most, got, number});
  }

  [[gnu::cold, gnu::noinline]] void fail_unreadable(Field field, std::string_view expected) {
    fail(fields_.error(field, expected));
  }

  // False when there is nothing to read: absent, or an error that was noted.
  bool present(Field field, std::string_view expected = {}) {
    if (failed_) return false;
    const FieldState state = fields_.state(field);
    if (state == FieldState::kGiven) return true;
    if (state != FieldState::kAbsent) fail_unreadable(field, expected);
    return false;
  }
  bool required(Field field, std::string_view expected = {}) {
    if (present(field, expected)) return true;
    if (absent(field)) fail_unreadable(field, expected);
    return false;
  }

  // Optional string. Only content has an error of its own for too much of it.
  void text(Field field, std::size_t bytes_min, std::size_t bytes_max, std::string& out,
            std::string_view expected = {}) {
    if (!present(field, expected)) return;
    const std::string_view text = fields_.text(field);
    if (text.size() > bytes_max) {
      if (field != Field::kContent) return fail_invalid(field, Got::kBytes, text.size(), expected);
      return fail_too_large(field, field_info(field).expected, Got::kBytes, text.size());
    }
    if (text.size() < bytes_min) return fail_invalid(field, Got::kEmptyString, 0, expected);
    if (text.find('\0') != std::string_view::npos) {
      return fail_invalid(field, Got::kNul, 0, expected);
    }
    out.assign(text);
  }
  void required_text(Field field, std::size_t bytes_min, std::size_t bytes_max, std::string& out,
                     std::string_view expected = {}) {
    if (required(field, expected)) text(field, bytes_min, bytes_max, out, expected);
  }

  template <class Id>
  void id(Field field, Id& out) {
    if (!present(field)) return;
    const std::string_view text = fields_.text(field);
    const auto parsed = text.size() <= kIdTextBytesMax ? Id::parse(text) : std::nullopt;
    if (!parsed) return fail_invalid(field, Got::kOtherString);
    if (parsed->is_nil()) return fail_invalid(field, Got::kNilUuid);  // it stands for "none" inside
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
    if (value < min || value > max) return fail_invalid(field, Got::kInteger, value);
    out = static_cast<Number>(value);
  }

  // seq, its synonym message_seq, or message_id.
  void message(MessageRef& out) {
    number(Field::kMessageSeq, 1, kNumberMax, out.seq);
    number(Field::kSeq, 1, kNumberMax, out.seq);
    id(Field::kMessageId, out.id);
    if (out.seq == 0 && out.id.is_nil()) {
      fail(ErrorCode::kMissingField, "seq or message_id: expected one of them, got neither");
    }
  }

  void role(Role& out) {
    if (!present(Field::kRole)) return;
    const auto parsed = role_of(fields_.text(Field::kRole));
    if (!parsed) return fail_invalid(Field::kRole, Got::kOtherString);
    out = *parsed;
  }

  void watched(std::vector<UserId>& out) {
    static_assert(kPresenceListMax == 256);
    if (!required(Field::kUserIds)) return;
    const std::size_t count = fields_.user_ids().size();
    if (count > kPresenceListMax) {
      return fail_too_large(Field::kUserIds, "at most 256 UUIDs", Got::kItems, count);
    }
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

void build(Builder& in, SessionRefresh& out) {
  in.required_text(Field::kToken, 1, kTokenBytesMax, out.token);
}

void build(Builder& in, MessageSend& out) {
  in.id(Field::kConversationId, out.conversation);
  in.id(Field::kTo, out.to);
  if (in.given(Field::kConversationId) && in.given(Field::kTo)) {
    in.fail(ErrorCode::kInvalidField, "conversation_id and to: expected one of them, got both");
  }
  if (out.conversation.is_nil() && out.to.is_nil()) {
    in.fail(ErrorCode::kMissingField, "conversation_id or to: expected one of them, got neither");
  }
  in.required_text(Field::kClientId, 1, kClientIdBytesMax, out.client_id);
  constexpr std::string_view kKinds = "text, image, video, audio, file or location";
  if (in.present(Field::kKind, kKinds)) {
    const auto type = message_type_of(in.fields().text(Field::kKind));
    if (!type || *type == MessageType::kSystem) {
      return in.fail_invalid(Field::kKind, Got::kOtherString, 0, kKinds);
    }
    out.type = *type;
  }
  if (in.present(Field::kAttachments)) {
    const std::string_view raw = in.fields().text(Field::kAttachments);
    const std::uint32_t count = in.fields().attachments_shape().children;
    static_assert(kAttachmentsMax == 10 && kAttachmentsBytesMax == 4096);
    if (count > kAttachmentsMax) {
      return in.fail_too_large(Field::kAttachments, "at most 10 objects", Got::kItems, count);
    }
    if (raw.size() > kAttachmentsBytesMax) {
      return in.fail_too_large(Field::kAttachments, "at most 4096 bytes of JSON", Got::kBytes,
                               raw.size());
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
  static_assert(kEventNameBytesMax == 64 && kEventDataBytesMax == 8192);
  in.required_text(Field::kName, 1, kEventNameBytesMax, out.name, "a string of 1 to 64 bytes");
  if (!in.present(Field::kData)) return;  // an event may be its name alone
  const std::string_view raw = in.fields().text(Field::kData);
  if (raw.size() > kEventDataBytesMax) {
    return in.fail_too_large(Field::kData, "at most 8192 bytes of JSON", Got::kBytes, raw.size());
  }
  out.data.assign(raw);
}

void build(Builder& in, TypingChange& out) {
  in.required_id(Field::kConversationId, out.conversation);
}
void build(Builder& in, PresenceSubscribe& out) {
  in.watched(out.users);
}
void build(Builder& in, PresenceUnsubscribe& out) {
  in.watched(out.users);
}
void build(Builder& in, PresenceGet& out) {
  in.watched(out.users);
}

void build(Builder& in, ConversationCreate& out) {
  constexpr std::string_view kKinds = "direct, group or channel";
  if (in.present(Field::kKind, kKinds)) {
    const auto kind = conversation_kind_of(in.fields().text(Field::kKind));
    if (!kind) return in.fail_invalid(Field::kKind, Got::kOtherString, 0, kKinds);
    out.kind = *kind;
  }
  static_assert(kConversationNameBytesMax == 128);
  in.text(Field::kName, 0, kConversationNameBytesMax, out.name, "a string of at most 128 bytes");
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
    if (in.required(Field::kUserIds)) out.users = in.fields().user_ids();
    if (out.users.empty()) in.fail_invalid(Field::kUserIds, Got::kNoItems);
  }
  in.role(out.role);
}

void build(Builder& in, MemberRemove& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.required_id(Field::kUserId, out.user);
}

void build(Builder& in, ConversationRename& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.required_text(Field::kName, 1, kConversationNameBytesMax, out.name,
                   "a string of 1 to 128 bytes");
}

void build(Builder& in, MemberRole& out) {
  in.required_id(Field::kConversationId, out.conversation);
  in.required_id(Field::kUserId, out.user);
  if (in.required(Field::kRole)) in.role(out.role);
}

void build(Builder& in, ConversationMute& out) {
  in.required_id(Field::kConversationId, out.conversation);
  if (in.given(Field::kUntil) && in.given(Field::kForMs)) {
    return in.fail(ErrorCode::kInvalidField,
                   "until and for_ms: expected at most one of them, got both");
  }
  const std::int64_t latest_us = in.now().wall_us + kMuteMsMax * 1000;
  if (in.present(Field::kUntil)) {
    const auto until = parse_rfc3339(in.fields().text(Field::kUntil));
    if (!until || *until <= 0) return in.fail_invalid(Field::kUntil, Got::kOtherString);
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
    in.fail(ErrorCode::kInvalidField,
            "before_seq and after_seq: expected at most one of them, got both");
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
    case CommandType::kSessionRefresh:
      return finish(in, SessionRefresh{});
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

Result<std::string, Error> account_text(const CommandFields& fields, Field field) {
  static_assert(kAccountTextBytesMax == 1024);
  Builder in(fields, Now{});
  std::string out;
  in.required_text(field, 1, kAccountTextBytesMax, out, "a string of 1 to 1024 bytes");
  if (in.failed()) return Err{in.error()};
  return out;
}

}  // namespace uproar::chat
