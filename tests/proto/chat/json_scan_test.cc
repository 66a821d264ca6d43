#include "proto/chat/json_scan.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

namespace uproar::chat {
namespace {

// In a heap block of just its size: reading past the end trips the address sanitizer.
bool accepts(std::string_view text, std::uint32_t depth = 32, JsonShape* shape = nullptr) {
  const std::unique_ptr<char[]> exact(new char[text.size()]);
  if (!text.empty()) std::memcpy(exact.get(), text.data(), text.size());
  JsonShape ignored;
  return check_json({exact.get(), text.size()}, depth, shape != nullptr ? *shape : ignored);
}

constexpr std::string_view kGood[] = {
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "1.5",
    "1e5",
    "1E+5",
    "1.25e-3",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e308",
    "true",
    "false",
    "null",
    R"("")",
    R"("a")",
    R"("\"\\\/\b\f\n\r\t")",
    R"("\u0041")",
    R"("\ud83e\udd81")",
    R"("\u0000")",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    " 1 ",
    "\t\n\r 1",
    "[1,2]",
    "[[],{}]",
    R"({"a":1})",
    R"({"a":{"b":[1,"c",null]},"d":true})",
    R"( { "a" : [ 1 , 2 ] } )",
    R"({"":""})",
    R"({"a":1,"a":2})",
    R"("ö")",
};

constexpr std::string_view kBad[] = {
    "",
    " ",
    "tru",
    "True",
    "nul",
    "nulll",
    "truefalse",
    "1 2",
    "01",
    "-",
    "-a",
    "+1",
    ".5",
    "1.",
    "1.e5",
    "1e",
    "1e+",
    "0x10",
    "1_000",
    "NaN",
    "Infinity",
    "-Infinity",
    "18446744073709551616",
    "-9223372036854775809",
    "1e309",
    "-1e309",
    "123456789012345678901234567890",
    "[",
    "]",
    "{",
    "}",
    "[}",
    "{]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,,2]",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{1:1}",
    "{\"a\":1}}",
    "[]]",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\",
    "\"\\x\"",
    "\"\\u\"",
    "\"\\u12\"",
    "\"\\u123g\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\\udc00\\ud800\"",
    "\"\n\"",
    "\"\t\"",
    "\"\x01\"",
    "'a'",
    "// x\n1",
    "/**/1",
    "1;",
    "\xEF\xBB\xBF"
    "1",
    "undefined",
};

TEST(CheckJson, AcceptsJson) {
  for (const auto text : kGood) EXPECT_TRUE(accepts(text)) << text;
}

TEST(CheckJson, RefusesEverythingElse) {
  for (const auto text : kBad) EXPECT_FALSE(accepts(text)) << text;
}

TEST(
    CheckJson,
    AcceptsNothingThatAnotherParserRefuses) {  // all cuts of, and one-byte changes to, the good ones
  simdjson::dom::parser parser;
  const auto check = [&parser](const std::string& text) {
    if (!simdjson::validate_utf8(text.data(), text.size()) || !accepts(text))
      return;  // UTF-8 is required of callers
    EXPECT_EQ(parser.parse(text).error(), simdjson::SUCCESS) << text;
  };
  for (const auto text : kGood) {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      check(std::string(text.substr(0, i)));
      check(std::string(text.substr(i)));
      if (i == text.size()) continue;
      for (const char c : std::string_view("{}[]\",:\\0 -.eEtn\x01u")) {
        std::string changed(text);
        changed[i] = c;
        check(changed);
      }
    }
  }
}

TEST(CheckJson, BoundsDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(accepts(nested(32)));
  EXPECT_FALSE(accepts(nested(33)));
  EXPECT_TRUE(accepts(nested(64), 64));
  EXPECT_FALSE(accepts(nested(65), 64));
  EXPECT_FALSE(accepts(nested(100'000)));
  EXPECT_TRUE(accepts("1", 0));
  EXPECT_FALSE(accepts("[]", 0));
  std::string objects;
  for (int i = 0; i < 32; ++i) objects += R"({"a":)";
  EXPECT_TRUE(accepts(objects + "1" + std::string(32, '}')));
  EXPECT_FALSE(accepts(R"([)" + objects + "1" + std::string(32, '}') + "]"));
}

TEST(CheckJson, TellsTheFirstFaultAndWhereItIs) {
  const struct {
    std::string text;
    JsonFault fault;
    std::uint32_t at;
  } cases[] = {
      {"", JsonFault::kSyntax, 0},
      {"[1,2", JsonFault::kSyntax, 4},
      {R"(["a)", JsonFault::kSyntax, 3},
      {R"("\u00)", JsonFault::kSyntax, 5},
      {R"("\ud800\)", JsonFault::kSyntax, 8},
      {"-", JsonFault::kSyntax, 1},
      {"[1 2]", JsonFault::kSyntax, 3},
      {"[1}", JsonFault::kSyntax, 2},
      {"[01]", JsonFault::kSyntax, 2},
      {"[tru]", JsonFault::kSyntax, 1},
      {R"({"a" 1})", JsonFault::kSyntax, 5},
      {R"(["\x"])", JsonFault::kSyntax, 3},
      {R"(["\u00zz"])", JsonFault::kSyntax, 6},
      {"[\"a\nb\"]", JsonFault::kSyntax, 3},
      {"1 1", JsonFault::kSyntax, 2},
      {"[[[]]]", JsonFault::kTooDeep, 2},
      {R"(["\ud800"])", JsonFault::kHalfPair, 8},
      {R"(["\udc00"])", JsonFault::kHalfPair, 8},
      {R"(["\ud800\n"])", JsonFault::kHalfPair, 9},
      {R"(["\ud800\u0041"])", JsonFault::kHalfPair, 14},
      {"[1e999]", JsonFault::kNumber, 6},
      {"[18446744073709551616]", JsonFault::kNumber, 21},
  };
  for (const auto& each : cases) {
    JsonShape shape;
    EXPECT_FALSE(accepts(each.text, 2, &shape)) << each.text;
    EXPECT_EQ(shape.fault, each.fault) << each.text;
    EXPECT_EQ(shape.fault_at, each.at) << each.text;
  }
}

TEST(CheckJson, TellsTheShape) {
  JsonShape shape;
  ASSERT_TRUE(accepts(R"([{"a":[1,2,3]},{},{"b":{}}])", 32, &shape));
  EXPECT_EQ(shape.kind, JsonKind::kArray);
  EXPECT_EQ(shape.children, 3U);
  EXPECT_TRUE(shape.children_are_objects);
  ASSERT_TRUE(accepts(R"([{},1])", 32, &shape));
  EXPECT_EQ(shape.children, 2U);
  EXPECT_FALSE(shape.children_are_objects);
  ASSERT_TRUE(accepts(R"({"a":1,"b":[1,2]})", 32, &shape));
  EXPECT_EQ(shape.kind, JsonKind::kObject);
  EXPECT_EQ(shape.children, 2U);
  const struct {
    std::string_view text;
    JsonKind kind;
  } scalars[] = {{R"("x")", JsonKind::kString}, {"-1.5", JsonKind::kNumber},
                 {"true", JsonKind::kTrue},     {"false", JsonKind::kFalse},
                 {"null", JsonKind::kNull},     {"[]", JsonKind::kArray}};
  for (const auto& each : scalars) {
    ASSERT_TRUE(accepts(each.text, 32, &shape)) << each.text;
    EXPECT_EQ(shape.kind, each.kind) << each.text;
    EXPECT_EQ(shape.children, 0U) << each.text;
  }
}

}  // namespace
}  // namespace uproar::chat
