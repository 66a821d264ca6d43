// Users and sessions. Against every backend.

#include "storage/limits.h"
#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Accounts : public ContractTest {
 protected:
  static SessionRecord session(std::uint64_t n, UserId owner, std::string digest) {
    return {.id = make_id<SessionId>(n),
            .user = owner,
            .refresh_digest = std::move(digest),
            .device = "phone",
            .created_at_us = 100,
            .expires_at_us = 1000};
  }
};
UPROAR_CONTRACT(Accounts);

// Tokens that live as long after each swap.
class SpentTokens : public Accounts {
 protected:
  static constexpr std::int64_t kLifeUs = std::int64_t{30} * 24 * 3600 * 1'000'000;
  static constexpr std::int64_t kStartUs = 1'700'000'000'000'000;
  static constexpr std::int64_t kSwappedUs = kStartUs + 900'000'000;

  SpentTokens() {
    SessionRecord first = session(1, user(1), "d0");
    first.created_at_us = kStartUs;
    first.expires_at_us = kStartUs + kLifeUs;
    EXPECT_TRUE(call->create_session(first).ok());
    EXPECT_EQ(outcome("d0", "d1", kSwappedUs), kSwapped);
  }
  Result<Rotation, StoreError> swap(const std::string& digest, const std::string& next,
                                    std::int64_t at_us) {
    return call->rotate(digest, next, at_us, at_us + kLifeUs);
  }
  Rotation::Outcome outcome(const std::string& digest, const std::string& next,
                            std::int64_t at_us) {
    const auto rotation = swap(digest, next, at_us);
    EXPECT_TRUE(rotation.ok());
    EXPECT_EQ(rotation->session.id, make_id<SessionId>(1));
    EXPECT_EQ(rotation->session.user, user(1));
    return rotation->outcome;
  }
  std::vector<SessionId> revoked() { return call->revoked_since(0).value(); }

  using enum Rotation::Outcome;
};
UPROAR_CONTRACT(SpentTokens);

TEST_P(SpentTokens, ChangeNothingJustAfterTheirSwapHoweverOftenTheyCome) {
  for (const std::int64_t later_us : {std::int64_t{0}, std::int64_t{1}, kRefreshGraceUs}) {
    const Rotation rotation = swap("d0", "evil", kSwappedUs + later_us).value();
    EXPECT_EQ(rotation.outcome, kJustSpent) << later_us;
    EXPECT_EQ(rotation.session.id, make_id<SessionId>(1));
    EXPECT_EQ(rotation.session.user, user(1));
    EXPECT_EQ(rotation.session.revoked_at_us, 0);
  }
  EXPECT_THAT(revoked(), IsEmpty());
  EXPECT_EQ(swap("evil", "d2", kSwappedUs + 1).error(), StoreError::kNotFound)
      << "what was brought with it is no token of the session";
  EXPECT_EQ(outcome("d1", "d2", kSwappedUs + 900'000'000), kSwapped);
  reopen();
  if (!backend->is_durable()) return;
  EXPECT_EQ(outcome("d1", "evil", kSwappedUs + 900'000'001), kJustSpent);
}

TEST_P(SpentTokens, AreStolenFromThenOn) {
  const Rotation rotation = swap("d0", "evil", kSwappedUs + kRefreshGraceUs + 1).value();
  EXPECT_EQ(rotation.outcome, kStolen);
  EXPECT_EQ(rotation.session.id, make_id<SessionId>(1));
  EXPECT_EQ(rotation.session.user, user(1));
  EXPECT_EQ(rotation.session.revoked_at_us, kSwappedUs + kRefreshGraceUs + 1);
  EXPECT_THAT(revoked(), ElementsAre(make_id<SessionId>(1)));
  EXPECT_EQ(swap("d1", "d2", kSwappedUs + kRefreshGraceUs + 2).error(), StoreError::kNotFound);
}

// Of two nodes, or of one that is set back.
TEST_P(SpentTokens, AreJudgedByClocksThatDifferBySoMuch) {
  EXPECT_EQ(outcome("d0", "evil", kSwappedUs - kRefreshGraceUs), kJustSpent);
  EXPECT_EQ(outcome("d0", "evil", kSwappedUs - kRefreshGraceUs - 1), kStolen);
}

