// Hot path: per event from another node. Allocations: only the strings and lists of the event itself.
#include "proto/chat/server_event_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <simdjson.h>

#include "proto/chat/command_fields.h"
#include "proto/chat/json_scan.h"
#include "proto/chat/json_text.h"
#include "proto/chat/rfc3339.h"
#include "proto/chat/wire_names.h"

namespace uproar::chat {
namespace {

namespace ondemand = simdjson::ondemand;

// Every field that one of the events has, by the kind of its value.
enum class Name : std::uint8_t {
  // strings, unescaped
  kType,
  kContent,
  kClientId,
  kKind,
  kEmoji,
  kName,
  kRole,
  kStatus,
  // ids
  kConversationId,
  kMessageId,
  kSenderId,
  kUserId,
  kBy,
  // RFC 3339
  kSentAt,
  kEditedAt,
  kDeletedAt,
  kAt,
  kLastOnline,
  // whole numbers from 1 to kNumberMax
  kSeq,
  kNo,
  kReplyTo,
  kMessageSeq,
  kDeliveredSeq,
  kReadSeq,
  // true or false
  kAdded,
  kTyping,
  // JSON kept as text
  kAttachments,
  kData,
  // array of ids
  kMentions,
  kCount
};
constexpr std::size_t kNames = static_cast<std::size_t>(Name::kCount);
constexpr std::array<std::string_view, kNames> kNameTexts = {"type",
                                                             "content",
                                                             "client_id",
                                                             "kind",
                                                             "emoji",
                                                             "name",
                                                             "role",
                                                             "status",
                                                             "conversation_id",
                                                             "message_id",
                                                             "sender_id",
                                                             "user_id",
                                                             "by",
                                                             "sent_at",
                                                             "edited_at",
                                                             "deleted_at",
                                                             "at",
                                                             "last_online",
                                                             "seq",
                                                             "no",
                                                             "reply_to",
                                                             "message_seq",
                                                             "delivered_seq",
                                                             "read_seq",
                                                             "added",
                                                             "typing",
                                                             "attachments",
                                                             "data",
                                                             "mentions"};
static_assert(kNameTexts[static_cast<std::size_t>(Name::kConversationId)] == "conversation_id");
static_assert(kNameTexts[static_cast<std::size_t>(Name::kSeq)] == "seq");
static_assert(kNameTexts[static_cast<std::size_t>(Name::kMentions)] == "mentions");

Name name_of(std::string_view text) {
  for (std::size_t i = 0; i < kNames; ++i) {
    const std::string_view known = kNameTexts[i];
    if (known.size() == text.size() && known[0] == text[0] && known == text)
      return static_cast<Name>(i);
  }
  return Name::kCount;
}

std::optional<std::uint64_t> whole_number(std::string_view digits) {
  if (digits.empty() || digits.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value == 0 || value > kNumberMax) return std::nullopt;
  return value;
}

// What stood in the object, by name. Views die with the next text.
class Filed {
 public:
  void clear() { given_.fill(false); }
  void set_text(Name name, std::string_view text) {
    given_[at(name)] = true;
    texts_[at(name)] = text;
  }
  // False: the value is none that this field can have.
  bool set_raw(Name name, std::string_view raw, const JsonShape& shape) {
    if (name == Name::kData) {
      set_text(name, raw);
      return raw.size() <= kEventDataBytesMax;
    }
    if (name == Name::kAttachments) {
      set_text(name, raw);
      return shape.kind == JsonKind::kArray && shape.children_are_objects && !shape.holds_nul &&
             shape.children >= 1 && shape.children <= kAttachmentsMax &&
             raw.size() <= kAttachmentsBytesMax;
    }
    if (name == Name::kMentions) return shape.kind == JsonKind::kArray && set_mentions(raw);
    if (name == Name::kAdded || name == Name::kTyping) {
      set_text(name, raw);
      return shape.kind == JsonKind::kTrue || shape.kind == JsonKind::kFalse;
    }
    if (name < Name::kSeq || name > Name::kReadSeq) return false;
    const auto number =
        shape.kind == JsonKind::kNumber ? whole_number(raw) : std::optional<std::uint64_t>();
    if (!number) return false;
    given_[at(name)] = true;
    numbers_[at(name)] = *number;
    return true;
  }

