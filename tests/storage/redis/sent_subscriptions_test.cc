// Which answer of a server belongs to what it was asked.
#include "storage/redis/sent_subscriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uproar::storage::redis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SentSubscriptions, AreConfirmedChannelByChannelInTheirOrder) {
  SentSubscriptions sent;
  sent.sent({.channels = {"a", "b"}, .is_subscribe = true, .serial = 7});
  sent.sent({.channels = {"a"}, .is_subscribe = false, .serial = 8});
  EXPECT_EQ(sent.unconfirmed(), 3U);
  EXPECT_EQ(sent.confirmed("b", true), 0U) << "not its turn";
  EXPECT_EQ(sent.confirmed("a", false), 0U) << "nor this";
  EXPECT_EQ(sent.confirmed("a", true), 7U);
  EXPECT_EQ(sent.confirmed("b", true), 7U);
  EXPECT_EQ(sent.confirmed("b", true), 0U);
  EXPECT_EQ(sent.confirmed("a", false), 8U);
  EXPECT_EQ(sent.unconfirmed(), 0U);
}

TEST(SentSubscriptions, AnErrorAnswersAllThatIsLeftOfACommand) {
  SentSubscriptions sent;
  sent.sent({.channels = {"a", "b"}, .is_subscribe = true, .serial = 1});
  sent.sent({.channels = {"c"}, .is_subscribe = true, .serial = 2});
  EXPECT_EQ(sent.confirmed("a", true), 1U);
  EXPECT_THAT(sent.refused().channels, ElementsAre("a", "b"));
  EXPECT_EQ(sent.unconfirmed(), 1U);
  EXPECT_EQ(sent.refused().serial, 2U);
  EXPECT_THAT(sent.refused().channels, IsEmpty()) << "of nothing";
}

TEST(SentSubscriptions, ThePingOfTheLinkHasItsTurn) {
  SentSubscriptions sent;
  sent.sent({.channels = {"a"}, .is_subscribe = true, .serial = 1});
  sent.pinged();
  sent.sent({.channels = {"b"}, .is_subscribe = true, .serial = 2});
  EXPECT_FALSE(sent.is_ping_next());
  sent.ping_answered();  // by a server that was not asked: nothing moves
  EXPECT_EQ(sent.confirmed("a", true), 1U);
  EXPECT_TRUE(sent.is_ping_next());
  EXPECT_EQ(sent.confirmed("b", true), 0U);
  sent.ping_answered();
  EXPECT_EQ(sent.confirmed("b", true), 2U);
  sent.pinged();
  sent.clear();
  EXPECT_FALSE(sent.is_ping_next());
}

}  // namespace
}  // namespace uproar::storage::redis