TEST_P(SpentTokens, AreStolenAtOnceWhenAnotherWasSwappedSince) {
  EXPECT_EQ(outcome("d1", "d2", kSwappedUs + 1), kSwapped);
  EXPECT_EQ(outcome("d1", "evil", kSwappedUs + 2), kJustSpent);
  EXPECT_EQ(outcome("d0", "evil", kSwappedUs + 2), kStolen);
  EXPECT_THAT(revoked(), ElementsAre(make_id<SessionId>(1)));
  EXPECT_EQ(swap("d2", "d3", kSwappedUs + 3).error(), StoreError::kNotFound);
}

TEST_P(SpentTokens, OfASessionThatHasEndedAreStolenAndItEndedWhenItDid) {
  ASSERT_TRUE(call->revoke(make_id<SessionId>(1), kSwappedUs + 1).ok());
  EXPECT_EQ(outcome("d0", "evil", kSwappedUs + 2), kStolen);
  EXPECT_THAT(call->revoked_since(kSwappedUs + 1).value(), ElementsAre(make_id<SessionId>(1)));
  EXPECT_THAT(call->revoked_since(kSwappedUs + 2).value(), IsEmpty());
}

TEST_P(SpentTokens, OfASessionThatHasExpiredAreStolen) {
  ASSERT_TRUE(call->create_session(session(2, user(1), "e0")).ok());
  ASSERT_TRUE(call->rotate("e0", "e1", 200, 300).ok());
  EXPECT_EQ(call->rotate("e0", "evil", 299, 399).value().outcome, kJustSpent);
  EXPECT_EQ(call->rotate("e0", "evil", 300, 400).value().outcome, kStolen);
}

TEST_P(Accounts, NamesAreUniqueWhateverTheirCase) {
  EXPECT_EQ(call->create_user({.id = user(50), .name = "USER1"}).error(), StoreError::kNameTaken);
  EXPECT_TRUE(
      call->create_user(
              {.id = user(50), .name = "Zo\xC3\xAB", .password_hash = "h", .created_at_us = 7})
          .ok());
  EXPECT_EQ(call->create_user({.id = user(50), .name = "other"}).error(), StoreError::kNameTaken)
      << "the id is taken";
  const User found = call->find_name("zO\xC3\xAB").value();
  EXPECT_EQ(found.id, user(50));
  EXPECT_EQ(found.name, "Zo\xC3\xAB");
  EXPECT_EQ(found.password_hash, "h");
  EXPECT_EQ(found.created_at_us, 7);
  EXPECT_EQ(call->find_name("nobody").error(), StoreError::kNotFound);
  EXPECT_EQ(call->find_name("").error(), StoreError::kNotFound);
}

TEST_P(Accounts, AreFoundByIdInTheOrderAsked) {
  const std::vector<User> found = call->find_users({user(3), user(99), user(1)}).value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "user3");
  EXPECT_EQ(found[1].name, "user1");
  EXPECT_EQ(call->find_users(std::vector<UserId>(kFindUsersMax + 1)).error(),
            StoreError::kOverloaded);
}

TEST_P(Accounts, MembershipsAreLookedUpInTheOrderAsked) {
  using Kind = chat::ConversationKind;
  creates(user(1), conversation(1), Kind::kGroup, {user(2)});
  creates(user(1), conversation(2), Kind::kGroup, {user(3)});
  creates(user(2), conversation(3), Kind::kChannel, {});
  const std::vector<ConversationId> asked{conversation(3), conversation(9), conversation(2),
                                          conversation(1)};
  EXPECT_THAT(call->find_memberships(user(1), asked).value(),
              ElementsAre(conversation(2), conversation(1)));
  EXPECT_THAT(call->find_memberships(user(2), asked).value(),
              ElementsAre(conversation(3), conversation(1)));
  act(conversation(1), user(2), RemoveMember{user(2)});
  EXPECT_THAT(call->find_memberships(user(2), asked).value(), ElementsAre(conversation(3)));
  EXPECT_THAT(call->find_memberships(user(2), {}).value(), IsEmpty());
  EXPECT_EQ(call->find_memberships(user(2), std::vector<ConversationId>(kLookedUpMax + 1)).error(),
            StoreError::kOverloaded);
}