  [[nodiscard]] bool has(Name name) const { return given_[at(name)]; }
  [[nodiscard]] std::string_view text(Name name) const {
    return has(name) ? texts_[at(name)] : std::string_view();
  }
  [[nodiscard]] std::uint64_t number(Name name) const { return has(name) ? numbers_[at(name)] : 0; }
  [[nodiscard]] bool flag(Name name) const { return text(name) == "true"; }
  [[nodiscard]] std::vector<UserId> mentions() const {
    return has(Name::kMentions) ? mentions_ : std::vector<UserId>();
  }

 private:
  static std::size_t at(Name name) { return static_cast<std::size_t>(name); }
  // `raw` is a valid array: strings of our own making hold no escapes.
  bool set_mentions(std::string_view raw) {
    mentions_.clear();
    given_[at(Name::kMentions)] = true;
    for (std::size_t from = raw.find_first_not_of(" \t\r\n", 1); raw[from] != ']';
         from = raw.find_first_not_of(" \t\r\n,", from)) {
      if (raw[from] != '"') return false;
      const std::size_t end = raw.find('"', from + 1);
      const auto id = UserId::parse(raw.substr(from + 1, end - from - 1));
      if (!id || id->is_nil() || mentions_.size() == kMentionsMax) return false;
      mentions_.push_back(*id);
      from = end + 1;
    }
    return true;
  }

  std::array<bool, kNames> given_{};
  std::array<std::string_view, kNames> texts_{};
  std::array<std::uint64_t, kNames> numbers_{};
  std::vector<UserId> mentions_;
};

// Takes fields out and remembers whether one was missing or bad.
class Taking {
 public:
  explicit Taking(const Filed& filed) : filed_(filed) {}

  template <class Id>
  void id(Name name, Id& out) {
    if (!filed_.has(name)) return fail();
    optional_id(name, out);
  }
  template <class Id>
  void optional_id(Name name, Id& out) {
    if (!filed_.has(name)) return;
    const auto parsed = Id::parse(filed_.text(name));
    if (!parsed || parsed->is_nil()) return fail();
    out = *parsed;
  }
  void time(Name name, std::int64_t& out) {
    if (!filed_.has(name)) return fail();
    optional_time(name, out);
  }
  void optional_time(Name name, std::int64_t& out) {
    if (!filed_.has(name)) return;
    const auto parsed = parse_rfc3339(filed_.text(name));
    if (!parsed) return fail();
    out = *parsed;
  }
  void number(Name name, std::uint64_t& out) {
    if (!filed_.has(name)) return fail();
    out = filed_.number(name);
  }
  void optional_number(Name name, std::uint64_t& out) { out = filed_.number(name); }
  void text(Name name, std::string& out, std::size_t bytes_max) {
    if (!filed_.has(name)) return fail();
    optional_text(name, out, bytes_max);
  }
  void optional_text(Name name, std::string& out, std::size_t bytes_max) {
    if (filed_.text(name).size() > bytes_max) return fail();
    out = filed_.text(name);
  }
  void flag(Name name, bool& out) {
    if (!filed_.has(name)) return fail();
    out = filed_.flag(name);
  }
  void role(Role& out) {
    const auto role = role_of(filed_.text(Name::kRole));
    if (!role) return fail();
    out = *role;
  }
  void fail() { sound_ = false; }
  [[nodiscard]] bool has(Name name) const { return filed_.has(name); }
  [[nodiscard]] const Filed& filed() const { return filed_; }

  template <class Event>
  Result<ServerEvent, EventDecodeError> done(Event&& event) const {
    if (!sound_) return Err{EventDecodeError::kBadField};
    return ServerEvent(std::forward<Event>(event));
  }

