// Hot path: per command. Allocations: 0 once the scratch lists have grown.
#include "proto/chat/command_fields.h"

#include <optional>
#include <system_error>

#include "proto/base/parse_number.h"
#include "proto/chat/limits.h"

namespace uproar::chat {
namespace {

constexpr std::string_view kPositive = "a whole number from 1 to 9007199254740991";

constexpr std::array<FieldInfo, kFieldCount> kFields = {{
    {"type", "the name of a command"},
    {"token", "a string of 1 to 8192 bytes"},
    {"client_id", "a string of 1 to 64 bytes"},
    {"content", "a string of 1 to 16384 bytes"},
    {"kind", "a string"},  // these three: commands differ
    {"name", "a string"},
    {"emoji", "a string of 1 to 32 bytes"},
    {"role", "member, admin or owner"},
    {"until", "an RFC 3339 time after 1970"},
    {"password", "a string"},
    {"refresh_token", "a string"},
    {"conversation_id", "a UUID"},
    {"to", "a UUID"},
    {"user_id", "a UUID"},
    {"message_id", "a UUID"},
    {"after", "a UUID"},
    {"seq", kPositive},
    {"message_seq", kPositive},
    {"reply_to", kPositive},
    {"limit", "a whole number from 1 to 200"},
    {"before_seq", kPositive},
    {"after_seq", "a whole number from 0 to 9007199254740991"},
    {"for_ms", "a whole number from 1 to 315360000000"},
    {"typing", "true or false"},
    {"resume", "true or false"},
    {"data", "JSON"},
    {"attachments", "an array of objects"},
    {"members", "an array of UUIDs", "at most 1000 UUIDs"},
    {"user_ids", "an array of UUIDs", "at most 1000 UUIDs"},
    {"mentions", "an array of UUIDs", "at most 50 UUIDs"},
    {"cursors", "an object of conversation ids and seqs", "at most 1000 conversations"},
    {"id", "a string of at most 62 bytes or a whole number of 64 bits"},
}};
static_assert(kFields[static_cast<std::size_t>(Field::kId)].name == "id");
static_assert(kFields[static_cast<std::size_t>(Field::kAfter)].name == "after");
static_assert(kFields[static_cast<std::size_t>(Field::kAfterSeq)].name == "after_seq");
static_assert(kFields[static_cast<std::size_t>(Field::kAttachments)].name == "attachments");
// The words above say these numbers.
static_assert(kNumberMax == 9007199254740991 && kMuteMsMax == 315360000000);
static_assert(kTokenBytesMax == 8192 && kClientIdBytesMax == 64 && kContentBytesMax == 16384 &&
              kEmojiBytesMax == 32);
static_assert(kHistoryLimitMax == 200 && kConversationListLimitMax == 200 && kMentionsMax == 50);
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

// What text that is no number of ours is: another one, or none at all.
Got got_of_number(std::string_view text, std::uint64_t& magnitude) {
  if (text.empty()) return Got::kEmptyString;
  const bool negative = text.front() == '-';
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return Got::kOtherString;
  }
  const auto value = parse_number<std::uint64_t>(digits);
  if (!value) return Got::kNoFit;
  magnitude = *value;
  return negative ? Got::kNegativeInteger : Got::kInteger;
}

}  // namespace

Got got_of(JsonKind kind) {
  switch (kind) {
    case JsonKind::kObject:
      return Got::kObject;
    case JsonKind::kArray:
      return Got::kArray;
    case JsonKind::kString:
      return Got::kString;
    case JsonKind::kNumber:
      return Got::kNumber;
    case JsonKind::kTrue:
      return Got::kTrue;
    case JsonKind::kFalse:
      return Got::kFalse;
    case JsonKind::kNull:
      return Got::kNull;
  }
  return Got::kOther;
}

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

void CommandFields::set_number(Field field, std::string_view text) {
  const auto number = number_of(text);
  if (!number) return set_wrong_number(field, text);
  states_[index(field)] = FieldState::kGiven;
  numbers_[index(field)] = *number;
}

void CommandFields::set_wrong_number(Field field, std::string_view text) {
  std::uint64_t magnitude = 0;
  const Got got = got_of_number(text, magnitude);
  set_wrong(field, got, magnitude);
}

