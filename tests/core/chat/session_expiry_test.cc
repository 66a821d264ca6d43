// A session lasts as long as its tokens, by the monotonic clock.

#include <algorithm>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "core/chat/command_cost.h"
#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kHourUs = 3'600 * kSecondUs;
constexpr std::int64_t kLeewayS = kExpiryLeewayS;

class Expiry : public ChatTest {
 protected:
  explicit Expiry(World::Options options = {}) : ChatTest(std::move(options)) {}

  [[nodiscard]] std::int64_t wall_s() const { return world.now.wall_us / kSecondUs; }
  // With a token that is good for so long.
  Person connects_for(std::int64_t life_s, const std::string& name = "alice", bool resume = false) {
    world.expires_at_s = wall_s() + life_s;
    return connects(name, 0, resume);
  }
  // A token for a session.refresh.
  void mint(const std::string& token, UserId user, SessionId session, std::int64_t life_s) {
    world.tokens[token] = {.user = user, .session = session, .expires_at_s = wall_s() + life_s};
  }
  void mint_for(const Person& person, const std::string& token, std::int64_t life_s) {
    mint(token, person.id(), person.connection().session, life_s);
  }
  // Time goes by, and everybody pings.
  void pass_s(std::int64_t seconds, std::int64_t step_s = 1) {
    for (std::int64_t passed = 0; passed < seconds; passed += step_s) {
      world.advance_ms(std::min(step_s, seconds - passed) * 1000);
      for (const auto& connection : world.connections) {
        if (connection->is_open) world.shard(0).on_heartbeat(connection->endpoint, world.now);
      }
    }
  }
  static void expect_expired(const Person& person) {
    ASSERT_TRUE(person.connection().closed_with.has_value());
    EXPECT_EQ(person.connection().closed_with->code, ErrorCode::kTokenExpired);
    EXPECT_FALSE(person.connection().is_open);
  }
};

TEST_F(Expiry, a_session_is_told_when_its_token_ends) {
  const Person alice = connects_for(900);
  ASSERT_THAT(alice.heard<SessionReady>(), SizeIs(1));
  EXPECT_EQ(alice.heard<SessionReady>()[0].expires_at_us, (wall_s() + 900) * kSecondUs);
}

TEST_F(Expiry, is_said_once_a_minute_before_and_ends_the_session_after_it) {
  const std::int64_t expires_at_us = (wall_s() + 900) * kSecondUs;
  const Person alice = connects_for(900);
  pass_s(900 - kExpiringS - 2);
  EXPECT_THAT(alice.heard<SessionExpiring>(), IsEmpty());
  pass_s(2);
  ASSERT_THAT(alice.heard<SessionExpiring>(), SizeIs(1));
  EXPECT_EQ(alice.heard<SessionExpiring>()[0].expires_at_us, expires_at_us);
  pass_s(kExpiringS + kLeewayS - 2);
  EXPECT_TRUE(alice.connection().is_open) << "within the leeway";
  EXPECT_THAT(alice.heard<SessionExpiring>(), SizeIs(1));
  pass_s(2);
  expect_expired(alice);
  EXPECT_EQ(counters().sessions_expired.value(), 1U);
}

TEST_F(Expiry, leaves_nothing_to_be_heard) {
  const auto room = group({"alice", "bob"});
  const Person bob = connects_for(900, "bob"), alice = connects_for(30);
  pass_s(1);
  bob.sends(room, "before");
  world.commit();
  pass_s(30 + kLeewayS);
  expect_expired(alice);
  bob.sends(room, "after");
  world.commit();
  EXPECT_THAT(alice.seqs(), ElementsAre(1));
  EXPECT_THAT(bob.answered<MessageSent>(), SizeIs(2));
}

TEST_F(Expiry, of_a_short_token_is_said_when_half_of_it_is_over) {
  const Person alice = connects_for(30);
  pass_s(13);
  EXPECT_THAT(alice.heard<SessionExpiring>(), IsEmpty());
  pass_s(3);
  EXPECT_THAT(alice.heard<SessionExpiring>(), SizeIs(1));
}

TEST_F(Expiry, is_put_off_by_a_token_of_the_same_login) {
  const Person alice = connects_for(100);
  mint_for(alice, "next", 300);
  pass_s(50);
  EXPECT_THAT(alice.heard<SessionExpiring>(), SizeIs(1));
  alice.says(SessionRefresh{"next"}, "7");
  ASSERT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
  EXPECT_EQ(alice.answered<SessionRefreshed>()[0].expires_at_us, (wall_s() + 250) * kSecondUs);
  EXPECT_EQ(counters().sessions_refreshed.value(), 1U);
  pass_s(250 - kExpiringS - 2);
  EXPECT_TRUE(alice.connection().is_open);
  EXPECT_THAT(alice.heard<SessionExpiring>(), SizeIs(1)) << "once of each";
  pass_s(3);
  EXPECT_THAT(alice.heard<SessionExpiring>(), SizeIs(2));
  pass_s(kExpiringS + kLeewayS);
  expect_expired(alice);
}