 private:
  const Filed& filed_;
  bool sound_ = true;
};

using Decoded = Result<ServerEvent, EventDecodeError>;

Decoded message_new(Taking take) {
  MessageNew event;
  Message& message = event.message;
  take.id(Name::kConversationId, message.conversation);
  take.number(Name::kSeq, message.seq);
  take.id(Name::kMessageId, message.id);
  take.id(Name::kSenderId, message.sender);
  take.optional_text(Name::kContent, message.content, kContentBytesMax);
  take.time(Name::kSentAt, message.sent_at_us);
  take.optional_number(Name::kNo, message.no);
  take.optional_text(Name::kClientId, message.client_id, kClientIdBytesMax);
  if (take.has(Name::kKind)) {
    const auto type = message_type_of(take.filed().text(Name::kKind));
    if (!type || *type == MessageType::kSystem) take.fail();
    message.type = type.value_or(MessageType::kText);
  }
  take.optional_text(Name::kAttachments, message.attachments, kAttachmentsBytesMax);
  take.optional_number(Name::kReplyTo, message.reply_to);
  message.mentions = take.filed().mentions();
  message.version = message.seq;
  return take.done(std::move(event));
}

Decoded message_updated(Taking take) {
  MessageUpdated event;
  take.id(Name::kConversationId, event.conversation);
  take.optional_number(Name::kSeq, event.seq);
  take.number(Name::kMessageSeq, event.message_seq);
  take.optional_id(Name::kMessageId, event.message);
  take.optional_id(Name::kSenderId, event.sender);
  take.text(Name::kContent, event.content, kContentBytesMax);
  take.optional_time(Name::kEditedAt, event.edited_at_us);
  return take.done(std::move(event));
}

Decoded message_deleted(Taking take) {
  MessageDeleted event;
  take.id(Name::kConversationId, event.conversation);
  take.optional_number(Name::kSeq, event.seq);
  take.number(Name::kMessageSeq, event.message_seq);
  take.optional_id(Name::kMessageId, event.message);
  take.optional_id(Name::kBy, event.by);
  take.optional_time(Name::kDeletedAt, event.deleted_at_us);
  return take.done(std::move(event));
}

Decoded reaction_updated(Taking take) {
  ReactionUpdated event;
  take.id(Name::kConversationId, event.conversation);
  take.optional_number(Name::kSeq, event.seq);
  take.number(Name::kMessageSeq, event.message_seq);
  take.optional_id(Name::kMessageId, event.message);
  take.id(Name::kUserId, event.user);
  take.text(Name::kEmoji, event.emoji, kEmojiBytesMax);
  take.flag(Name::kAdded, event.added);
  return take.done(std::move(event));
}

Decoded receipt_update(Taking take) {
  ReceiptUpdate event;
  take.id(Name::kConversationId, event.conversation);
  take.id(Name::kUserId, event.user);
  take.optional_number(Name::kDeliveredSeq, event.delivered_seq);
  take.optional_number(Name::kReadSeq, event.read_seq);
  take.optional_time(Name::kAt, event.at_us);
  return take.done(std::move(event));
}

Decoded free_event(Taking take) {
  Event event;
  take.id(Name::kConversationId, event.conversation);
  take.id(Name::kSenderId, event.sender);
  take.text(Name::kName, event.name, kEventNameBytesMax);
  take.optional_text(Name::kData, event.data, kEventDataBytesMax);
  return take.done(std::move(event));
}

Decoded typing_update(Taking take) {
  TypingUpdate event;
  take.id(Name::kConversationId, event.conversation);
  take.id(Name::kUserId, event.user);
  take.flag(Name::kTyping, event.typing);
  return take.done(event);
}

Decoded presence_update(Taking take) {
  PresenceUpdate event;
  take.id(Name::kUserId, event.state.user);
  const std::string_view status = take.filed().text(Name::kStatus);
  if (status != "online" && status != "offline") take.fail();
  event.state.online = status == "online";
  take.optional_time(Name::kLastOnline, event.state.last_online_us);
  return take.done(event);
}

Decoded conversation_updated(Taking take) {
  ConversationUpdated event;
  take.id(Name::kConversationId, event.conversation);
  take.optional_number(Name::kSeq, event.seq);
  take.optional_id(Name::kBy, event.by);
  take.optional_text(Name::kName, event.name, kConversationNameBytesMax);
  take.optional_id(Name::kUserId, event.user);
  if (take.has(Name::kUserId)) take.role(event.role);
  take.optional_time(Name::kAt, event.at_us);
  return take.done(std::move(event));
}

Decoded member_added(Taking take) {
  MemberAdded event;
  take.id(Name::kConversationId, event.conversation);
  take.optional_number(Name::kSeq, event.seq);
  take.id(Name::kUserId, event.user);
  take.role(event.role);
  take.optional_id(Name::kBy, event.by);
  take.optional_time(Name::kAt, event.at_us);
  return take.done(event);
}

Decoded member_removed(Taking take) {
  MemberRemoved event;
  take.id(Name::kConversationId, event.conversation);
  take.optional_number(Name::kSeq, event.seq);
  take.id(Name::kUserId, event.user);
  take.optional_id(Name::kBy, event.by);
  take.optional_time(Name::kAt, event.at_us);
  return take.done(event);
}

struct Known {
  std::string_view type;
  Decoded (*decode)(Taking);
};
constexpr std::array<Known, 11> kKnown = {{{"message.new", message_new},
                                           {"event", free_event},
                                           {"receipt.update", receipt_update},
                                           {"typing.update", typing_update},
                                           {"presence.update", presence_update},
                                           {"reaction.updated", reaction_updated},
                                           {"message.updated", message_updated},
                                           {"message.deleted", message_deleted},
                                           {"member.added", member_added},
                                           {"member.removed", member_removed},
                                           {"conversation.updated", conversation_updated}}};

}  // namespace

struct ServerEventDecoder::State {
  enum class Read : std::uint8_t { kSound, kBadJson, kBadField };