void CommandFields::set_raw(Field field, std::string_view raw, const JsonShape& shape) {
  if (field == Field::kData) return set_text(field, raw);  // null is data, too
  if (field == Field::kId) {
    const bool is_number = shape.kind == JsonKind::kNumber;
    if (!is_number && shape.kind != JsonKind::kString) return set_wrong(field, got_of(shape.kind));
    if (is_number && !is_integer(raw)) return set_wrong(field, Got::kNotWhole);
    if (raw.size() > kRequestIdBytesMax) return set_wrong(field, Got::kBytes, raw.size() - 2);
    return set_text(field, raw);
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
      if (shape.kind != JsonKind::kNumber) break;
      set_number(field, raw);
      if (state(field) == FieldState::kWrong && !is_integer(raw)) set_wrong(field, Got::kNotWhole);
      return;
    case Field::kTyping:
    case Field::kResume:
      if (shape.kind != JsonKind::kTrue && shape.kind != JsonKind::kFalse) break;
      states_[index(field)] = FieldState::kGiven;
      numbers_[index(field)] = shape.kind == JsonKind::kTrue ? 1 : 0;
      return;
    case Field::kAttachments:
      if (shape.kind != JsonKind::kArray) break;
      if (!shape.children_are_objects) return set_wrong(field, Got::kOtherItem);
      if (shape.holds_nul) return set_wrong(field, Got::kNul);
      if (shape.children == 0) return set_absent(field);
      attachments_shape_ = shape;
      return set_text(field, raw);
    case Field::kMembers:
      if (shape.kind != JsonKind::kArray) break;
      return set_ids(field, raw, shape, kMemberListMax, members_);
    case Field::kUserIds:
      if (shape.kind != JsonKind::kArray) break;
      return set_ids(field, raw, shape, kMemberListMax, user_ids_);
    case Field::kMentions:
      if (shape.kind != JsonKind::kArray) break;
      return set_ids(field, raw, shape, kMentionsMax, mentions_);
    case Field::kCursors:
      if (shape.kind != JsonKind::kObject) break;
      return set_cursors(raw, shape);
    default:
      break;  // a field of text that holds something else
  }
  set_wrong(field, got_of(shape.kind));
}

Error CommandFields::error(Field field, std::string_view expected) const {
  const FieldInfo& info = field_info(field);
  if (expected.empty()) expected = info.expected;
  switch (state(field)) {
    case FieldState::kAbsent: {
      const bool is_null = ((seen_ >> index(field)) & 1U) != 0;
      return {.code = ErrorCode::kMissingField,
              .detail = {info.name, expected, is_null ? Got::kNull : Got::kNothing},
              .retry_after_ms = 0};
    }
    case FieldState::kTooMany:
      return {.code = ErrorCode::kTooLarge,
              .detail = {info.name, info.at_most, Got::kItems, numbers_[index(field)]},
              .retry_after_ms = 0};
    case FieldState::kTwice:
      return {.code = ErrorCode::kInvalidField,
              .detail = {info.name, "given twice"},
              .retry_after_ms = 0};
    case FieldState::kWrong:
    case FieldState::kGiven:
      break;
  }
  return {.code = ErrorCode::kInvalidField,
          .detail = {info.name, expected, gots_[index(field)], numbers_[index(field)]},
          .retry_after_ms = 0};
}

void CommandFields::set_ids(Field field, std::string_view raw, const JsonShape& shape,
                            std::size_t count_max, std::vector<UserId>& ids) {
  ids.clear();
  FlatReader reader(raw);
  while (!reader.done()) {
    const auto text = reader.string();
    const auto id = text ? UserId::parse(*text) : std::nullopt;
    if (!id || id->is_nil()) return set_wrong(field, Got::kOtherItem);
    if (ids.size() == count_max) return set_too_many(field, shape.children);
    ids.push_back(*id);
  }
  states_[index(field)] = FieldState::kGiven;
}

void CommandFields::set_cursors(std::string_view raw, const JsonShape& shape) {
  cursors_.clear();
  FlatReader reader(raw);
  while (!reader.done()) {
    const auto key = reader.string();
    const auto id = key ? ConversationId::parse(*key) : std::nullopt;
    if (!id || id->is_nil()) return set_wrong(Field::kCursors, Got::kOtherItem);
    const auto seq = number_of(reader.scalar());
    if (!seq) return set_wrong(Field::kCursors, Got::kOtherItem);
    if (cursors_.size() == kSyncConversationsMax) {
      return set_too_many(Field::kCursors, shape.children);
    }
    cursors_.emplace_back(*id, *seq);
  }
  states_[index(Field::kCursors)] = FieldState::kGiven;
}

}  // namespace uproar::chat
