#pragma once

// Hot path: per text payload. Allocations: 0.
// Incremental UTF-8 validation (RFC 3629): overlong forms, surrogates and values above U+10FFFF are
// refused. The state is carried across pieces, so a text may be cut anywhere, and the verdict falls
// at the first byte that no valid text can have there (F4 90 fails at the 90, not at the end of the
// sequence).

#include <cstddef>
#include <cstdint>

#include "proto/base/bytes.h"

namespace uproar::ws {

class Utf8Validator {
 public:
  // False once a byte is wrong; the validator then stays false until reset().
  [[nodiscard]] bool feed(ByteView piece);

  // True when the text may end here: nothing wrong so far and no character cut short.
  [[nodiscard]] bool complete() const { return expected_ == 0; }

  void reset() { *this = Utf8Validator{}; }

 private:
  [[nodiscard]] bool feed_scalar(const std::uint8_t* at, const std::uint8_t* end);
  bool fail();

  // What the next byte must be while a character is open: expected_ continuation bytes still to
  // come, the next of them within [low_, high_] (narrower than 80-BF only for the second byte after
  // E0, ED, F0, F4).
  std::uint8_t expected_ = 0;  // 0-3; kFailed after an error
  std::uint8_t low_ = 0x80;
  std::uint8_t high_ = 0xBF;
  static constexpr std::uint8_t kFailed = 0xFF;
};
static_assert(sizeof(Utf8Validator) == 3);

// One whole text.
[[nodiscard]] bool is_utf8(ByteView text);

}  // namespace uproar::ws
