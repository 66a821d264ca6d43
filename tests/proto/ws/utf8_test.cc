// The oracle decodes to code points and knows nothing of the validator's state. Texts are placed at
// every phase of the 32-byte blocks and cut at every point.

#include "proto/ws/utf8.h"

#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace uproar::ws {
namespace {

using namespace std::string_literals;

// Bytes that a valid text can begin with: the longest good prefix, and whether it ends a character.
struct Oracle {
  std::size_t good = 0;  // bytes before the first wrong one
  bool complete = true;
};

bool valid_prefix(std::string_view bytes, bool* whole) {
  // Some valid character starts with `bytes` (1-4 bytes)?
  const auto b = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const int size = b(0) < 0x80                   ? 1
                   : b(0) >= 0xC0 && b(0) < 0xE0 ? 2
                   : b(0) >= 0xE0 && b(0) < 0xF0 ? 3
                   : b(0) >= 0xF0 && b(0) < 0xF8 ? 4
                                                 : 0;
  if (size == 0 || bytes.size() > static_cast<std::size_t>(size)) return false;
  *whole = bytes.size() == static_cast<std::size_t>(size);
  // Lowest and highest code point that this prefix can become.
  unsigned low = size == 1 ? b(0) : b(0) & (0xFFU >> (size + 1));
  unsigned high = low;
  for (int i = 1; i < size; ++i) {
    const bool given = static_cast<std::size_t>(i) < bytes.size();
    if (given && (b(static_cast<std::size_t>(i)) & 0xC0) != 0x80) return false;
    low = low << 6 | (given ? b(static_cast<std::size_t>(i)) & 0x3FU : 0U);
    high = high << 6 | (given ? b(static_cast<std::size_t>(i)) & 0x3FU : 0x3FU);
  }
  const unsigned least = size == 1 ? 0 : size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  if (high < least || low > 0x10FFFF) return false;
  return !(low >= 0xD800 && high <= 0xDFFF);
}

Oracle judge(std::string_view text) {
  std::size_t start = 0;
  bool complete = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool whole = false;
    if (!valid_prefix(text.substr(start, i + 1 - start), &whole)) return {i, false};
    complete = whole;
    if (whole) start = i + 1;
  }
  return {text.size(), complete};
}

// Index of the byte at which a byte-by-byte feed fails; nullopt: never.
std::optional<std::size_t> fails_at(std::string_view text) {
  Utf8Validator validator;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!validator.feed(as_bytes(text.substr(i, 1)))) return i;
  }
  return std::nullopt;
}

void expect_like_oracle(std::string_view text) {
  const Oracle oracle = judge(text);
  const bool good = oracle.good == text.size();
  ASSERT_EQ(fails_at(text), good ? std::nullopt : std::optional(oracle.good));
  ASSERT_EQ(is_utf8(as_bytes(text)), good && oracle.complete);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Validator validator;
    const bool first = validator.feed(as_bytes(text.substr(0, cut)));
    ASSERT_EQ(first, oracle.good >= cut) << "cut " << cut;
    const bool second = validator.feed(as_bytes(text.substr(cut)));
    ASSERT_EQ(second, good) << "cut " << cut;
    ASSERT_EQ(validator.complete(), good && oracle.complete) << "cut " << cut;
  }
}

TEST(Utf8, AgreesWithTheDefinitionOnEverySequenceOfTwoBytesAndSelectedLongerOnes) {
  const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(a), static_cast<char>(b)};
      const Oracle oracle = judge(text);
      ASSERT_EQ(is_utf8(as_bytes(text)), oracle.good == 2 && oracle.complete) << a << " " << b;
    }
  }
  for (const auto a : edges) {
    for (const auto b : edges) {
      for (const auto c : edges) {
        for (const auto d : edges) {
          const std::string text{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
                                 static_cast<char>(d)};
          const Oracle oracle = judge(text);
          ASSERT_EQ(is_utf8(as_bytes(text)), oracle.good == 4 && oracle.complete);
          ASSERT_EQ(fails_at(text), oracle.good == 4 ? std::nullopt : std::optional(oracle.good));
        }
      }
    }
  }
}

