// Hot path: per text payload. Allocations: 0.

#include "proto/ws/utf8.h"

#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace uproar::ws {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;

// First byte that is not ASCII, or `end`, or up to 7 bytes before either.
const std::uint8_t* skip_ascii(const std::uint8_t* at, const std::uint8_t* end) {
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    if ((word & kHighBits) != 0) break;
    at += 8;
  }
  return at;
}

#if defined(__AVX2__)

// Classification by nibbles after J. Keiser and D. Lemire, "Validating UTF-8 In Less Than One
// Instruction Per Byte" (2021): three table look-ups, on the high and low half of each byte's
// predecessor and on the high half of the byte itself, each give the set of mistakes that half
// allows; a mistake that all three allow is one.
constexpr std::uint8_t kTooShort = 1U << 0;   // a lead or ASCII where a continuation was due
constexpr std::uint8_t kTooLong = 1U << 1;    // a continuation after ASCII
constexpr std::uint8_t kOverlong3 = 1U << 2;  // E0 80-9F
constexpr std::uint8_t kTooLarge = 1U << 3;   // F4 90-BF, F5-FF
constexpr std::uint8_t kSurrogate = 1U << 4;  // ED A0-BF
constexpr std::uint8_t kOverlong2 = 1U << 5;  // C0, C1
constexpr std::uint8_t kLow4 = 1U << 6;       // F0 80-8F (overlong), F5-FF 80-8F (too large)
constexpr std::uint8_t kTwoConts = 1U
                                   << 7;  // two continuations: right only as third or fourth byte
constexpr std::uint8_t kAnyLow = kTooShort | kTooLong | kTwoConts;

__m256i table(std::uint8_t n0, std::uint8_t n1, std::uint8_t n2, std::uint8_t n3, std::uint8_t n4,
              std::uint8_t n5, std::uint8_t n6, std::uint8_t n7, std::uint8_t n8, std::uint8_t n9,
              std::uint8_t na, std::uint8_t nb, std::uint8_t nc, std::uint8_t nd, std::uint8_t ne,
              std::uint8_t nf) {
  const __m128i half = _mm_setr_epi8(
      static_cast<char>(n0), static_cast<char>(n1), static_cast<char>(n2), static_cast<char>(n3),
      static_cast<char>(n4), static_cast<char>(n5), static_cast<char>(n6), static_cast<char>(n7),
      static_cast<char>(n8), static_cast<char>(n9), static_cast<char>(na), static_cast<char>(nb),
      static_cast<char>(nc), static_cast<char>(nd), static_cast<char>(ne), static_cast<char>(nf));
  return _mm256_broadcastsi128_si256(half);
}

// The block as it stood N bytes earlier, its first bytes taken from the block before.
template <int N>
__m256i shifted(__m256i block, __m256i before) {
  return _mm256_alignr_epi8(block, _mm256_permute2x128_si256(before, block, 0x21), 16 - N);
}

__m256i high_nibbles(__m256i v) {
  return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0F));
}