TEST_P(Accounts, WhoHasWrittenIsLookedUpInTheOrderAsked) {
  using Kind = chat::ConversationKind;
  creates(user(1), conversation(1), Kind::kDirect, {user(2)});
  creates(user(1), conversation(2), Kind::kGroup, {user(3)});
  sends(user(2), conversation(1), "hi", "a");
  sends(user(3), conversation(2), "hi", "a");
  act(conversation(2), user(1), Rename{"new"});  // the system's row is not the owner's word
  const std::vector<Writer> asked{{conversation(2), user(3)},
                                  {conversation(2), user(1)},
                                  {conversation(9), user(3)},
                                  {conversation(1), user(1)},
                                  {conversation(1), user(2)}};
  EXPECT_THAT(call->find_writers(asked).value(), ElementsAre(asked[0], asked[4]));
  EXPECT_EQ(call->find_writers(std::vector<Writer>(kLookedUpMax + 1)).error(),
            StoreError::kOverloaded);
}

TEST_P(Accounts, AreProvisionedOnceAndDropANameThatIsTaken) {
  EXPECT_EQ(call->ensure_user(user(50), "New", 8).value().name, "New");
  EXPECT_EQ(call->ensure_user(user(50), "Changed", 9).value().name, "New");
  EXPECT_EQ(call->ensure_user(user(51), "nEW", 9).value().name, "");
  EXPECT_EQ(call->ensure_user(user(52), "", 9).value().name, "");
  EXPECT_EQ(call->ensure_user(user(50), "", 9).value().created_at_us, 8);
}

TEST_P(Accounts, RememberWhenSomebodyWasLastOnline) {
  call->directory().set_last_online(user(1), 50);
  call->directory().set_last_online(user(1), 40);
  call->directory().set_last_online(user(99), 60);
  ASSERT_TRUE(
      call->create_session(session(1, user(1), "d")).ok());  // later work: what came before is done
  EXPECT_EQ(call->find_users({user(1)}).value()[0].last_online_us, 50);
}

TEST_P(Accounts, SessionsAreRefreshedByTheirNewestTokenAlone) {
  ASSERT_TRUE(call->create_session(session(1, user(1), "d0")).ok());
  EXPECT_EQ(call->create_session(session(2, user(99), "x")).error(), StoreError::kNotFound);
  const Rotation rotation = call->rotate("d0", "d1", 200, 5000).value();
  EXPECT_EQ(rotation.outcome, Rotation::Outcome::kSwapped);
  const SessionRecord& rotated = rotation.session;
  EXPECT_EQ(rotated.id, make_id<SessionId>(1));
  EXPECT_EQ(rotated.user, user(1));
  EXPECT_EQ(rotated.refresh_digest, "d1");
  EXPECT_EQ(rotated.expires_at_us, 5000);
  EXPECT_EQ(rotated.device, "phone");
  EXPECT_EQ(call->rotate("unknown", "d2", 200, 5000).error(), StoreError::kNotFound);
  EXPECT_EQ(call->rotate("d1", "d2", 5000, 9000).error(), StoreError::kExpired);
  reopen();
  if (!backend->is_durable()) return;
  EXPECT_TRUE(call->rotate("d1", "d2", 4999, 9000).ok());
}