TEST(Utf8, FailsAtTheFirstWrongByteWhereverItStandsAndHoweverTheTextIsCut) {
  const std::string cases[] = {
      "\xC0\xAF"s,  // overlong /
      "\xC1\xBF"s,
      "\xE0\x80\xAF"s,
      "\xE0\x9F\xBF"s,
      "\xF0\x80\x80\xAF"s,
      "\xF0\x8F\xBF\xBF"s,
      "\xED\xA0\x80"s,      // first surrogate
      "\xED\xBF\xBF"s,      // last surrogate
      "\xF4\x90\x80\x80"s,  // U+110000
      "\xF5\x80\x80\x80"s,
      "\xF8\x88\x80\x80\x80"s,
      "\xFE"s,
      "\xFF"s,
      "\x80"s,  // continuation without a lead
      "\xC3\x28"s,
      "\xE2\x82\x28"s,
      "\xF0\x9F\x98\x28"s,
      "\xC3"s,
      "\xE2\x82"s,
      "\xF0\x9F\x98"s,      // cut short
      "\xE2\x82\xAC\xAC"s,  // one continuation too many
      "\xC3\xC3\xA9"s,
  };
  const std::string fills[] = {"", "x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (const auto& wrong : cases) {
    for (const auto& fill : fills) {
      for (std::size_t before : {0, 1, 13, 27, 28, 29, 30, 31, 32, 33, 61, 64}) {
        for (std::size_t after : {0, 1, 33}) {
          std::string text;
          while (text.size() < before) text += fill.empty() ? "a" : fill;
          text += wrong;
          text += std::string(after, 'z');
          expect_like_oracle(text);
        }
      }
    }
  }
}

TEST(Utf8, AcceptsTheFirstAndLastCharacterOfEveryLengthAtEveryCut) {
  const std::string good =
      "\x00\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"s;
  for (std::size_t before = 0; before < 40; ++before)
    expect_like_oracle(std::string(before, 'a') + good);
}

TEST(Utf8, AgreesWithTheDefinitionOnRandomTextsWithOneByteChanged) {
  std::mt19937 random(20250101);
  const std::string letters[] = {
      "a", "z", " ", "\xC3\xA9", "\xD0\x96", "\xE2\x82\xAC", "\xE6\xBC\xA2", "\xF0\x9F\x98\x80"};
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    const std::size_t length = random() % 140;
    const unsigned ascii_share = random() % 3;
    while (text.size() < length)
      text += letters[ascii_share == 0 ? random() % 3 : random() % std::size(letters)];
    if (round % 2 == 0 && !text.empty()) text[random() % text.size()] = static_cast<char>(random());
    const Oracle oracle = judge(text);
    ASSERT_EQ(is_utf8(as_bytes(text)), oracle.good == text.size() && oracle.complete);
    const std::size_t cut = text.empty() ? 0 : random() % text.size();
    Utf8Validator validator;
    ASSERT_EQ(validator.feed(as_bytes(std::string_view(text).substr(0, cut))), oracle.good >= cut);
    ASSERT_EQ(validator.feed(as_bytes(std::string_view(text).substr(cut))),
              oracle.good == text.size());
  }
}

TEST(Utf8, StaysFalseUntilReset) {
  Utf8Validator validator;
  EXPECT_FALSE(validator.feed(as_bytes("\xFF")));
  EXPECT_FALSE(validator.feed(as_bytes("fine")));
  EXPECT_FALSE(validator.feed({}));
  EXPECT_FALSE(validator.complete());
  validator.reset();
  EXPECT_TRUE(validator.feed(as_bytes("fine")));
  EXPECT_TRUE(validator.complete());
}

}  // namespace
}  // namespace uproar::ws
