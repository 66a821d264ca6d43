#include "proto/chat/json_writer.h"

#include <cstdint>
#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

namespace uproar::chat {
namespace {

std::string written(std::string_view text) {
  JsonWriter out;
  out.string(text);
  return std::string(out.text());
}

TEST(JsonWriter, EscapesWhatMustBeEscapedAndNothingElse) {
  EXPECT_EQ(written(""), R"("")");
  EXPECT_EQ(written("plain"), R"("plain")");
  EXPECT_EQ(written("\"\\/"), R"("\"\\/")");
  EXPECT_EQ(written("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(written(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
  EXPECT_EQ(written("Löwe 🦁 \u2028"), "\"Löwe 🦁 \u2028\"");
}

TEST(JsonWriter,
     EscapesAtEveryPlaceOfABlock) {  // lengths around the 32 bytes that are looked at in one go
  simdjson::dom::parser parser;
  for (const char special : {'"', '\\', '\n', '\x01', '\x1f', ' ', '\x7f', '\xC3'}) {
    for (std::size_t size = 1; size <= 100; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'x');
        text[at] = special;
        if (special == '\xC3') {  // a character of two bytes
          text.insert(at + 1, 1, '\xA4');
        }
        std::string_view back;
        ASSERT_EQ(parser.parse(written(text)).get(back), simdjson::SUCCESS) << size << ' ' << at;
        ASSERT_EQ(back, text);
      }
    }
  }
}

TEST(JsonWriter, GrowsOverTextsThatAreAllEscapes) {
  const std::string text(100'000, '\x01');
  std::string wanted = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) wanted += "\\u0001";
  EXPECT_EQ(written(text), wanted + '"');
}

TEST(JsonWriter, KeepsItsBufferFromMessageToMessage) {
  JsonWriter out;
  out.string(std::string(5000, 'x'));
  const std::size_t capacity = out.capacity();
  const char* where = out.text().data();
  for (int i = 0; i < 100; ++i) {
    out.clear();
    EXPECT_TRUE(out.empty());
    out.string(std::string(4000, 'y'));
  }
  EXPECT_EQ(out.capacity(), capacity);
  EXPECT_EQ(out.text().data(), where);
  out.release();
  EXPECT_EQ(out.capacity(), 0U);
  out.raw("again");
  EXPECT_EQ(out.text(), "again");
}

TEST(JsonWriter, WritesNumbersToTheLimit) {
  JsonWriter out;
  out.number(0);
  out.raw(' ');
  out.number(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(out.text(), "0 18446744073709551615");
}

TEST(JsonWriter, MovesItsBufferAlong) {
  JsonWriter from;
  from.raw("abc");
  JsonWriter to = std::move(from);
  EXPECT_EQ(to.text(), "abc");
}

}  // namespace
}  // namespace uproar::chat
