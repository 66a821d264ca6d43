#include "core/gateway/request_table.h"

#include <vector>

#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

net::ConnectionId connection(std::uint32_t number) {
  return {.slot = number, .generation = 7};
}

TEST(RequestTable, TellsWhoseRequestAnEndpointNames) {
  RequestTable table(3, 8);
  const auto first = table.add(connection(1));
  const auto second = table.add(connection(2));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->shard, 3);
  EXPECT_EQ(first->kind, chat::Endpoint::Kind::kRequest);
  EXPECT_NE(*first, *second);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.take(second->slot, second->generation)->connection, connection(2));
  EXPECT_EQ(table.take(first->slot, first->generation)->connection, connection(1));
  EXPECT_EQ(table.size(), 0U);
}

TEST(RequestTable, ARequestIsAnsweredOnce) {
  RequestTable table(0, 8);
  const auto waiting = table.add(connection(1));
  EXPECT_TRUE(table.take(waiting->slot, waiting->generation));
  EXPECT_FALSE(table.take(waiting->slot, waiting->generation));
  EXPECT_EQ(table.size(), 0U);
}

TEST(RequestTable, ALateAnswerDoesNotReachTheNextRequestInItsSlot) {
  RequestTable table(0, 8);
  const auto old = table.add(connection(1));
  ASSERT_TRUE(table.take(old->slot, old->generation));
  const auto young = table.add(connection(2));
  ASSERT_EQ(young->slot, old->slot) << "slots are used again";
  EXPECT_FALSE(table.take(old->slot, old->generation));
  EXPECT_EQ(table.take(young->slot, young->generation)->connection, connection(2));
}

TEST(RequestTable, RefusesEndpointsItNeverMade) {
  RequestTable table(0, 8);
  EXPECT_FALSE(table.take(0, 1)) << "an empty table";
  const auto waiting = table.add(connection(1));
  EXPECT_FALSE(table.take(waiting->slot, waiting->generation + 1));
  EXPECT_FALSE(table.take(waiting->slot, 0));
  EXPECT_FALSE(table.take(waiting->slot + 1, waiting->generation));
  EXPECT_FALSE(table.take(UINT32_MAX, waiting->generation));
  EXPECT_EQ(table.size(), 1U);
}

TEST(RequestTable, IsBoundedAndHasRoomAgainAfterAnAnswer) {
  RequestTable table(0, 4);
  std::vector<chat::Endpoint> waiting;
  for (std::uint32_t i = 0; i < 4; ++i) waiting.push_back(*table.add(connection(i)));
  EXPECT_FALSE(table.add(connection(4)));
  ASSERT_TRUE(table.take(waiting[2].slot, waiting[2].generation));
  EXPECT_TRUE(table.add(connection(4)));
  EXPECT_FALSE(table.add(connection(5)));
}

TEST(RequestTable, NeverHandsOutOneEndpointTwice) {
  RequestTable table(0, 2);
  std::vector<chat::Endpoint> seen;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto waiting = table.add(connection(i));
    ASSERT_TRUE(waiting);
    for (const chat::Endpoint& earlier : seen) ASSERT_NE(*waiting, earlier);
    seen.push_back(*waiting);
    ASSERT_TRUE(table.take(waiting->slot, waiting->generation));
  }
}

}  // namespace
}  // namespace uproar::gateway