TEST_F(Expiry, may_be_put_off_again_and_again) {
  const Person alice = connects_for(20);
  for (int i = 0; i < 50; ++i) {
    pass_s(15);
    mint_for(alice, "next", 20);
    alice.says(SessionRefresh{"next"}, "7");
  }
  EXPECT_TRUE(alice.connection().is_open);
  EXPECT_THAT(alice.answered<SessionRefreshed>(), SizeIs(50));
  EXPECT_THAT(alice.heard<SessionExpiring>(), SizeIs(50));
}

TEST_F(Expiry, is_put_off_within_the_leeway_and_by_a_token_of_no_login) {
  const Person alice = connects_for(100);
  pass_s(102);
  mint("next", alice.id(), {}, 900);
  alice.says(SessionRefresh{"next"}, "7");
  EXPECT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
  pass_s(600);
  EXPECT_TRUE(alice.connection().is_open);
}

// Who holds a refresh token that somebody else has just used, another tab, gets a login of their own.
TEST_F(Expiry, is_put_off_by_a_token_of_another_login_of_the_same_user_which_it_belongs_to_then) {
  const Person moves = connects_for(100), stays = connects_for(100);
  const SessionId old_login = moves.connection().session, next_login(Uuid{7, 99});
  mint("next", moves.id(), next_login, 900);
  moves.says(SessionRefresh{"next"}, "7");
  ASSERT_THAT(moves.answered<SessionRefreshed>(), SizeIs(1));
  EXPECT_EQ(moves.answered<SessionRefreshed>()[0].expires_at_us, (wall_s() + 900) * kSecondUs);
  world.shard(0).revoke_session(moves.id(), old_login);
  world.settle();
  world.shard(0).end_revoked({old_login}, world.now);
  world.settle();
  pass_s(300);
  EXPECT_TRUE(moves.connection().is_open)
      << "the login that it began with has nothing to do with it";
  mint("of no login", moves.id(), {}, 1200);
  moves.says(SessionRefresh{"of no login"}, "8");
  EXPECT_THAT(moves.answered<SessionRefreshed>(), SizeIs(2));
  world.shard(0).revoke_session(moves.id(), next_login);
  world.settle();
  ASSERT_TRUE(moves.connection().closed_with.has_value());
  EXPECT_EQ(moves.connection().closed_with->code, ErrorCode::kTokenRevoked);
  expect_expired(stays);
}

TEST_F(Expiry, put_off_by_a_token_of_another_login_is_found_by_that_login_in_the_store) {
  const Person alice = connects_for(100);
  const SessionId next_login(Uuid{7, 99});
  mint("next", alice.id(), next_login, 100);  // ends with the one before: the last word counts
  alice.says(SessionRefresh{"next"}, "7");
  world.shard(0).end_revoked({next_login}, world.now);
  world.settle();
  ASSERT_TRUE(alice.connection().closed_with.has_value());
  EXPECT_EQ(alice.connection().closed_with->code, ErrorCode::kTokenRevoked);
}

TEST_F(Expiry, is_not_moved_to_the_login_of_a_token_that_ends_sooner) {
  const Person alice = connects_for(900);
  const SessionId own = alice.connection().session, other(Uuid{7, 99});
  mint("sooner", alice.id(), other, 600);
  alice.says(SessionRefresh{"sooner"}, "7");
  ASSERT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
  EXPECT_EQ(alice.answered<SessionRefreshed>()[0].expires_at_us, (wall_s() + 900) * kSecondUs);
  world.shard(0).revoke_session(alice.id(), other);
  world.settle();
  EXPECT_TRUE(alice.connection().is_open);
  world.shard(0).revoke_session(alice.id(), own);
  world.settle();
  ASSERT_TRUE(alice.connection().closed_with.has_value());
  EXPECT_EQ(alice.connection().closed_with->code, ErrorCode::kTokenRevoked);
}

TEST_F(Expiry, is_not_put_off_by_what_is_somebody_elses_or_none) {
  const auto room = group({"alice", "bob"});
  const Person bob = connects_for(900, "bob"), alice = connects_for(100);
  pass_s(1);
  mint("of bob", bob.id(), bob.connection().session, 900);
  mint("of bob, stolen", bob.id(), alice.connection().session, 900);
  for (const char* token : {"of bob", "of bob, stolen"}) {
    alice.says(SessionRefresh{token}, "7");
    EXPECT_EQ(alice.refused(), ErrorCode::kForbidden) << token;
  }
  alice.says(SessionRefresh{"none"}, "7");
  EXPECT_EQ(alice.refused(), ErrorCode::kUnauthorized);
  EXPECT_TRUE(alice.connection().is_open) << "it goes on until its own token ends";
  bob.sends(room, "hi");
  world.commit();
  EXPECT_THAT(alice.seqs(), ElementsAre(1));
  pass_s(99 + kLeewayS);
  expect_expired(alice);
  EXPECT_TRUE(bob.connection().is_open);
}

