// Hot path: per event.publish. Allocations: 0.
#include "proto/chat/json_scan.h"

#include <charconv>
#include <cstddef>
#include <system_error>

#include "proto/base/check.h"

namespace uproar::chat {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Scanner {
 public:
  Scanner(std::string_view text, std::uint32_t depth_max)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), depth_max_(depth_max) {}

  bool run(JsonShape& shape) {
    if (whole(shape)) return true;
    shape.fault = fault_;
    shape.fault_at = static_cast<std::uint32_t>(at_ - begin_);
    return false;
  }

 private:
  bool whole(JsonShape& shape) {
    skip_space();
    while (true) {
      if (!value(shape)) return false;
      if (opened_) continue;
      // A value has ended; close what ends with it, and go on to the next one.
      while (true) {
        skip_space();
        if (depth_ == 0) {
          shape.holds_nul = holds_nul_;
          return at_ == end_;
        }
        if (at_ == end_) return false;
        const char c = *at_++;
        if (c == ',') {
          skip_space();
          if (in_object() && !key()) return false;
          break;
        }
        if (c != (in_object() ? '}' : ']')) return fail_before();
        --depth_;
      }
    }
  }

  bool fail(JsonFault fault) {
    fault_ = fault;
    return false;
  }
  // What is wrong has been stepped over.
  bool fail_before() {
    --at_;
    return false;
  }

  bool in_object() const { return ((objects_ >> (depth_ - 1)) & 1U) != 0; }

  // One scalar, or the opening of an array or object up to its first value (then opened_ is set). An empty array or
  // object is a whole value.
  bool value(JsonShape& shape) {
    opened_ = false;
    if (at_ == end_) return false;
    const char c = *at_;
    if (depth_ == 1) {
      ++shape.children;
      if (c != '{') shape.children_are_objects = false;
    }
    JsonKind kind{};
    switch (c) {
      case '{':
      case '[': {
        if (depth_ == depth_max_) return fail(JsonFault::kTooDeep);
        if (depth_ == 0) shape.kind = c == '{' ? JsonKind::kObject : JsonKind::kArray;
        ++at_;
        skip_space();
        if (at_ == end_) return false;
        if (*at_ == (c == '{' ? '}' : ']')) {
          ++at_;
          return true;
        }
        const std::uint64_t bit = 1ULL << depth_;
        objects_ = c == '{' ? (objects_ | bit) : (objects_ & ~bit);
        ++depth_;
        opened_ = true;
        return c == '[' || key();
      }
      case '"':
        kind = JsonKind::kString;
        if (!string()) return false;
        break;
      case 't':
        kind = JsonKind::kTrue;
        if (!literal("true")) return false;
        break;
      case 'f':
        kind = JsonKind::kFalse;
        if (!literal("false")) return false;
        break;
      case 'n':
        kind = JsonKind::kNull;
        if (!literal("null")) return false;
        break;
      default:
        kind = JsonKind::kNumber;
        if (!number()) return false;
        break;
    }
    if (depth_ == 0) shape.kind = kind;
    return true;
  }

  bool key() {
    if (at_ == end_ || *at_ != '"' || !string()) return false;
    skip_space();
    if (at_ == end_ || *at_ != ':') return false;
    ++at_;
    skip_space();
    return true;
  }

  bool string() {
    ++at_;  // the quote
    while (at_ != end_) {
      const auto c = static_cast<unsigned char>(*at_++);
      if (c == '"') return true;
      if (c < 0x20) return fail_before();
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }

  bool escape() {
    if (at_ == end_) return false;
    switch (*at_++) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        return true;
      case 'u':
        break;
      default:
        return fail_before();
    }
    const int first = code_unit();
    if (first < 0) return false;
    if (first == 0) holds_nul_ = true;
    if (first < 0xD800 || first > 0xDFFF) return true;
    if (first > 0xDBFF) return fail(JsonFault::kHalfPair);  // the second without the first
    for (const char wanted : {'\\', 'u'}) {
      if (at_ == end_) return false;
      if (*at_ != wanted) return fail(JsonFault::kHalfPair);
      ++at_;
    }
    const int second = code_unit();
    if (second < 0) return false;
    return (second >= 0xDC00 && second <= 0xDFFF) || fail(JsonFault::kHalfPair);
  }

  int code_unit() {
    int unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_) return -1;
      const int digit = hex_value(*at_);
      if (digit < 0) return -1;
      unit = unit * 16 + digit;
    }
    return unit;
  }

  bool literal(std::string_view word) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, word.size()) != word)
      return false;
    at_ += word.size();
    return true;
  }

  bool number() {
    const char* const start = at_;
    const bool negative = *at_ == '-';
    if (negative) ++at_;
    if (at_ == end_ || !is_digit(*at_)) return false;
    if (*at_ == '0') {
      ++at_;
      if (at_ != end_ && is_digit(*at_)) return false;  // no leading zeros
    } else {
      skip_digits();
    }
    bool integer = true;
    if (at_ != end_ && *at_ == '.') {
      integer = false;
      ++at_;
      if (at_ == end_ || !is_digit(*at_)) return false;
      skip_digits();
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      integer = false;
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (at_ == end_ || !is_digit(*at_)) return false;
      skip_digits();
    }
    constexpr std::ptrdiff_t kAlwaysFits = 18;  // 18 digits are below 2^63
    if (integer && at_ - start <= kAlwaysFits) return true;
    return fits(start, integer, negative) || fail(JsonFault::kNumber);
  }

  bool fits(const char* start, bool integer, bool negative) const {
    if (integer && negative) {
      std::int64_t ignored = 0;
      return std::from_chars(start, at_, ignored).ec == std::errc();
    }
    if (integer) {
      std::uint64_t ignored = 0;
      return std::from_chars(start, at_, ignored).ec == std::errc();
    }
    double ignored = 0;
    return std::from_chars(start, at_, ignored).ec == std::errc();
  }

  void skip_digits() {
    while (at_ != end_ && is_digit(*at_)) ++at_;
  }
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  const std::uint32_t depth_max_;
  std::uint32_t depth_ = 0;
  std::uint64_t objects_ = 0;  // bit d: what is open at depth d + 1 is an object
  bool opened_ = false;
  bool holds_nul_ = false;
  JsonFault fault_ = JsonFault::kSyntax;  // unless another one is said
};

}  // namespace

bool check_json(std::string_view text, std::uint32_t depth_max, JsonShape& shape) {
  UPROAR_CHECK(depth_max <= kScanDepthMax, depth_max);
  shape = {};
  return Scanner(text, depth_max).run(shape);
}

}  // namespace uproar::chat