__m256i mistakes(__m256i block, __m256i before) {
  const __m256i lead_high =
      table(kTooLong, kTooLong, kTooLong, kTooLong, kTooLong, kTooLong, kTooLong, kTooLong,
            kTwoConts, kTwoConts, kTwoConts, kTwoConts, kTooShort | kOverlong2, kTooShort,
            kTooShort | kOverlong3 | kSurrogate, kTooShort | kTooLarge | kLow4);
  constexpr std::uint8_t kAbove = kAnyLow | kTooLarge | kLow4;
  const __m256i lead_low =
      table(kAnyLow | kOverlong2 | kOverlong3 | kLow4, kAnyLow | kOverlong2, kAnyLow, kAnyLow,
            kAnyLow | kTooLarge, kAbove, kAbove, kAbove, kAbove, kAbove, kAbove, kAbove, kAbove,
            kAbove | kSurrogate, kAbove, kAbove);
  constexpr std::uint8_t kCont = kTooLong | kOverlong2 | kTwoConts;
  const __m256i next_high = table(
      kTooShort, kTooShort, kTooShort, kTooShort, kTooShort, kTooShort, kTooShort, kTooShort,
      kCont | kOverlong3 | kLow4, kCont | kOverlong3 | kTooLarge, kCont | kSurrogate | kTooLarge,
      kCont | kSurrogate | kTooLarge, kTooShort, kTooShort, kTooShort, kTooShort);

  const __m256i previous = shifted<1>(block, before);
  const __m256i pairs = _mm256_and_si256(
      _mm256_and_si256(
          _mm256_shuffle_epi8(lead_high, high_nibbles(previous)),
          _mm256_shuffle_epi8(lead_low, _mm256_and_si256(previous, _mm256_set1_epi8(0x0F)))),
      _mm256_shuffle_epi8(next_high, high_nibbles(block)));

  // Third bytes follow E0-FF by two, fourth bytes follow F0-FF by three; there, and only there, two
  // continuations in a row are right: the top bit must be set exactly then.
  const __m256i third = _mm256_subs_epu8(shifted<2>(block, before), _mm256_set1_epi8(0xE0 - 0x80));
  const __m256i fourth = _mm256_subs_epu8(shifted<3>(block, before), _mm256_set1_epi8(0xF0 - 0x80));
  const __m256i due =
      _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(static_cast<char>(0x80)));
  return _mm256_xor_si256(pairs, due);
}

struct Blocks {
  bool ok;
  const std::uint8_t* reached;  // start of a character; what follows is for the scalar loop
};

// Whole 32-byte blocks from a character boundary on.
Blocks check_blocks(const std::uint8_t* at, const std::uint8_t* end) {
  const std::uint8_t* const start = at;
  __m256i before = _mm256_setzero_si256();
  __m256i wrong = _mm256_setzero_si256();
  bool before_ascii = true;
  while (end - at >= 32) {
    const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const bool ascii = _mm256_movemask_epi8(block) == 0;
    if (!ascii || !before_ascii) {
      wrong = _mm256_or_si256(wrong, mistakes(block, before));
      before = block;
    }
    before_ascii = ascii;
    at += 32;
  }
  if (_mm256_testz_si256(wrong, wrong) == 0) return {false, at};
  // A character that the last block leaves open starts in its last three bytes: hand it over whole.
  for (int back = 1; back <= 3 && at - back >= start; ++back) {
    if (at[-back] >= 0xC0) return {true, at - back};
    if (at[-back] < 0x80) break;
  }
  return {true, at};
}

#endif

}  // namespace

bool Utf8Validator::fail() {
  expected_ = kFailed;
  low_ = 0xFF;  // no byte is within [FF, 00]: once false, always false
  high_ = 0x00;
  return false;
}

bool Utf8Validator::feed_scalar(const std::uint8_t* at, const std::uint8_t* end) {
  std::uint8_t expected = expected_;
  std::uint8_t low = low_;
  std::uint8_t high = high_;
  while (at != end) {
    if (expected == 0) {
      at = skip_ascii(at, end);
      if (at == end) break;
      const std::uint8_t lead = *at++;
      if (lead < 0x80) continue;
      if (lead < 0xC2 || lead > 0xF4)
        return fail();  // stray continuation, overlong, above U+10FFFF
      expected = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
      low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
      continue;
    }
    const std::uint8_t next = *at++;
    if (next < low || next > high) return fail();
    --expected;
    low = 0x80;
    high = 0xBF;
  }
  expected_ = expected;
  low_ = low;
  high_ = high;
  return true;
}

bool Utf8Validator::feed(ByteView piece) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(piece.data());
  const auto* const end = at + piece.size();
  if (expected_ == kFailed) return false;
  // Finish the character that the last piece left open; after it we stand at a boundary.
  while (expected_ != 0 && at != end) {
    if (!feed_scalar(at, at + 1)) return false;
    ++at;
  }
#if defined(__AVX2__)
  if (end - at >= 32) {
    const Blocks blocks = check_blocks(at, end);
    if (!blocks.ok) return fail();
    at = blocks.reached;
  }
#endif
  return feed_scalar(at, end);
}

bool is_utf8(ByteView text) {
  Utf8Validator validator;
  return validator.feed(text) && validator.complete();
}

}  // namespace uproar::ws
