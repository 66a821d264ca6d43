// Hot path: per command. Allocations: 0 once the scratch lists have grown.
#include "proto/chat/command_fields.h"

#include <optional>
#include <system_error>

#include "proto/base/parse_number.h"
#include "proto/chat/limits.h"

namespace uproar::chat {
namespace {

constexpr std::array<FieldInfo, kFieldCount> kFields = {{
    {"type", "type is required", "type must be a string", {}},
    {"token", "token is required", "token must be a string of 1 to 8192 bytes", {}},
    {"client_id", "client_id is required", "client_id must be a string of 1 to 64 bytes", {}},
    {"content", "content is required", "content must be a string of at least 1 byte",
     "content is longer than 16384 bytes"},
    {"kind", "kind is required", "kind is not one of the kinds this command knows", {}},
    {"name", "name is required", "name must be a string that is not empty and not too long", {}},
    {"emoji", "emoji is required", "emoji must be a string of 1 to 32 bytes", {}},
    {"role", "role is required", "role must be member, admin or owner", {}},
    {"until", "until is required", "until must be an RFC 3339 time", {}},
    {"password", "password is required", "password must be a string", {}},
    {"refresh_token", "refresh_token is required", "refresh_token must be a string", {}},
    {"conversation_id", "conversation_id is required", "conversation_id must be a UUID", {}},
    {"to", "to is required", "to must be a UUID", {}},
    {"user_id", "user_id is required", "user_id must be a UUID", {}},
    {"message_id", "seq or message_id is required", "message_id must be a UUID", {}},
    {"after", "after is required", "after must be a UUID", {}},
    {"seq", "seq is required", "seq must be a whole number of 1 or more", {}},
    {"message_seq",
     "message_seq is required",
     "message_seq must be a whole number of 1 or more",
     {}},
    {"reply_to", "reply_to is required", "reply_to must be a whole number of 1 or more", {}},
    {"limit", "limit is required", "limit must be a whole number from 1 to 200", {}},
    {"before_seq", "before_seq is required", "before_seq must be a whole number of 1 or more", {}},
    {"after_seq", "after_seq is required", "after_seq must be a whole number of 0 or more", {}},
    {"for_ms", "for_ms is required", "for_ms must be a whole number from 1 to ten years", {}},
    {"typing", "typing is required", "typing must be true or false", {}},
    {"resume", "resume is required", "resume must be true or false", {}},
    {"data", "data is required", "data must be JSON", "data is longer than 8192 bytes"},
    {"attachments", "attachments is required",
     "attachments must be an array of objects, without U+0000",
     "attachments holds more than 10 objects or 4096 bytes"},
    {"members", "members is required", "members must be an array of UUIDs",
     "members holds more than 1000 ids"},
    {"user_ids", "user_ids is required", "user_ids must be an array of UUIDs",
     "user_ids holds more ids than this command takes"},
    {"mentions", "mentions is required", "mentions must be an array of UUIDs",
     "mentions holds more than 50 ids"},
    {"cursors", "cursors is required",
     "cursors must be an object of conversation ids and whole numbers",
     "cursors holds more than 1000 conversations"},
    {"id", "id is required", "id must be a string of at most 62 bytes or a whole number", {}},
}};
static_assert(kFields[static_cast<std::size_t>(Field::kId)].name == "id");
static_assert(kFields[static_cast<std::size_t>(Field::kAfter)].name == "after");
static_assert(kFields[static_cast<std::size_t>(Field::kAfterSeq)].name == "after_seq");
static_assert(kFields[static_cast<std::size_t>(Field::kAttachments)].name == "attachments");
// The sentences above say these numbers.
static_assert(kTokenBytesMax == 8192 && kClientIdBytesMax == 64 && kContentBytesMax == 16384 &&
              kEmojiBytesMax == 32);
static_assert(kHistoryLimitMax == 200 && kConversationListLimitMax == 200 &&
              kEventDataBytesMax == 8192);
static_assert(kAttachmentsMax == 10 && kAttachmentsBytesMax == 4096 && kMentionsMax == 50);
static_assert(kMemberListMax == 1000 && kSyncConversationsMax == 1000 && kRequestIdBytesMax == 64);

// Walks the elements of an array, or the members of an object, of strings and numbers. The text was checked before, so
// it may look at as little as tells the elements apart.
class FlatReader {
 public:
  explicit FlatReader(std::string_view checked) : rest_(checked.substr(1)) {}

  // True when the closing bracket was reached.
  bool done() {
    skip();
    return rest_.front() == ']' || rest_.front() == '}';
  }
  // The text between the quotes when the next token is a string without an escape.
  std::optional<std::string_view> string() {
    skip();
    if (rest_.front() != '"') return std::nullopt;
    const std::size_t end = rest_.find('"', 1);
    const std::string_view text = rest_.substr(1, end - 1);
    if (text.find('\\') != std::string_view::npos) return std::nullopt;
    rest_.remove_prefix(end + 1);
    return text;
  }
  // The next token up to what ends it.
  std::string_view scalar() {
    skip();
    const std::size_t end = rest_.find_first_of(",]} \t\r\n");
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return text;
  }

