#pragma once

// First half of decoding: one pass over the JSON object that files every field the protocol knows, whatever the command,
// because "type" may come last. The second half (command_builder.h) picks what its command wants and judges values.
// Private to the codec.
//
// Hot path: per command. Allocations: 0 once the scratch lists have grown. What is filed dies with the next read().

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/chat/error_code.h"
#include "proto/chat/ids.h"
#include "proto/chat/json_scan.h"

namespace uproar::chat {

enum class Field : std::uint8_t {
  // strings, unescaped
  kType,
  kToken,
  kClientId,
  kContent,
  kKind,
  kName,
  kEmoji,
  kRole,
  kUntil,
  kPassword,
  kRefreshToken,
  // ids: strings, too; judged by the builder
  kConversationId,
  kTo,
  kUserId,
  kMessageId,
  kAfter,
  // whole numbers from 0 to kNumberMax
  kSeq,
  kMessageSeq,
  kReplyTo,
  kLimit,
  kBeforeSeq,
  kAfterSeq,
  kForMs,
  // true or false
  kTyping,
  kResume,
  // JSON kept as text
  kData,
  kAttachments,
  // arrays of ids
  kMembers,
  kUserIds,
  kMentions,
  // {conversation_id: seq}
  kCursors,
  // the request's id
  kId,
  kCount
};
inline constexpr std::size_t kFieldCount = static_cast<std::size_t>(Field::kCount);
static_assert(kFieldCount <= 64, "CommandFields has a bit for each");

// Largest whole number that is taken. JavaScript clients are exact up to 2^53 - 1, and no seq comes near it: at a million
// events a second it takes 285 years.
inline constexpr std::uint64_t kNumberMax = (1ULL << 53) - 1;

enum class FieldState : std::uint8_t {
  kAbsent,  // or null
  kGiven,
  kWrong,    // of the wrong JSON type, or a number out of range
  kTooMany,  // a list above its limit
  kTwice,
};

struct FieldInfo {
  std::string_view name;
  std::string_view expected;      // "a UUID"
  std::string_view at_most = {};  // of a list: "50 UUIDs"
};
[[nodiscard]] const FieldInfo& field_info(Field field);

class CommandFields {
 public:
  [[nodiscard]] FieldState state(Field field) const { return states_[index(field)]; }
  // The string, the raw JSON or the raw id. kGiven only.
  [[nodiscard]] std::string_view text(Field field) const { return texts_[index(field)]; }
  // Also 0 and 1 of the flags. kGiven only.
  [[nodiscard]] std::uint64_t number(Field field) const { return numbers_[index(field)]; }
  [[nodiscard]] const std::vector<UserId>& members() const { return members_; }
  [[nodiscard]] const std::vector<UserId>& user_ids() const { return user_ids_; }
  [[nodiscard]] const std::vector<UserId>& mentions() const { return mentions_; }
  [[nodiscard]] const std::vector<std::pair<ConversationId, Seq>>& cursors() const {
    return cursors_;
  }
  [[nodiscard]] const JsonShape& attachments_shape() const { return attachments_shape_; }

  void clear() {
    states_.fill(FieldState::kAbsent);
    seen_ = 0;
  }
  void set_absent(Field field) { states_[index(field)] = FieldState::kAbsent; }
  // `number` belongs to `got`.
  void set_wrong(Field field, Got got, std::uint64_t number = 0) {
    states_[index(field)] = FieldState::kWrong;
    gots_[index(field)] = got;
    numbers_[index(field)] = number;
  }
  // To be called once for each field that is there, when it has been filed.
  void mark_seen(Field field) {
    const std::uint64_t bit = 1ULL << index(field);
    if ((seen_ & bit) != 0) states_[index(field)] = FieldState::kTwice;
    seen_ |= bit;
  }
  // Borrows.
  void set_text(Field field, std::string_view text) {
    states_[index(field)] = FieldState::kGiven;
    texts_[index(field)] = text;
  }
  // Digits only, up to kNumberMax; else kWrong. `text` may be anything.
  void set_number(Field field, std::string_view text);
  // `raw` is valid JSON of kind `shape.kind`; files it as the field wants it, or marks it.
  void set_raw(Field field, std::string_view raw, const JsonShape& shape);

  // What is wrong with a field that is not kGiven. `expected`: where commands differ; else that of
  // field_info().
  [[nodiscard]] Error error(Field field, std::string_view expected = {}) const;

 private:
  static std::size_t index(Field field) { return static_cast<std::size_t>(field); }
  void set_ids(Field field, std::string_view raw, const JsonShape& shape, std::size_t count_max,
               std::vector<UserId>& ids);
  void set_cursors(std::string_view raw, const JsonShape& shape);
  [[gnu::cold, gnu::noinline]] void set_wrong_number(Field field, std::string_view text);
  void set_too_many(Field field, std::size_t count) {
    states_[index(field)] = FieldState::kTooMany;
    numbers_[index(field)] = count;
  }

  std::array<FieldState, kFieldCount> states_{};
  std::array<std::string_view, kFieldCount> texts_{};
  std::array<std::uint64_t, kFieldCount> numbers_{};
  std::array<Got, kFieldCount> gots_{};  // of those that are kWrong
  std::uint64_t seen_ = 0;               // a bit each: there, if only as null
  std::vector<UserId> members_;
  std::vector<UserId> user_ids_;
  std::vector<UserId> mentions_;
  std::vector<std::pair<ConversationId, Seq>> cursors_;
  JsonShape attachments_shape_;
};

// How an error names a value of that kind.
[[nodiscard]] Got got_of(JsonKind kind);

// The field of that name, or kCount.
[[nodiscard]] Field field_of(std::string_view name);

// Whether the field wants a JSON string, which the reader unescapes; everything else goes through set_raw().
[[nodiscard]] bool is_text_field(Field field);

}  // namespace uproar::chat