TEST_P(Accounts, AStolenTokenThatComesBackEndsItsSession) {
  ASSERT_TRUE(call->create_session(session(1, user(1), "d0")).ok());
  ASSERT_TRUE(call->create_session(session(2, user(1), "e0")).ok());
  ASSERT_TRUE(call->rotate("d0", "d1", 200, 5000).ok());
  ASSERT_TRUE(call->rotate("d1", "d2", 300, 5000).ok());
  const SessionRecord ended = call->rotate("d0", "evil", 400, 5000).value().session;
  EXPECT_EQ(ended.revoked_at_us, 400) << "no token for either: the session is over";
  EXPECT_EQ(ended.id, make_id<SessionId>(1));
  EXPECT_EQ(ended.user, user(1));
  EXPECT_THAT(call->revoked_since(0).value(), ElementsAre(make_id<SessionId>(1)));
  EXPECT_EQ(call->rotate("d2", "d3", 500, 5000).error(), StoreError::kNotFound)
      << "the owner must log in again";
  EXPECT_TRUE(call->rotate("e0", "e1", 500, 5000).ok()) << "other sessions live on";
}

TEST_P(Accounts, RememberABoundedNumberOfSpentTokens) {
  ASSERT_TRUE(call->create_session(session(1, user(1), "d0")).ok());
  const std::uint32_t rotations = kSpentDigestsPerSessionMax + 1;
  for (std::uint32_t i = 0; i < rotations; ++i) {
    ASSERT_TRUE(call->rotate("d" + std::to_string(i), "d" + std::to_string(i + 1), 200, 5000).ok());
  }
  EXPECT_EQ(call->rotate("d0", "x", 300, 5000).error(), StoreError::kNotFound);
  EXPECT_THAT(call->revoked_since(0).value(), IsEmpty()) << "too old to be known";
  EXPECT_EQ(call->rotate("d1", "x", 300, 5000).value().session.revoked_at_us, 300);
  EXPECT_EQ(call->revoked_since(0).value().size(), 1U);
}

TEST_P(Accounts, SessionsAreRevokedOnce) {
  ASSERT_TRUE(call->create_session(session(1, user(1), "a")).ok());
  ASSERT_TRUE(call->create_session(session(2, user(1), "b")).ok());
  EXPECT_TRUE(call->revoke(make_id<SessionId>(1), 300).value());
  EXPECT_FALSE(call->revoke(make_id<SessionId>(1), 400).value());
  EXPECT_EQ(call->revoke(make_id<SessionId>(9), 400).error(), StoreError::kNotFound)
      << "no such login is not a login that has ended";
  EXPECT_EQ(call->rotate("a", "c", 350, 5000).error(), StoreError::kNotFound);
  EXPECT_THAT(call->revoked_since(300).value(), ElementsAre(make_id<SessionId>(1)));
  EXPECT_THAT(call->revoked_since(301).value(), IsEmpty());
}

TEST_P(Accounts, RevocationsAreReadInTheOrderInWhichTheyHappened) {
  for (std::uint64_t n = 1; n <= 3; ++n)
    ASSERT_TRUE(call->create_session(session(n, user(1), "d" + std::to_string(n))).ok());
  ASSERT_TRUE(call->revoke(make_id<SessionId>(3), 300).ok());
  ASSERT_TRUE(call->revoke(make_id<SessionId>(1), 400).ok());
  ASSERT_TRUE(call->revoke(make_id<SessionId>(2), 400).ok());
  EXPECT_THAT(call->revoked_since(0).value(),
              ElementsAre(make_id<SessionId>(3), make_id<SessionId>(1), make_id<SessionId>(2)));
}

TEST_P(Accounts, SessionsLongExpiredAreForgottenWhenANewOneIsMade) {
  ASSERT_TRUE(call->create_session(session(1, user(1), "a")).ok());
  SessionRecord later = session(2, user(1), "b");
  later.created_at_us = 1000 + kExpiredSessionKeptUs - 1;
  later.expires_at_us = later.created_at_us + 1000;
  ASSERT_TRUE(call->create_session(later).ok());
  EXPECT_EQ(call->rotate("a", "x", later.created_at_us, 1).error(), StoreError::kExpired);
  later.id = make_id<SessionId>(3);
  later.refresh_digest = "c";
  later.created_at_us += 1;
  ASSERT_TRUE(call->create_session(later).ok());
  EXPECT_EQ(call->rotate("a", "x", later.created_at_us, 1).error(), StoreError::kNotFound);
}

}  // namespace
}  // namespace uproar::storage