TEST_F(Expiry, is_not_brought_nearer_by_a_token_that_ends_sooner) {
  const std::int64_t expires_at_us = (wall_s() + 900) * kSecondUs;
  const Person alice = connects_for(900);
  mint_for(alice, "short", 10);
  alice.says(SessionRefresh{"short"}, "7");
  ASSERT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
  EXPECT_EQ(alice.answered<SessionRefreshed>()[0].expires_at_us, expires_at_us);
  pass_s(800);
  EXPECT_TRUE(alice.connection().is_open);
}

TEST_F(Expiry, is_told_again_at_half_of_what_is_left_to_who_renews_with_what_ends_no_later) {
  const Person alice = connects_for(200);
  mint_for(alice, "the same", 200);
  std::size_t told = 0;
  for (int s = 0; s < 199; ++s) {
    pass_s(1);
    if (alice.heard<SessionExpiring>().size() == told) continue;
    ++told;
    alice.says(SessionRefresh{"the same"}, "7");
    EXPECT_THAT(alice.answered<SessionRefreshed>(), SizeIs(told));
  }
  EXPECT_EQ(told, 6U) << "60, 30, 15, 8, 4 and 2 seconds before";
}

class ExpiryOfDebtors : public Expiry {
 protected:
  ExpiryOfDebtors() : Expiry({.seed = 1, .limits = {.commands_per_s = 1, .commands_burst = 10}}) {}
};

TEST_F(ExpiryOfDebtors, is_put_off_whatever_the_session_owes_for_its_commands) {
  std::vector<std::string> names{"alice"};
  for (std::uint32_t i = 0; i < 150 * kMembersPerUnit; ++i)
    names.push_back("m" + std::to_string(i));
  const auto crowd = group(names);
  const Person alice = connects_for(100);
  pass_s(1);
  alice.says(ConversationGet{crowd}, "1");
  ASSERT_THAT(alice.answered<ConversationInfo>(), SizeIs(1));
  pass_s(50);
  ASSERT_THAT(alice.heard<SessionExpiring>(), SizeIs(1));
  mint_for(alice, "next", 900);
  alice.says(SessionRefresh{"next"}, "7");
  EXPECT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
  alice.says(SessionRefresh{"next"}, "8");
  EXPECT_EQ(alice.refused(), ErrorCode::kRateLimited) << "once for each time that it is told to";
  pass_s(100);
  EXPECT_TRUE(alice.connection().is_open);
}

TEST_F(Expiry, does_not_come_when_the_wall_clock_jumps_forward) {
  const Person alice = connects_for(900);
  pass_s(10);
  world.now.wall_us += kHourUs;
  pass_s(900 - 10 - 1);
  EXPECT_TRUE(alice.connection().is_open);
  pass_s(1 + kLeewayS);
  expect_expired(alice);
}

TEST_F(Expiry, comes_also_when_the_wall_clock_jumps_back) {
  const Person alice = connects_for(900);
  pass_s(10);
  world.now.wall_us -= kHourUs;
  pass_s(900 - 10 + kLeewayS);
  expect_expired(alice);
}

// The new token is dated by the clock as it is now: it ends before the old one by its date, and
// after it in truth.
TEST_F(Expiry, is_put_off_after_the_wall_clock_has_jumped_back) {
  const Person alice = connects_for(900);
  pass_s(600);
  world.now.wall_us -= kHourUs;
  mint_for(alice, "next", 900);
  alice.says(SessionRefresh{"next"}, "7");
  ASSERT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
  EXPECT_EQ(alice.answered<SessionRefreshed>()[0].expires_at_us, (wall_s() + 900) * kSecondUs);
  pass_s(800);
  EXPECT_TRUE(alice.connection().is_open);
  pass_s(100 + kLeewayS);
  expect_expired(alice);
}

TEST_F(Expiry, of_a_token_that_ended_while_the_door_was_open_ends_the_session) {
  const Person alice = connects_for(-30);
  EXPECT_THAT(alice.heard<SessionReady>(), SizeIs(1));
  pass_s(2);
  expect_expired(alice);
}

