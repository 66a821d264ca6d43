#include "core/chat/recent_rows.h"

#include <gtest/gtest.h>

namespace uproar::chat::testing {
namespace {

// What it forgets for may stand in no page that was read before.
TEST(RecentRows, that_are_forgotten_outdate_what_is_being_read) {
  RecentRows rows;
  rows.reset(7);
  const std::uint64_t changes = rows.changes();
  rows.reset(7);
  EXPECT_EQ(rows.complete_after(), 7U);
  EXPECT_NE(rows.changes(), changes);
}

}  // namespace
}  // namespace uproar::chat::testing
