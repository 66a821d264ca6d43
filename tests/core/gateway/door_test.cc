// What both doors say to who comes at a bad moment.
#include "core/gateway/door.h"

#include <set>

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

TEST(Busy, SendsThoseWhoAreRefusedTogetherBackOneByOne) {
  std::set<std::uint32_t> waits_ms;
  for (int i = 0; i < 100; ++i) {
    const chat::Error told = busy();
    EXPECT_EQ(told.code, chat::ErrorCode::kOverloaded);
    EXPECT_GE(told.retry_after_ms, kBusyRetryMs);
    EXPECT_LE(told.retry_after_ms, 2 * kBusyRetryMs);
    waits_ms.insert(told.retry_after_ms);
  }
  EXPECT_GT(waits_ms.size(), 50U);  // of 1,001: fewer than one run in 10^20 has no more
}

}  // namespace
}  // namespace uproar::gateway