TEST_F(Expiry, of_a_token_without_a_foreseeable_end_never_comes) {
  world.expires_at_s = 253'402'300'799;  // the last second of 9999
  const Person alice = connects("alice");
  pass_s(3 * 24 * 3'600, 60);
  EXPECT_TRUE(alice.connection().is_open);
  EXPECT_THAT(alice.heard<SessionExpiring>(), IsEmpty());
}

TEST_F(Expiry, is_put_off_by_what_was_said_before_session_ready_in_its_turn) {
  world.set_manual(true);
  const Person alice = connects_for(100);
  mint_for(alice, "next", 900);
  alice.says(SessionRefresh{"next"}, "7");
  EXPECT_THAT(alice.connection().inbox, IsEmpty());
  world.set_manual(false);
  world.settle();
  ASSERT_GE(alice.connection().inbox.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<SessionReady>(alice.connection().inbox[0].event));
  EXPECT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
}

TEST_F(Expiry, put_off_does_not_stand_for_the_sync_that_was_announced) {
  const auto room = group({"alice", "bob"});
  const Person bob = connects_for(900, "bob");
  pass_s(1);
  const Person alice = connects_for(100, "alice", true);
  mint_for(alice, "next", 900);
  alice.says(SessionRefresh{"next"}, "7");
  bob.sends(room, "hi");
  world.commit();
  EXPECT_THAT(alice.answered<SessionRefreshed>(), SizeIs(1));
  EXPECT_THAT(alice.seqs(), IsEmpty()) << "live messages wait for the sync";
  alice.says(Sync{{{room, 0}}});
  world.settle();
  EXPECT_THAT(alice.rows(), ElementsAre(1));
}

TEST_F(Expiry, is_not_put_off_for_a_request) {
  mint("next", world.user("alice"), {}, 900);
  const std::uint32_t slot = world.request(world.user("alice"), SessionRefresh{"next"});
  ASSERT_THAT(world.requests[slot], SizeIs(1));
  EXPECT_EQ(std::get<Error>(world.requests[slot][0].event).code, ErrorCode::kConflict);
}

// Of a backend that lets all its tokens end at once.
TEST_F(Expiry, comes_to_so_many_in_a_turn) {
  constexpr std::uint32_t kPeople = 2 * kSessionsDueMax + 10;
  for (std::uint32_t i = 0; i < kPeople; ++i) connects_for(100, "p" + std::to_string(i));
  world.advance_ms(500);  // the last of them are read together, a moment later
  const auto count = [&](auto&& is_so) {
    return std::count_if(world.connections.begin(), world.connections.end(), is_so);
  };
  const auto told = [&] {
    return count([](const auto& x) {
      return std::any_of(x->inbox.begin(), x->inbox.end(), [](const Heard& heard) {
        return std::holds_alternative<SessionExpiring>(heard.event);
      });
    });
  };
  const auto ended = [&] { return count([](const auto& x) { return !x->is_open; }); };
  world.advance_ms(49'500);
  EXPECT_EQ(told(), kSessionsDueMax);
  EXPECT_LE(world.shard(0).next_deadline(), world.now.monotonic_us) << "the next turn is due";
  world.advance_ms(0);
  EXPECT_EQ(told(), 2 * kSessionsDueMax);
  world.advance_ms(0);
  EXPECT_EQ(told(), kPeople);
  EXPECT_GT(world.shard(0).next_deadline(), world.now.monotonic_us);
  world.advance_ms(50'000 + kLeewayS * 1000);
  EXPECT_EQ(ended(), kSessionsDueMax);
  world.advance_ms(0);
  world.advance_ms(0);
  EXPECT_EQ(ended(), kPeople);
}

// Each in its window, however many there are and whatever the strides in which a busy shard looks.
TEST_F(Expiry, comes_to_each_of_many_in_its_time) {
  struct Expected {
    Connection* connection;
    std::int64_t expires_s;  // of the monotonic clock
  };
  std::vector<Expected> all;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const auto life_s = static_cast<std::int64_t>(1 + world.random(700));
    const Person person = connects_for(life_s, "p" + std::to_string(i % 60));
    all.push_back({&person.connection(), world.now.monotonic_us / kSecondUs + life_s});
  }
  while (world.now.monotonic_us / kSecondUs < 1'000 + 720) {
    const auto stride_s = static_cast<std::int64_t>(1 + world.random(4));
    pass_s(stride_s, stride_s);
    const std::int64_t now_s = world.now.monotonic_us / kSecondUs;
    for (const Expected& expected : all) {
      const bool is_open = !expected.connection->closed_with.has_value();
      if (is_open) {
        EXPECT_LT(now_s, expected.expires_s + kLeewayS) << "it is late";
      } else {
        EXPECT_GE(now_s, expected.expires_s + kLeewayS) << "it came early";
      }
    }
  }
  EXPECT_EQ(counters().sessions_expired.value(), 600U);
}

}  // namespace
}  // namespace uproar::chat::testing
