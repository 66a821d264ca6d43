// What wrong guesses cost, and whom, on simulated time.
#include "core/gateway/login_limits.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/gateway/limits.h"

namespace uproar::gateway {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kStart = 86'400 * kSecondUs;
constexpr AccountTag kOwner = 17;

net::PeerAddress v4(std::uint32_t number) {
  net::PeerAddress out;
  out.bytes[10] = out.bytes[11] = 0xFF;
  out.bytes[12] = 10;
  for (std::uint32_t i = 0; i < 3; ++i)
    out.bytes[13 + i] = static_cast<std::uint8_t>(number >> (8 * (2 - i)));
  return out;
}
const net::PeerAddress kHome = v4(1);
const net::PeerAddress kCafe = v4(2);

// Time moves only when a test says so.
class Node {
 public:
  explicit Node(LoginLimits::Options options = {}) : limits(options) {}

  Now now() const { return {.monotonic_us = at_us, .wall_us = 0}; }
  void pass(std::int64_t us) { at_us += us; }

  // Milliseconds to wait, 0: the guess was looked at, and is wrong.
  std::uint32_t guess(AccountTag account, const net::PeerAddress& from,
                      const KnownDevice& device = {}) {
    return limits.login(account, from, device, now()).wait_ms;
  }
  // The same with the right password.
  std::uint32_t login(AccountTag account, const net::PeerAddress& from,
                      const KnownDevice& device = {}) {
    const auto [wait_ms, attempt] = limits.login(account, from, device, now());
    return wait_ms != 0 ? wait_ms : limits.right(attempt, now());
  }
  // How many guesses are looked at if it tries as often as it is let.
  int guesses_in(std::int64_t us, AccountTag account, const net::PeerAddress& from) {
    int looked_at = 0;
    for (const std::int64_t end_us = at_us + us; at_us < end_us;) {
      const std::uint32_t wait_ms = guess(account, from);
      if (wait_ms == 0)
        ++looked_at;
      else
        pass(std::int64_t{wait_ms} * 1000);
    }
    return looked_at;
  }
  // `addresses` guess in turn, 10,000 times a minute together.
  void attack(std::int64_t us, std::uint32_t addresses) {
    constexpr std::int64_t kEveryUs = 60 * kSecondUs / 10'000;
    std::uint32_t who = 0;
    for (const std::int64_t end_us = at_us + us; at_us < end_us; pass(kEveryUs))
      (void)guess(kOwner, v4(1000 + who++ % addresses));
  }

