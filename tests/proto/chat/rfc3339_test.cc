#include "proto/chat/rfc3339.h"

#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace uproar::chat {
namespace {

TEST(Rfc3339, WritesKnownMoments) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1'767'323'045'678'999), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(rfc3339(951'782'400'000'000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(rfc3339(4'107'542'400'000'000), "2100-03-01T00:00:00.000Z");  // 2100 has no leap day
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Rfc3339, StaysInsideFourDigitYears) {
  EXPECT_EQ(rfc3339(std::numeric_limits<std::int64_t>::max()).substr(0, 20),
            "9999-12-31T23:59:59.");
  EXPECT_EQ(rfc3339(std::numeric_limits<std::int64_t>::min()).substr(0, 20),
            "0000-01-01T00:00:00.");
}

TEST(Rfc3339, ReadsBackWhatItWrites) {
  // A day and a bit apart: every month, leap years of all three kinds.
  for (std::int64_t us = -62'000'000'000'000'000; us < 253'000'000'000'000'000;
       us += 86'461'123'000 * 37) {
    const std::int64_t milliseconds = us / 1000 * 1000;
    EXPECT_EQ(parse_rfc3339(rfc3339(milliseconds)), milliseconds);
  }
}

TEST(Rfc3339, ReadsEveryFormOfTheRfc) {
  const std::int64_t moment = 482'196'050'520'000;  // RFC 3339 §5.8
  EXPECT_EQ(parse_rfc3339("1985-04-12T23:20:50.52Z"), moment);
  EXPECT_EQ(parse_rfc3339("1985-04-12t23:20:50.52z"), moment);
  EXPECT_EQ(parse_rfc3339("1985-04-12T15:20:50.520000000-08:00"), moment);
  EXPECT_EQ(parse_rfc3339("1996-12-19T16:39:57-08:00"), parse_rfc3339("1996-12-20T00:39:57Z"));
  EXPECT_EQ(parse_rfc3339("1990-12-31T23:59:60Z"), parse_rfc3339("1991-01-01T00:00:00Z"));
  EXPECT_EQ(parse_rfc3339("1937-01-01T12:00:27.87+00:20"),
            parse_rfc3339("1937-01-01T11:40:27.87Z"));
  EXPECT_EQ(parse_rfc3339("2026-01-02T03:04:05.6789999Z"), 1'767'323'045'678'999);
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text : {"",
                           "2026-01-02",
                           "2026-01-02T03:04:05",
                           "2026-01-02 03:04:05Z",
                           "2026-1-02T03:04:05Z",
                           "2026-13-02T03:04:05Z",
                           "2026-00-02T03:04:05Z",
                           "2026-02-29T03:04:05Z",
                           "2026-01-00T03:04:05Z",
                           "2026-04-31T03:04:05Z",
                           "2100-02-29T00:00:00Z",
                           "2026-01-02T24:04:05Z",
                           "2026-01-02T03:60:05Z",
                           "2026-01-02T03:04:61Z",
                           "2026-01-02T03:04:05.Z",
                           "2026-01-02T03:04:05.0123456789Z",
                           "2026-01-02T03:04:05+0100",
                           "2026-01-02T03:04:05+24:00",
                           "2026-01-02T03:04:05+01:60",
                           "2026-01-02T03:04:05ZZ",
                           " 2026-01-02T03:04:05Z",
                           "2026-01-02T03:04:05Z ",
                           "1767323045",
                           "+026-01-02T03:04:05Z"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace uproar::chat