 private:
  void skip() { rest_.remove_prefix(rest_.find_first_not_of(" \t\r\n,:")); }
  std::string_view rest_;
};

std::optional<std::uint64_t> number_of(std::string_view digits) {
  const auto value = parse_number<std::uint64_t>(digits);
  return value && *value <= kNumberMax ? value : std::nullopt;
}

bool is_integer(std::string_view number) {
  return number.find_first_of(".eE") == std::string_view::npos;
}

}  // namespace

const FieldInfo& field_info(Field field) {
  return kFields[static_cast<std::size_t>(field)];
}

Field field_of(std::string_view name) {
  // Length and first byte settle nearly every name; a whole scan is about 15 ns.
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const std::string_view known = kFields[i].name;
    if (known.size() == name.size() && known[0] == name[0] && known == name)
      return static_cast<Field>(i);
  }
  return Field::kCount;
}

bool is_text_field(Field field) {
  return field <= Field::kAfter;
}

void CommandFields::set_number(Field field, std::string_view digits) {
  const auto number = number_of(digits);
  if (!number) return set_wrong(field);
  states_[index(field)] = FieldState::kGiven;
  numbers_[index(field)] = *number;
}

void CommandFields::set_raw(Field field, std::string_view raw, const JsonShape& shape) {
  if (field == Field::kData) return set_text(field, raw);  // null is data, too
  if (field == Field::kId) {
    const bool fits = raw.size() <= kRequestIdBytesMax;
    const bool is_id =
        shape.kind == JsonKind::kString || (shape.kind == JsonKind::kNumber && is_integer(raw));
    if (fits && is_id) return set_text(field, raw);
    return set_wrong(field);
  }
  if (shape.kind == JsonKind::kNull) return set_absent(field);
  switch (field) {
    case Field::kSeq:
    case Field::kMessageSeq:
    case Field::kReplyTo:
    case Field::kLimit:
    case Field::kBeforeSeq:
    case Field::kAfterSeq:
    case Field::kForMs:
      if (shape.kind == JsonKind::kNumber) return set_number(field, raw);
      return set_wrong(field);
    case Field::kTyping:
    case Field::kResume:
      if (shape.kind != JsonKind::kTrue && shape.kind != JsonKind::kFalse) return set_wrong(field);
      states_[index(field)] = FieldState::kGiven;
      numbers_[index(field)] = shape.kind == JsonKind::kTrue ? 1 : 0;
      return;
    case Field::kAttachments:
      if (shape.kind != JsonKind::kArray || !shape.children_are_objects || shape.holds_nul)
        return set_wrong(field);
      if (shape.children == 0) return set_absent(field);
      attachments_shape_ = shape;
      return set_text(field, raw);
    case Field::kMembers:
      if (shape.kind == JsonKind::kArray) return set_ids(field, raw, kMemberListMax, members_);
      return set_wrong(field);
    case Field::kUserIds:
      if (shape.kind == JsonKind::kArray) return set_ids(field, raw, kMemberListMax, user_ids_);
      return set_wrong(field);
    case Field::kMentions:
      if (shape.kind == JsonKind::kArray) return set_ids(field, raw, kMentionsMax, mentions_);
      return set_wrong(field);
    case Field::kCursors:
      if (shape.kind == JsonKind::kObject) return set_cursors(raw);
      return set_wrong(field);
    default:
      return set_wrong(field);  // a field of text that holds something else
  }
}

void CommandFields::set_ids(Field field, std::string_view raw, std::size_t count_max,
                            std::vector<UserId>& ids) {
  ids.clear();
  FlatReader reader(raw);
  while (!reader.done()) {
    const auto text = reader.string();
    const auto id = text ? UserId::parse(*text) : std::nullopt;
    if (!id || id->is_nil()) return set_wrong(field);
    if (ids.size() == count_max) {
      states_[index(field)] = FieldState::kTooMany;
      return;
    }
    ids.push_back(*id);
  }
  states_[index(field)] = FieldState::kGiven;
}

void CommandFields::set_cursors(std::string_view raw) {
  cursors_.clear();
  FlatReader reader(raw);
  while (!reader.done()) {
    const auto key = reader.string();
    const auto id = key ? ConversationId::parse(*key) : std::nullopt;
    if (!id || id->is_nil()) return set_wrong(Field::kCursors);
    const auto seq = number_of(reader.scalar());
    if (!seq) return set_wrong(Field::kCursors);
    if (cursors_.size() == kSyncConversationsMax) {
      states_[index(Field::kCursors)] = FieldState::kTooMany;
      return;
    }
    cursors_.emplace_back(*id, *seq);
  }
  states_[index(Field::kCursors)] = FieldState::kGiven;
}

}  // namespace uproar::chat
