#pragma once

// What an error says beside its code: which field, what was expected, what came. It holds static
// pieces and a number, which are joined when the error is encoded; so it needs no allocation, may
// be kept as long as one likes, and holds of what a client sent a number at most.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace uproar::chat {

// What came instead. Those with N say the number of the detail.
enum class Got : std::uint8_t {
  kUnsaid,
  kNothing,
  kNull,
  kObject,
  kArray,
  kString,
  kTrue,
  kFalse,
  kNumber,
  kInteger,          // N
  kNegativeInteger,  // -N
  kNotWhole,         // a number that has a fraction or an exponent
  kNoFit,            // a number that does not fit 64 bits
  kLarger,
  kEmptyString,
  kOtherString,  // of the right type and length, and still not what is meant
  kNilUuid,
  kNul,      // U+0000
  kBytes,    // N
  kItems,    // N
  kNoItems,  // an empty list
  kOtherItem,
  kHalfPair,  // half of a surrogate pair
  kNotUtf8,
  kEndTooEarly,
  kOtherByte,  // at offset N
  kOther,
  kCount
};

// Room for every detail of this program; what is longer is cut.
inline constexpr std::size_t kErrorTextBytesMax = 256;

class ErrorText {
 public:
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }
  void append(std::string_view text);
  void append(std::uint64_t number);

 private:
  std::array<char, kErrorTextBytesMax> bytes_;
  std::size_t size_ = 0;
};

class ErrorDetail {
 public:
  constexpr ErrorDetail() = default;
  // A whole sentence. Every text here is static.
  constexpr ErrorDetail(std::string_view sentence)
      : text_(sentence) {}                                          // NOLINT: implicit by design
  constexpr ErrorDetail(const char* sentence) : text_(sentence) {}  // NOLINT: implicit by design
  // "subject: text"
  constexpr ErrorDetail(std::string_view subject, std::string_view text)
      : subject_(subject), text_(text) {}
  // "subject: expected expected, got got"
  constexpr ErrorDetail(std::string_view subject, std::string_view expected, Got got,
                        std::uint64_t number = 0)
      : subject_(subject), text_(expected), number_(number), got_(got) {}

  [[nodiscard]] constexpr bool empty() const { return text_.empty(); }
  [[nodiscard]] ErrorText text() const;

 private:
  std::string_view subject_;
  std::string_view text_;
  std::uint64_t number_ = 0;
  Got got_ = Got::kUnsaid;
};

}  // namespace uproar::chat
