#pragma once

// What passwords, registrations and refreshes may cost an address, and guesses of one account's
// password anybody: on the whole node, the one thing that shards share under a lock. An attempt
// costs 20 ms of argon2id, the lock some microseconds.
//
// Only wrong guesses cost. Whoever comes from where the account has logged in before, a device by
// its cookie or an address by the memory of this node, is counted by that device or address alone:
// what others guess never delays them. Everybody else waits for three things, and longer with each
// wrong guess: for what they guessed of this account, for what all strangers guessed of it, and for
// what their address guessed of whomever. The second of these waits runs from when somebody first
// asked and is told to them: however many guess meanwhile, they are let in after kAccountWaitUsMax.
// Nothing here knows whether an account exists.

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "core/gateway/device_cookie.h"
#include "core/gateway/limits.h"
#include "core/gateway/lru_table.h"
#include "core/gateway/password_worker.h"
#include "core/gateway/rate_buckets.h"
#include "core/gateway/wrong_guesses.h"
#include "core/net/peer_address.h"
#include "proto/base/now.h"

namespace uproar::gateway {

class LoginLimits {
 public:
  struct Options {
    std::uint32_t logins_per_address = 60;          // a minute
    std::uint32_t registrations_per_address = 100;  // an hour; 0: no limit
  };
  enum class From : std::uint8_t { kStranger, kKnownAddress, kKnownDevice };

  // A login that was let in: charged as a wrong guess until one of right() and undecided() says
  // otherwise.
  struct Attempt {
    AccountTag account = 0;
    std::uint64_t address = 0;
    std::uint64_t device = 0;
    From from = From::kStranger;
    // What it was charged.
    struct Charge {
      bool is_counted = false;
      std::int64_t ready_us_before = 0;  // when the next guess was due, and is now
      std::int64_t ready_us = 0;
    };
    Charge own;
    Charge of_address;  // strangers alone
    bool is_counted_of_account = false;

    [[nodiscard]] PasswordTurn turn() const;
  };
  struct Admission {
    std::uint32_t wait_ms = 0;  // 0: go ahead
    Attempt attempt;
  };

  explicit LoginLimits(Options options);

  // Any thread, all of them. What is returned as a number is the milliseconds to wait, 0: go ahead.

  [[nodiscard]] Admission login(AccountTag account, const net::PeerAddress& address,
                                const KnownDevice& device, Now now);
  // The password was right. Not 0: the account logs in too often, this time does not count.
  [[nodiscard]] std::uint32_t right(const Attempt& attempt, Now now);
  // Nobody looked at the password.
  void undecided(const Attempt& attempt);

  [[nodiscard]] std::uint32_t registration(const net::PeerAddress& address, Now now);
  void registered(AccountTag account, const net::PeerAddress& address);
  void not_registered(const net::PeerAddress& address);

  // A refresh is charged as a wrong one until refreshed() says that its token was good.
  [[nodiscard]] std::uint32_t refresh(const net::PeerAddress& address, Now now);
  void refreshed(AccountTag account, const net::PeerAddress& address);
  // Its token had been good until just before: it stays charged, and is a login more of the account.
  // Not 0: there are too many.
  [[nodiscard]] std::uint32_t refreshed_again(AccountTag account, Now now);

 private:
  // Whoever guesses an account's password: an address, or a device that the account knows.
  struct GuesserKey {
    AccountTag account = 0;
    std::uint64_t who = 0;
    bool is_device = false;

    friend bool operator==(const GuesserKey&, const GuesserKey&) = default;
    template <class H>
    friend H AbslHashValue(H state, const GuesserKey& key) {
      return H::combine(std::move(state), key.account, key.who, key.is_device);
    }
  };
  struct Guesser {
    WrongGuesses wrong;
    std::int64_t ready_us = 0;  // monotonic
    bool has_asked = false;
  };
  // The addresses from which an account has logged in, the newest first.
  struct KnownAddresses {
    std::array<std::uint64_t, kKnownAddressesPerAccount> addresses{};
    std::uint32_t count = 0;
  };

  [[nodiscard]] bool is_known(AccountTag account, std::uint64_t address);
  void remember(AccountTag account, std::uint64_t address);
  [[nodiscard]] std::uint32_t wait_of_known(Attempt& attempt, Now now);
  [[nodiscard]] std::uint32_t wait_of_stranger(Attempt& attempt, Now now);
  static Attempt::Charge charge(Guesser& guesser, const GuessPolicy& policy,
                                std::int64_t least_wait_us, Now now);
  static void take_back(Guesser& guesser, const Attempt::Charge& charge);
  void give_back(const Attempt& attempt);

  const GuessPolicy of_address_;
  std::mutex mutex_;  // all below
  RateBuckets by_address_;
  RateBuckets registrations_;
  RateBuckets by_account_;      // logins with the right password
  RateBuckets second_holders_;  // by account: apart, so that no thief of a token delays these
  LruTable<GuesserKey, Guesser> guessers_;
  LruTable<std::uint64_t, Guesser> addresses_;
  LruTable<AccountTag, WrongGuesses> accounts_;
  LruTable<AccountTag, KnownAddresses> known_;
};

}  // namespace uproar::gateway
