#include "bench/load/arrivals.h"

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

using Clients = std::vector<std::uint32_t>;

Clients begun(Arrivals& arrivals, std::int64_t now_ns) {
  Clients out;
  while (const auto client = arrivals.next(now_ns)) out.push_back(*client);
  return out;
}

TEST(Arrivals, NoMoreThanAllowedAreUnderWay) {
  Arrivals arrivals({3, 4, 5}, 2);
  EXPECT_EQ(begun(arrivals, 0), (Clients{3, 4}));
  EXPECT_EQ(begun(arrivals, 0), Clients{});
  arrivals.came_in(4);
  EXPECT_EQ(begun(arrivals, 0), Clients{5});
  arrivals.came_in(3);
  EXPECT_FALSE(arrivals.is_done());
  arrivals.came_in(5);
  EXPECT_TRUE(arrivals.is_done());
}

TEST(Arrivals, WhatFailedIsTriedAgainBehindTheOthers) {
  Arrivals arrivals({0, 1, 2}, 1);
  EXPECT_EQ(begun(arrivals, 0), Clients{0});
  EXPECT_TRUE(arrivals.failed(0));
  for (const std::uint32_t client : {1U, 2U, 0U}) {
    EXPECT_EQ(begun(arrivals, 0), Clients{client});
    arrivals.came_in(client);
  }
  EXPECT_TRUE(arrivals.is_done());
}

TEST(Arrivals, ItIsTriedSixteenTimesAndNotForEver) {
  Arrivals arrivals({9}, 1);
  for (std::uint32_t tries = 1; tries < Arrivals::kTriesMax; ++tries) {
    ASSERT_EQ(begun(arrivals, 0), Clients{9});
    ASSERT_TRUE(arrivals.failed(9)) << tries;
  }
  ASSERT_EQ(begun(arrivals, 0), Clients{9});
  EXPECT_FALSE(arrivals.failed(9));
}

TEST(Arrivals, WhoIsNotAnsweredIsOverdueOnceATry) {
  Arrivals arrivals({0, 1}, 2);
  EXPECT_EQ(begun(arrivals, 0), (Clients{0, 1}));
  arrivals.came_in(0);
  EXPECT_FALSE(arrivals.overdue(Arrivals::kPatienceNs - 1));
  EXPECT_EQ(arrivals.overdue(Arrivals::kPatienceNs), 1U);
  EXPECT_FALSE(arrivals.overdue(Arrivals::kPatienceNs)) << "named once";
  EXPECT_TRUE(arrivals.failed(1));
  EXPECT_EQ(begun(arrivals, Arrivals::kPatienceNs), Clients{1});
  EXPECT_FALSE(arrivals.overdue(2 * Arrivals::kPatienceNs - 1)) << "a new try, new patience";
  EXPECT_EQ(arrivals.overdue(2 * Arrivals::kPatienceNs), 1U);
}

}  // namespace
}  // namespace uproar::bench