  // simdjson loads whole registers: the text is read from a copy with room behind it.
  std::string padded;
  ondemand::parser parser;
  Filed filed;

  Read read(std::string_view text);
  Read read_field(Name name, ondemand::value& value, bool has_escapes);
};

ServerEventDecoder::State::Read ServerEventDecoder::State::read(std::string_view text) {
  filed.clear();
  // Some versions skip a byte order mark, some do not; RFC 8259 §8.1 forbids to send one.
  if (text.empty() || text.front() == '\xEF') return Read::kBadJson;
  ondemand::document document;
  const simdjson::padded_string_view view(text.data(), text.size(),
                                          text.size() + kDecodePaddingBytes);
  if (parser.iterate(view).get(document) != simdjson::SUCCESS) return Read::kBadJson;
  ondemand::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return Read::kBadJson;
  const bool has_escapes = text.find('\\') != std::string_view::npos;
  bool is_sound = true;
  for (auto result : object) {
    ondemand::field member;
    if (std::move(result).get(member) != simdjson::SUCCESS) return Read::kBadJson;
    std::string_view name;
    if (member.unescaped_key().get(name) != simdjson::SUCCESS) return Read::kBadJson;
    ondemand::value value = member.value();
    const Read field = read_field(name_of(name), value, has_escapes);
    if (field == Read::kBadJson) return field;
    is_sound = is_sound && field == Read::kSound;
  }
  const char* rest = nullptr;
  if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) return Read::kBadJson;
  return is_sound ? Read::kSound : Read::kBadField;
}

ServerEventDecoder::State::Read ServerEventDecoder::State::read_field(Name name,
                                                                      ondemand::value& value,
                                                                      bool has_escapes) {
  ondemand::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return Read::kBadJson;
  if (type == ondemand::json_type::string && name < Name::kSeq) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return Read::kBadJson;
    // Half a surrogate pair, escaped, is no UTF-8 once it is unescaped.
    if (has_escapes && !simdjson::validate_utf8(text.data(), text.size())) return Read::kBadJson;
    filed.set_text(name, text);
    return text.find('\0') == std::string_view::npos ? Read::kSound : Read::kBadField;
  }
  std::string_view raw;
  if (!raw_text_of(value, type, raw)) return Read::kBadJson;
  raw = trimmed_right(raw);
  JsonShape shape;
  if (!check_json(raw, kJsonDepthMax, shape)) return Read::kBadJson;
  if (name == Name::kCount) return Read::kSound;
  return filed.set_raw(name, raw, shape) ? Read::kSound : Read::kBadField;
}

ServerEventDecoder::ServerEventDecoder() : state_(std::make_unique<State>()) {}
ServerEventDecoder::~ServerEventDecoder() = default;

Result<ServerEvent, EventDecodeError> ServerEventDecoder::decode(ByteView bytes) {
  if (bytes.size() > kBytesMax) return Err{EventDecodeError::kTooLarge};
  static_assert(simdjson::SIMDJSON_PADDING <= kDecodePaddingBytes);
  std::string& padded = state_->padded;
  if (padded.size() < bytes.size() + kDecodePaddingBytes)
    padded.resize(bytes.size() + kDecodePaddingBytes);
  if (!bytes.empty()) std::memcpy(padded.data(), bytes.data(), bytes.size());
  std::memset(padded.data() + bytes.size(), ' ', kDecodePaddingBytes);

  const State::Read read = state_->read(std::string_view(padded.data(), bytes.size()));
  if (read == State::Read::kBadJson) return Err{EventDecodeError::kBadJson};
  const std::string_view type = state_->filed.text(Name::kType);
  const auto known = std::find_if(kKnown.begin(), kKnown.end(),
                                  [&](const Known& each) { return each.type == type; });
  // A newer node's event may give a field another type: it is unknown before it is bad.
  if (known == kKnown.end()) return Err{EventDecodeError::kUnknownType};
  if (read == State::Read::kBadField) return Err{EventDecodeError::kBadField};
  return known->decode(Taking(state_->filed));
}

}  // namespace uproar::chat
