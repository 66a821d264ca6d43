// Embedded files must come out byte for byte, whatever the bytes: quotes, semicolons (cmake's list separator), NUL.

#include <string>

#include <gtest/gtest.h>

#include "tests/tools/cmake/sample_files.h"

namespace uproar::embed_test {
namespace {

TEST(Embed, KeepsEveryByteValue) {
  const sample::File* file = sample::find("all_bytes.bin");
  ASSERT_NE(file, nullptr);
  std::string expected;
  for (int round = 0; round < 3; ++round) {
    for (int byte = 0; byte < 256; ++byte) expected.push_back(static_cast<char>(byte));
  }
  EXPECT_EQ(file->bytes, expected);
}

TEST(Embed, KeepsTextThatCmakeWouldSplit) {
  const sample::File* file = sample::find("index.html");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(
      file->bytes,
      "<!doctype html>\n<p title=\"quote; semicolon, \\ and | bar\">h\xc3\xa9llo [brackets]</p>\n");
  EXPECT_EQ(file->content_type, "text/html; charset=utf-8");
}

TEST(Embed, FindsByExactPathOnly) {
  EXPECT_EQ(sample::find("/index.html"), nullptr);
  EXPECT_EQ(sample::find("INDEX.HTML"), nullptr);
  EXPECT_EQ(sample::find(""), nullptr);
  EXPECT_EQ(sample::files().size(), 3u);
}

TEST(Embed, AnEmptyFileIsAFile) {
  const sample::File* file = sample::find("empty.txt");
  ASSERT_NE(file, nullptr);
  EXPECT_TRUE(file->bytes.empty());
}

TEST(Embed, EtagIsQuotedAndDiffersWithTheBytes) {
  const std::string_view page = sample::find("index.html")->etag;
  ASSERT_EQ(page.size(), 34u);
  EXPECT_EQ(page.front(), '"');
  EXPECT_EQ(page.back(), '"');
  EXPECT_NE(page, sample::find("empty.txt")->etag);
}

}  // namespace
}  // namespace uproar::embed_test
