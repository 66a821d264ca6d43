#include "proto/chat/error_detail.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace uproar::chat {
namespace {

// N stands behind `before`, if any.
struct Words {
  std::string_view before;
  bool has_number = false;
  std::string_view behind = {};
};

constexpr std::array<Words, static_cast<std::size_t>(Got::kCount)> kWords = {{
    {""},
    {"nothing"},
    {"null"},
    {"an object"},
    {"an array"},
    {"a string"},
    {"true"},
    {"false"},
    {"a number"},
    {"", true},
    {"-", true},
    {"a number that is not whole"},
    {"a number that does not fit 64 bits"},
    {"a larger one"},
    {"an empty string"},
    {"another string"},
    {"the nil UUID"},
    {"U+0000 in it"},
    {"", true, " bytes"},
    {"", true},
    {"none"},
    {"something else in it"},
    {"half of a surrogate pair"},
    {"bytes that are not UTF-8"},
    {"one that ends too early"},
    {"something else at byte ", true},
    {"something else"},
}};
static_assert(kWords[static_cast<std::size_t>(Got::kOtherByte)].has_number);
static_assert(kWords[static_cast<std::size_t>(Got::kOther)].before == "something else");

}  // namespace

void ErrorText::append(std::string_view text) {
  const std::size_t fits = std::min(text.size(), bytes_.size() - size_);
  std::copy_n(text.data(), fits, bytes_.data() + size_);
  size_ += fits;
}

void ErrorText::append(std::uint64_t number) {
  std::array<char, std::numeric_limits<std::uint64_t>::digits10 + 1> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  append(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

ErrorText ErrorDetail::text() const {
  ErrorText out;
  if (!subject_.empty()) {
    out.append(subject_);
    out.append(": ");
  }
  if (got_ == Got::kUnsaid) {
    out.append(text_);
    return out;
  }
  const Words& words = kWords[static_cast<std::size_t>(got_)];
  out.append("expected ");
  out.append(text_);
  out.append(", got ");
  out.append(words.before);
  if (words.has_number) out.append(number_);
  out.append(words.behind);
  return out;
}

}  // namespace uproar::chat
