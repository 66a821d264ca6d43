#include "proto/http/target.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace uproar::http {
namespace {

TEST(PercentDecode, DecodesEveryEscapeAndLeavesPlusAlone) {
  EXPECT_EQ(percent_decode("").value(), "");
  EXPECT_EQ(percent_decode("a%20b+c%2F%2f%c3%A4%25").value(), "a b+c//\xc3\xa4%");
  EXPECT_EQ(percent_decode("%01%7f%ff").value(), "\x01\x7f\xff");
}

TEST(PercentDecode, RefusesBadEscapesAndNul) {
  for (const std::string_view text :
       {"%", "%2", "a%", "a%2", "%g0", "%0g", "%%20", "%+1", "% 1", "%00", "a%00b", "%u0041"}) {
    const auto result = percent_decode(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error(), TargetError::kBadEscape) << text;
  }
}

TEST(QueryValue, FindsAndDecodesOneParameter) {
  struct Case {
    std::string_view query, name;
    std::optional<std::string> value;
  };
  for (const Case& c : {
           Case{"", "a", std::nullopt},
           Case{"a=1", "a", "1"},
           Case{"a=1&b=2", "b", "2"},
           Case{"aa=1&a=2", "a", "2"},
           Case{"a", "a", ""},
           Case{"a=", "a", ""},
           Case{"a=b=c", "a", "b=c"},
           Case{"a=x+y%2Bz%26", "a", "x y+z&"},
           Case{"%61=1", "a", "1"},
           Case{"A=1", "a", std::nullopt},
           Case{"&&a=1&", "a", "1"},
           Case{"b=%zz&a=1", "a", "1"},
           Case{"b=a", "a", std::nullopt},
       }) {
    const auto result = query_value(c.query, c.name);
    ASSERT_TRUE(result.ok()) << c.query;
    EXPECT_EQ(*result, c.value) << c.query;
  }
}

TEST(QueryValue, RefusesBadEscapesRepetitionAndTooMuch) {
  const auto error = [](std::string_view query) {
    const auto result = query_value(query, "a");
    return result.ok() ? TargetError::kNone : result.error();
  };
  EXPECT_EQ(error("a=%2"), TargetError::kBadEscape);
  EXPECT_EQ(error("a=1&a=1"), TargetError::kRepeatedParameter);
  EXPECT_EQ(error("a=1&%61=2"), TargetError::kRepeatedParameter);
  EXPECT_EQ(error("a=" + std::string(kQueryValueBytesMax, 'x')), TargetError::kNone);
  EXPECT_EQ(error("a=" + std::string(kQueryValueBytesMax + 1, 'x')), TargetError::kTooLong);
  std::string many;
  for (std::size_t i = 0; i < kQueryParametersMax; ++i) many += "b&";
  EXPECT_EQ(error(many), TargetError::kNone);
  EXPECT_EQ(error(many + "b"), TargetError::kTooManyParameters);
}

TEST(SplitPath, GivesRawSegments) {
  const auto joined = [](std::string_view path) {
    const auto segments = split_path(path);
    EXPECT_TRUE(segments.ok()) << path;
    std::string out;
    for (std::size_t i = 0; i < segments->size; ++i)
      out.append("[").append((*segments)[i]).append("]");
    return out;
  };
  EXPECT_EQ(joined("/"), "");
  EXPECT_EQ(joined("/a"), "[a]");
  EXPECT_EQ(joined("/api/v1/x"), "[api][v1][x]");
  EXPECT_EQ(joined("/a/"), "[a][]");
  EXPECT_EQ(joined("//a"), "[][a]");
  EXPECT_EQ(joined("/a%2Fb/.."), "[a%2Fb][..]");
}

TEST(SplitPath, RefusesWhatIsNoPathAndTooDeepOnes) {
  EXPECT_EQ(split_path("*").error(), TargetError::kNotAPath);
  EXPECT_EQ(split_path("").error(), TargetError::kNotAPath);
  std::string deep;
  for (std::size_t i = 0; i < kPathSegmentsMax; ++i) deep += "/a";
  EXPECT_TRUE(split_path(deep).ok());
  EXPECT_EQ(split_path(deep + "/a").error(), TargetError::kTooManySegments);
}

}  // namespace
}  // namespace uproar::http
