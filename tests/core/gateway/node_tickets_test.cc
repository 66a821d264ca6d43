#include "core/gateway/node_tickets.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/gateway/limits.h"

namespace uproar::gateway {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000;
const UserId kAnn(Uuid{.high = 1, .low = 11});
const SessionId kSession(Uuid{.high = 2, .low = 22});
const chat::TokenProof kHolder{.user = kAnn, .session = kSession, .expires_at_s = 1'700'000'900};

// Nodes have clocks of their own on the wall, and no monotonic time in common.
Now at(std::int64_t wall_us) {
  return {.monotonic_us = 5, .wall_us = wall_us};
}

class NodeTicketsTest : public ::testing::Test {
 protected:
  const auth::Secret key_{std::string(40, 'k')};
  const NodeTickets here_{key_};
  const NodeTickets there_{key_};
};

TEST_F(NodeTicketsTest, SayAtEveryNodeWhoseTheyAre) {
  const std::string ticket = here_.issue(kHolder, at(kStart));
  EXPECT_TRUE(NodeTickets::is_one(ticket));
  const auto read = there_.read(ticket, at(kStart));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->holder.user, kAnn);
  EXPECT_EQ(read->holder.session, kSession);
  EXPECT_EQ(read->holder.expires_at_s, 1'700'000'900) << "of the token that was issued with it";
  EXPECT_FALSE(read->number.is_nil());
}

TEST_F(NodeTicketsTest, HaveANumberEach) {
  std::set<Uuid> numbers;
  for (int i = 0; i < 100; ++i)
    numbers.insert(there_.read(here_.issue(kHolder, at(kStart)), at(kStart))->number);
  EXPECT_EQ(numbers.size(), 100U);
}

TEST_F(NodeTicketsTest, ExpireAfterThirtySeconds) {
  const std::string ticket = here_.issue(kHolder, at(kStart));
  EXPECT_TRUE(there_.read(ticket, at(kStart + kTicketLifeUs - 1)).has_value());
  EXPECT_FALSE(there_.read(ticket, at(kStart + kTicketLifeUs)).has_value());
}

TEST_F(NodeTicketsTest, AreNoneWhenAnyCharacterIsAnotherOrTheKeyIs) {
  const std::string ticket = here_.issue(kHolder, at(kStart));
  for (std::size_t i = 0; i < ticket.size(); ++i) {
    std::string changed = ticket;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(there_.read(changed, at(kStart)).has_value()) << i;
  }
  const NodeTickets stranger(auth::Secret(std::string(40, 's')));
  EXPECT_FALSE(stranger.read(ticket, at(kStart)).has_value());
}

TEST_F(NodeTicketsTest, AreNoneOfAnotherLength) {
  const std::string ticket = here_.issue(kHolder, at(kStart));
  for (const std::string& wrong :
       {std::string(), std::string("n"), ticket.substr(0, 50), ticket + "A", ticket.substr(1),
        std::string(ticket.size(), '='), "n" + std::string(ticket.size() - 1, '\0')}) {
    EXPECT_FALSE(there_.read(wrong, at(kStart)).has_value()) << wrong;
  }
}

TEST_F(NodeTicketsTest, AreNotTakenForThoseOfANodeThatIsAlone) {
  EXPECT_EQ(Tickets::shard_of(here_.issue(kHolder, at(kStart))), std::nullopt);
  Tickets alone(0);
  EXPECT_FALSE(NodeTickets::is_one(*alone.issue(kHolder, at(kStart))));
}

}  // namespace
}  // namespace uproar::gateway
