#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "proto/base/counters.h"
#include "proto/base/parse_number.h"
#include "proto/base/result.h"
#include "proto/base/shared_bytes.h"
#include "proto/base/spread.h"
#include "proto/base/uuid.h"

namespace uproar {
namespace {

TEST(Uuid, TextAndBinaryFormsRoundTrip) {
  const auto id = Uuid::parse("0192f0c1-2d3e-7abc-8DEF-0123456789ab");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->text(), "0192f0c1-2d3e-7abc-8def-0123456789ab");
  unsigned char bytes[16];
  id->write_bytes(bytes);
  EXPECT_EQ(bytes[0], 0x01);
  EXPECT_EQ(bytes[15], 0xab);
  EXPECT_EQ(Uuid::from_bytes(bytes), *id);
}

TEST(Uuid, RefusesEveryTextWithOneWrongCharacter) {
  const std::string good = "0192f0c1-2d3e-7abc-8def-0123456789ab";
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = good[i] == '-' ? '0' : 'g';
    EXPECT_FALSE(Uuid::parse(bad).has_value()) << bad;
  }
  EXPECT_FALSE(Uuid::parse(good.substr(1)).has_value());
  EXPECT_FALSE(Uuid::parse(good + "0").has_value());
}

TEST(Uuid, Version7SortsByTimeAndKeepsItsVersionBits) {
  const Uuid early = Uuid::v7(1'000, ~0ULL, ~0ULL);
  const Uuid late = Uuid::v7(1'001, 0, 0);
  EXPECT_LT(early, late);
  EXPECT_EQ(early.text()[14], '7');
  EXPECT_EQ(late.text()[19], '8');
}

TEST(SharedBytes, LivesAsLongAsTheLastReference) {
  SharedBytes copy;
  {
    const SharedBytes first = SharedBytes::copy_of("hello");
    copy = first;
    EXPECT_EQ(copy.data(), first.data());
  }
  EXPECT_EQ(as_text(copy.view()), "hello");
}

TEST(Histogram, EveryValueLiesWithinItsBucket) {
  std::uint64_t previous = 0;
  for (std::size_t i = 1; i < Histogram::kBuckets; ++i) {
    const std::uint64_t upper = Histogram::upper_bound(i);
    EXPECT_GT(upper, previous);
    EXPECT_EQ(Histogram::bucket_of(upper), i);
    EXPECT_EQ(Histogram::bucket_of(previous + 1), i);
    previous = upper;
  }
}

TEST(ParseNumber, TakesTheWholeOfWhatFitsAndNothingElse) {
  EXPECT_EQ(parse_number<std::uint16_t>("0"), 0);
  EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(parse_number<std::int64_t>("-12"), -12);
  EXPECT_EQ(parse_number<std::uint16_t>("ff", 16), 255);
  for (const char* text : {"", "-", "-1", "+1", " 1", "1 ", "1x", "x", "65536", "1.0", "0x1"})
    EXPECT_EQ(parse_number<std::uint16_t>(text), std::nullopt) << text;
}

TEST(Spread, ReachesBothEndsAndNoFurther) {
  EXPECT_EQ(spread_ms(1'000, 500, 0), 1'000U);
  EXPECT_EQ(spread_ms(1'000, 500, UINT32_MAX), 1'500U);
  EXPECT_EQ(spread_ms(1'000, 500, UINT32_MAX / 2), 1'250U);
  EXPECT_EQ(spread_ms(7, 0, UINT32_MAX), 7U);
  EXPECT_EQ(spread_ms(0, UINT32_MAX, UINT32_MAX), UINT32_MAX);
}

TEST(SystemError, TextNamesOperationCauseAndRemedy) {
  const SystemError error{
      .operation = "open", .subject = "a.db", .code = 2, .hint = "create the folder"};
  EXPECT_EQ(error.text(), "open a.db: No such file or directory (errno 2). Try: create the folder");
}

}  // namespace
}  // namespace uproar
