#include "core/gateway/lru_table.h"

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

TEST(LruTable, MakesFindsAndForgets) {
  LruTable<int, int> table(4);
  EXPECT_EQ(table.find(1), nullptr);
  table.at(1) = 10;
  ASSERT_NE(table.find(1), nullptr);
  EXPECT_EQ(*table.find(1), 10);
  EXPECT_EQ(table.at(1), 10);
  table.erase(1);
  table.erase(2);
  EXPECT_EQ(table.find(1), nullptr);
  EXPECT_EQ(table.size(), 0U);
}

TEST(LruTable, ForTheNextOneTheLeastRecentlyUsedGoes) {
  LruTable<int, int> table(3);
  for (const int key : {1, 2, 3}) table.at(key) = key;
  (void)table.find(1);
  (void)table.at(2);
  table.at(4) = 4;
  EXPECT_EQ(table.find(3), nullptr);
  for (const int key : {1, 2, 4}) EXPECT_NE(table.find(key), nullptr) << key;
}

TEST(LruTable, StaysBoundedUnderAFlood) {
  LruTable<int, int> table(64);
  for (int key = 0; key < 10'000; ++key) {
    table.at(key) = key;
    ASSERT_LE(table.size(), 64U);
  }
  EXPECT_EQ(*table.find(9'999), 9'999);
}

}  // namespace
}  // namespace uproar::gateway
