#include "proto/http/headers.h"

#include <gtest/gtest.h>

namespace uproar::http {
namespace {

constexpr std::string_view kLines =
    "Host: a\r\n"
    "Connection: keep-alive\r\n"
    "Empty:\r\n"
    "connection: , Upgrade ,x\r\n"
    "With-Colon: a:b: c\r\n";

TEST(Headers, FindIgnoresCaseAndGivesTheFirst) {
  const Headers headers(kLines);
  EXPECT_EQ(headers.find("HOST"), "a");
  EXPECT_EQ(headers.find("connection"), "keep-alive");
  EXPECT_EQ(headers.find("empty"), "");
  EXPECT_EQ(headers.find("with-colon"), "a:b: c");
  EXPECT_EQ(headers.find("Hos"), std::nullopt);
  EXPECT_EQ(headers.find(""), std::nullopt);
}

TEST(Headers, CountsLinesOfAName) {
  const Headers headers(kLines);
  EXPECT_EQ(headers.count("Connection"), 2U);
  EXPECT_EQ(headers.count("Host"), 1U);
  EXPECT_EQ(headers.count("Nobody"), 0U);
}

TEST(Headers, FindsWholeTokensInEveryLineOfAName) {
  const Headers headers(kLines);
  EXPECT_TRUE(headers.has_token("Connection", "upgrade"));
  EXPECT_TRUE(headers.has_token("Connection", "Keep-Alive"));
  EXPECT_TRUE(headers.has_token("Connection", "x"));
  EXPECT_FALSE(headers.has_token("Connection", "up"));
  EXPECT_FALSE(headers.has_token("Connection", "keep"));
  EXPECT_FALSE(headers.has_token("Host", "upgrade"));
}

TEST(Headers, FindsElementsAsTheyAreWritten) {
  const Headers headers(kLines);
  EXPECT_TRUE(headers.has_element("connection", "Upgrade"));
  EXPECT_FALSE(headers.has_element("Connection", "upgrade"));
  EXPECT_FALSE(headers.has_element("Connection", "Up"));
  EXPECT_TRUE(headers.has_element("Connection", "x"));
  EXPECT_FALSE(headers.has_element("Host", "Upgrade"));
}

TEST(Headers, IterateInOrder) {
  std::string names;
  for (const Header header : Headers(kLines)) names.append(header.name).append(" ");
  EXPECT_EQ(names, "Host Connection Empty connection With-Colon ");
  EXPECT_TRUE(Headers().empty());
  EXPECT_EQ(Headers().find("host"), std::nullopt);
}

TEST(FieldLine, AcceptsEveryTokenCharacterAndNoOtherInNames) {  // RFC 9110 §5.6.2
  constexpr std::string_view kTokens =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name(1, static_cast<char>(byte));
    Header header;
    const bool accepted = parse_field_line(name + ":x", header) == RequestError::kNone;
    EXPECT_EQ(accepted, kTokens.find(name) != std::string_view::npos) << byte;
  }
}

TEST(FieldLine, AcceptsEveryByteButControlCharactersInValues) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string value = std::string("a") + static_cast<char>(byte) + "b";
    Header header;
    const std::string line = "n:" + value;  // outlives `header`
    const bool accepted = parse_field_line(line, header) == RequestError::kNone;
    EXPECT_EQ(accepted, byte == '\t' || (byte >= 0x20 && byte != 0x7F)) << byte;
    if (accepted) {
      EXPECT_EQ(header.value, value);
    }
  }
}

}  // namespace
}  // namespace uproar::http
