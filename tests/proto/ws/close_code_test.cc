#include "proto/ws/close_code.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "proto/ws/limits.h"
#include "proto/ws/utf8.h"

namespace uproar::ws {
namespace {

TEST(CloseCode, MayBeReceivedOnlyInTheRangesOfTheRegistry) {
  for (int code = 0; code <= 0xFFFF; ++code) {
    const bool standard = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    const bool registered = code >= 3000 && code <= 4999;
    EXPECT_EQ(may_be_received(static_cast<std::uint16_t>(code)), standard || registered) << code;
  }
}

TEST(CloseCode, GivesEveryMistakeACodeThatMayBeSentAndItsOwnWords) {
  std::set<std::string_view> words;
  for (int i = 1; i <= static_cast<int>(ProtocolError::kLast); ++i) {
    const CloseAdvice advice = close_advice(static_cast<ProtocolError>(i));
    EXPECT_TRUE(may_be_received(static_cast<std::uint16_t>(advice.code))) << i;
    EXPECT_FALSE(advice.reason.empty()) << i;
    EXPECT_LE(advice.reason.size(), kCloseReasonBytesMax) << i;
    EXPECT_TRUE(is_utf8(as_bytes(advice.reason))) << i;
    EXPECT_TRUE(words.insert(advice.reason).second) << advice.reason << " says two things";
  }
}

TEST(CloseCode, KeepsTheCodesThatTheStandardNames) {
  EXPECT_EQ(close_advice(ProtocolError::kTooBig).code, CloseCode::kTooBig);
  EXPECT_EQ(close_advice(ProtocolError::kInvalidUtf8).code, CloseCode::kInvalidPayload);
  EXPECT_EQ(close_advice(ProtocolError::kBadDeflate).code, CloseCode::kInvalidPayload);
  EXPECT_EQ(close_advice(ProtocolError::kUnmasked).code, CloseCode::kProtocolError);
  EXPECT_EQ(close_advice(ProtocolError::kTooManyFrames).code, CloseCode::kPolicyViolation);
  EXPECT_EQ(close_advice(ProtocolError::kOverloaded).code, CloseCode::kOverloaded);
}

}  // namespace
}  // namespace uproar::ws