  std::int64_t at_us = kStart;
  LoginLimits limits;
};

KnownDevice device_of(AccountTag account, std::uint64_t id = 5) {
  return {.id = id, .logins = {{.account = account, .day = 0}}};
}

TEST(LoginLimits, WrongGuessesAreFreeFirstAndThenTheWaitDoubles) {
  struct Row {
    const char* from;
    KnownDevice device;
    bool is_known;
    std::uint32_t free;
  };
  for (const Row& row : std::vector<Row>{
           {"a stranger", {}, false, kGuessesOfStrangerFree},
           {"a known address", {}, true, kGuessesOfKnownFree},
           {"a known device", device_of(kOwner), false, kGuessesOfKnownFree},
       }) {
    SCOPED_TRACE(row.from);
    Node node;
    if (row.is_known) node.limits.registered(kOwner, kHome);
    for (std::uint32_t i = 0; i < row.free; ++i)
      ASSERT_EQ(node.guess(kOwner, kHome, row.device), 0U) << i;
    for (std::uint32_t wait_ms = 1000; wait_ms <= 16'000; wait_ms *= 2) {
      ASSERT_EQ(node.guess(kOwner, kHome, row.device), wait_ms);
      node.pass(std::int64_t{wait_ms} * 1000 - 1);
      ASSERT_EQ(node.guess(kOwner, kHome, row.device), 1U) << "a microsecond is too early";
      node.pass(1);
      ASSERT_EQ(node.guess(kOwner, kHome, row.device), 0U);
    }
  }
}

TEST(LoginLimits, TheWaitHasABoundAndGuessingPaysNowhere) {
  Node node;
  constexpr std::int64_t kDayUs = 24 * 3600 * kSecondUs;
  const int first_day = node.guesses_in(kDayUs, kOwner, kHome);
  const int second_day = node.guesses_in(kDayUs, kOwner, kHome);
  EXPECT_LE(first_day, 115);
  EXPECT_LE(second_day, 97);
  EXPECT_GE(second_day, 90) << "never a lock";
}

TEST(LoginLimits, TheRightPasswordCostsNothing) {
  Node node;
  for (int round = 0; round < 20; ++round) {
    for (std::uint32_t i = 0; i + 1 < kGuessesOfStrangerFree; ++i)
      ASSERT_EQ(node.guess(kOwner, v4(100 + round)), 0U) << round;
    ASSERT_EQ(node.login(kOwner, v4(100 + round)), 0U) << round;
    for (std::uint32_t i = 0; i < kGuessesOfKnownFree; ++i)
      ASSERT_EQ(node.guess(kOwner, v4(100 + round)), 0U) << "it is known from here on";
    node.pass(60 * kSecondUs);  // what is wrong of the account's strangers is forgotten
  }
}

TEST(LoginLimits, WhatNobodyLookedAtCostsNothing) {
  Node node;
  for (int i = 0; i < 1000; ++i) {
    const auto [wait_ms, attempt] = node.limits.login(kOwner, kHome, {}, node.now());
    // Work is asked for all the same: of that, an address has 300 tenths at once and ten a second.
    if (wait_ms != 0) node.pass(std::int64_t{wait_ms} * 1000);
    if (wait_ms == 0) node.limits.undecided(attempt);
  }
  for (std::uint32_t i = 0; i < kGuessesOfStrangerFree; ++i) {
    node.pass(kSecondUs);
    ASSERT_EQ(node.guess(kOwner, kHome), 0U) << i;
  }
}

TEST(LoginLimits, OthersGuessesNeverDelayTheOwnerWhereTheyAreKnown) {
  Node node;
  node.limits.registered(kOwner, kHome);
  for (int minute = 0; minute < 10; ++minute) {
    node.attack(60 * kSecondUs, 50);
    EXPECT_EQ(node.login(kOwner, kHome), 0U) << "by its address, minute " << minute;
    EXPECT_EQ(node.login(kOwner, v4(9000 + minute), device_of(kOwner)), 0U)
        << "by its cookie, anywhere";
  }
}

TEST(LoginLimits, AGuesserBesideTheOwnerDelaysItsAddressAndNotItsDevice) {
  Node node;
  node.limits.registered(kOwner, kHome);
  (void)node.guesses_in(3600 * kSecondUs, kOwner, kHome);
  (void)node.guess(kOwner, kHome);
  EXPECT_NE(node.guess(kOwner, kHome), 0U);
  EXPECT_EQ(node.login(kOwner, kHome, device_of(kOwner)), 0U);
}

TEST(LoginLimits, TheOwnerAtANewPlaceWaitsNoLongerThanItIsTold) {
  Node node;
  node.attack(35 * kSecondUs, 50);
  const std::uint32_t wait_ms = node.login(kOwner, kCafe);
  EXPECT_GT(wait_ms, 0U);
  EXPECT_LE(wait_ms, kAccountWaitUsMax / 1000);
  node.attack(std::int64_t{wait_ms} * 1000 / 2, 50);
  EXPECT_LE(node.login(kOwner, kCafe), wait_ms / 2 + 6) << "to ask early costs nothing";
  node.attack(std::int64_t{wait_ms} * 1000 / 2 + 6'000, 5000);
  EXPECT_EQ(node.login(kOwner, kCafe), 0U) << "however many guess meanwhile";
  node.attack(60 * kSecondUs, 50);
  EXPECT_EQ(node.login(kOwner, kCafe), 0U) << "and next time it is known";
}

TEST(LoginLimits, NewAddressesDoNotMakeGuessingAnAccountCheap) {
  Node node;
  int looked_at = 0;
  for (std::uint32_t who = 0; who < 1000; ++who)
    if (node.guess(kOwner, v4(1000 + who)) == 0) ++looked_at;
  EXPECT_EQ(looked_at, static_cast<int>(kGuessesOfAccountFree));
  node.pass(3600 * kSecondUs);
  EXPECT_EQ(node.guess(kOwner, v4(5'000'000)), 0U) << "an hour later nothing is left of it";
}

TEST(LoginLimits, OneAddressThatTriesManyAccountsIsSlowedDownFurtherAndFurther) {
  Node node;
  AccountTag account = 1000;
  int looked_at = 0;
  for (const std::int64_t end_us = node.at_us + 3600 * kSecondUs; node.at_us < end_us;) {
    const std::uint32_t wait_ms = node.guess(account++, kCafe);
    if (wait_ms == 0) ++looked_at;
    node.pass(std::int64_t{wait_ms} * 1000);
  }
  EXPECT_LE(looked_at, 30 + 5 + 3600 / 16 + 1);
  EXPECT_GE(looked_at, 3600 / 16);
  EXPECT_EQ(node.login(kOwner, kHome), 0U) << "another address";
}

TEST(LoginLimits, AnAccountOfOnesOwnDoesNotWashAnAddress) {
  Node node;
  AccountTag account = 1000;
  int looked_at = 0;
  for (const std::int64_t end_us = node.at_us + 3600 * kSecondUs; node.at_us < end_us;) {
    // An account that has never come from here.
    (void)node.login(1'000'000 + account, kCafe);
    const std::uint32_t wait_ms = node.guess(account++, kCafe);
    if (wait_ms == 0) ++looked_at;
    node.pass(std::int64_t{wait_ms} * 1000);
  }
  EXPECT_LE(looked_at, 30 + 5 + 3600 / 16 + 1);
}

TEST(LoginLimits, ARightPasswordIsNoLicenceToLogInWithoutEnd) {
  Node node;
  node.limits.registered(kOwner, kHome);
  for (std::uint32_t i = 0; i < kLoginsPerAccountBurst; ++i)
    ASSERT_EQ(node.login(kOwner, kHome), 0U);
  EXPECT_EQ(node.login(kOwner, kHome), 6000U);
  node.pass(6 * kSecondUs);
  EXPECT_EQ(node.login(kOwner, kHome), 0U);
}

TEST(LoginLimits, ANameThatNobodyHasIsTreatedAsAnyOther) {
  // The table of what is answered must not depend on anything but guesses: there is no call that
  // tells of accounts.
  Node known;
  Node unknown;
  known.limits.registered(kOwner, kHome);
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(known.guess(kOwner, kCafe), unknown.guess(kOwner, kCafe)) << i;
    known.pass(kSecondUs / 2);
    unknown.pass(kSecondUs / 2);
  }
}

TEST(LoginLimits, RegistrationsAreCountedByTheHourAndThoseThatFailedAreNot) {
  Node node({.logins_per_address = 6'000, .registrations_per_address = 4});
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(node.limits.registration(kHome, node.now()), 0U);
    node.limits.not_registered(kHome);
  }
  for (int i = 0; i < 4; ++i) ASSERT_EQ(node.limits.registration(kHome, node.now()), 0U) << i;
  EXPECT_EQ(node.limits.registration(kHome, node.now()), 15U * 60 * 1000);
  EXPECT_EQ(node.limits.registration(kCafe, node.now()), 0U);
  node.pass(15LL * 60 * kSecondUs);
  EXPECT_EQ(node.limits.registration(kHome, node.now()), 0U);
}

TEST(LoginLimits, WithoutALimitOfRegistrationsOnlyTheirWorkIsCounted) {
  Node node({.logins_per_address = 60, .registrations_per_address = 0});
  for (int i = 0; i < 30; ++i) ASSERT_EQ(node.limits.registration(kHome, node.now()), 0U) << i;
  EXPECT_EQ(node.limits.registration(kHome, node.now()), 1000U);
}

TEST(LoginLimits, ARefreshThatIsGoodCostsATenthOfAWrongOne) {
  Node good;
  for (int i = 0; i < 290; ++i) {
    ASSERT_EQ(good.limits.refresh(kHome, good.now()), 0U) << i;
    good.limits.refreshed(kOwner, kHome);
  }
  EXPECT_EQ(good.login(kOwner, kHome), 0U);
  Node wrong;
  for (int i = 0; i < 30; ++i) ASSERT_EQ(wrong.limits.refresh(kHome, wrong.now()), 0U) << i;
  EXPECT_EQ(wrong.limits.refresh(kHome, wrong.now()), 1000U);
}

TEST(LoginLimits, TokensThatWereUsedJustBeforeAreCountedByTheirAccountAndApart) {
  Node node;
  for (std::uint32_t i = 0; i < kLoginsPerAccountBurst; ++i) {
    ASSERT_EQ(node.limits.refresh(v4(100 + i), node.now()), 0U) << i;
    ASSERT_EQ(node.limits.refreshed_again(kOwner, node.now()), 0U) << i;
  }
  EXPECT_EQ(node.limits.refreshed_again(kOwner, node.now()), 60'000U / kLoginsPerAccountPerMinute);
  EXPECT_EQ(node.limits.refreshed_again(kOwner + 1, node.now()), 0U);
  EXPECT_EQ(node.login(kOwner, kHome), 0U) << "the password is not delayed by it";
  EXPECT_EQ(node.limits.login(kOwner, v4(100), {}, node.now()).attempt.from,
            LoginLimits::From::kStranger)
      << "and makes no address known";
}

TEST(LoginLimits, RemembersTheLastAddressesOfAnAccountAndNoMore) {
  Node node;
  for (std::uint32_t i = 0; i <= kKnownAddressesPerAccount; ++i)
    node.limits.registered(kOwner, v4(100 + i));
  const auto from = [&node](std::uint32_t i) {
    return node.limits.login(kOwner, v4(100 + i), {}, node.now()).attempt.from;
  };
  EXPECT_EQ(from(0), LoginLimits::From::kStranger);
  for (std::uint32_t i = 1; i <= kKnownAddressesPerAccount; ++i)
    EXPECT_EQ(from(i), LoginLimits::From::kKnownAddress) << i;
  node.limits.registered(kOwner, v4(101));  // used again: the next newcomer takes another's place
  node.limits.registered(kOwner, v4(200));
  EXPECT_EQ(from(1), LoginLimits::From::kKnownAddress);
  EXPECT_EQ(from(2), LoginLimits::From::kStranger);
}

TEST(LoginLimits, ACookieSpeaksForItsAccountsAlone) {
  Node node;
  const auto from = [&node](const KnownDevice& device) {
    return node.limits.login(kOwner, kHome, device, node.now()).attempt.from;
  };
  EXPECT_EQ(from(device_of(kOwner)), LoginLimits::From::kKnownDevice);
  EXPECT_EQ(from(device_of(kOwner + 1)), LoginLimits::From::kStranger);
}

TEST(LoginLimits, WaitsForItsPasswordWhereItComesFrom) {
  Node node;
  const auto turn = [&node](const KnownDevice& device) {
    return node.limits.login(kOwner, kHome, device, node.now()).attempt.turn();
  };
  EXPECT_EQ(turn({}).cls, PasswordClass::kStranger);
  EXPECT_EQ(turn({}).lane, kHome.limit_key());
  node.limits.registered(kOwner, kHome);
  EXPECT_EQ(turn({}).cls, PasswordClass::kKnown);
  EXPECT_EQ(turn({}).lane, kHome.limit_key());
  EXPECT_EQ(turn(device_of(kOwner)).cls, PasswordClass::kKnown);
  EXPECT_EQ(turn(device_of(kOwner)).lane, kOwner) << "many cookies of an account are one lane";
}

}  // namespace
}  // namespace uproar::gateway
