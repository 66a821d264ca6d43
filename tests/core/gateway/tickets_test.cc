#include "core/gateway/tickets.h"

#include <cctype>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/gateway/limits.h"

namespace uproar::gateway {
namespace {

constexpr std::int64_t kStart = 1'000'000'000;

Now at(std::int64_t us) {
  return {.monotonic_us = us, .wall_us = 0};
}
UserId user(std::uint64_t number) {
  return UserId(Uuid{.high = 1, .low = number});
}
SessionId session(std::uint64_t number) {
  return SessionId(Uuid{.high = 2, .low = number});
}

chat::TokenProof holder(UserId user, SessionId session) {
  return {.user = user, .session = session, .expires_at_s = 1'700'000'900};
}

TEST(Tickets, OpenTheDoorOnceForTheirHolder) {
  Tickets tickets(0);
  const auto ticket = tickets.issue(holder(user(1), session(1)), at(kStart));
  ASSERT_TRUE(ticket);
  const auto redeemed = tickets.redeem(*ticket, at(kStart));
  ASSERT_TRUE(redeemed);
  EXPECT_EQ(redeemed->user, user(1));
  EXPECT_EQ(redeemed->session, session(1));
  EXPECT_EQ(redeemed->expires_at_s, 1'700'000'900) << "of the token that was issued with it";
  EXPECT_FALSE(tickets.redeem(*ticket, at(kStart))) << "once";
}

TEST(Tickets, LiveThirtySecondsToTheMicrosecond) {
  static_assert(kTicketLifeUs == 30'000'000);
  Tickets tickets(0);
  const auto early = tickets.issue(holder(user(1), session(1)), at(kStart));
  const auto late = tickets.issue(holder(user(2), session(2)), at(kStart));
  EXPECT_TRUE(tickets.redeem(*early, at(kStart + kTicketLifeUs - 1)));
  EXPECT_FALSE(tickets.redeem(*late, at(kStart + kTicketLifeUs)));
}

TEST(Tickets, ExpireEachInItsTurn) {
  Tickets tickets(0);
  const auto first = tickets.issue(holder(user(1), session(1)), at(kStart));
  const auto second = tickets.issue(holder(user(2), session(2)), at(kStart + 10'000'000));
  EXPECT_FALSE(tickets.redeem(*first, at(kStart + kTicketLifeUs)));
  EXPECT_TRUE(tickets.redeem(*second, at(kStart + kTicketLifeUs)));
}

TEST(Tickets, NameTheShardThatIssuedThem) {
  for (const std::uint16_t shard : {0, 1, 10, 63, 255, 256, 4095, 65535}) {
    Tickets tickets(shard);
    const auto ticket = tickets.issue(holder(user(1), session(1)), at(kStart));
    ASSERT_TRUE(ticket);
    EXPECT_EQ(Tickets::shard_of(*ticket), shard) << *ticket;
  }
}

TEST(Tickets, AreOpenOnlyToTheirOwnShard) {
  Tickets here(1);
  Tickets there(2);
  const auto ticket = here.issue(holder(user(1), session(1)), at(kStart));
  EXPECT_FALSE(there.redeem(*ticket, at(kStart)));
  std::string renamed = *ticket;
  renamed[3] = '2';
  EXPECT_EQ(Tickets::shard_of(renamed), 2);
  EXPECT_FALSE(there.redeem(renamed, at(kStart)));
  EXPECT_TRUE(here.redeem(*ticket, at(kStart))) << "a failed attempt elsewhere does not spend it";
}

TEST(Tickets, WhatIsNoTicketNamesNoShard) {
  Tickets tickets(0);
  const std::string good = *tickets.issue(holder(user(1), session(1)), at(kStart));
  for (const std::string& text :
       {std::string(), std::string("0000"), good.substr(1), good + "A", "g" + good.substr(1),
        "-001" + good.substr(4), " 001" + good.substr(4), "0x01" + good.substr(4),
        "+001" + good.substr(4), std::string(10'000, '0')}) {
    EXPECT_FALSE(Tickets::shard_of(text)) << text.substr(0, 60);
  }
}

TEST(Tickets, AreUnguessableAndSafeInAUrl) {
  Tickets tickets(0);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto ticket = tickets.issue(holder(user(1), session(1)), at(kStart));
    ASSERT_TRUE(ticket);
    EXPECT_TRUE(seen.insert(*ticket).second);
    for (const char c : *ticket)
      EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_') << c;
  }
  std::string guess = *seen.begin();
  guess.back() = guess.back() == 'A' ? 'E' : 'A';
  EXPECT_FALSE(tickets.redeem(guess, at(kStart)));
}

TEST(Tickets, AreBoundedAndComeBackWhenOldOnesExpire) {
  Tickets tickets(0);
  for (std::uint32_t i = 0; i < kTicketsMax; ++i)
    ASSERT_TRUE(tickets.issue(holder(user(i), session(i)), at(kStart)));
  EXPECT_FALSE(tickets.issue(holder(user(0), session(0)), at(kStart)));
  EXPECT_FALSE(tickets.issue(holder(user(0), session(0)), at(kStart + kTicketLifeUs - 1)));
  EXPECT_TRUE(tickets.issue(holder(user(0), session(0)), at(kStart + kTicketLifeUs)));
}

// The place of a redeemed ticket in the queue of expiries is kept for its 30 s; so the bound counts it.
TEST(Tickets, AreBoundedAlsoWhenEachIsRedeemedAtOnce) {
  Tickets tickets(0);
  for (std::uint32_t i = 0; i < kTicketsMax; ++i) {
    const auto ticket = tickets.issue(holder(user(i), session(i)), at(kStart));
    ASSERT_TRUE(ticket);
    ASSERT_TRUE(tickets.redeem(*ticket, at(kStart)));
  }
  EXPECT_FALSE(tickets.issue(holder(user(0), session(0)), at(kStart)));
  EXPECT_TRUE(tickets.issue(holder(user(0), session(0)), at(kStart + kTicketLifeUs)));
}

}  // namespace
}  // namespace uproar::gateway
