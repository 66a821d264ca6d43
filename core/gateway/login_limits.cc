#include "core/gateway/login_limits.h"

#include <algorithm>

#include "core/gateway/limits.h"
#include "proto/base/weakness.h"

namespace uproar::gateway {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;

// Of one account's password, by one device or address that it knows.
constexpr GuessPolicy kOfKnown{.free = kGuessesOfKnownFree,
                               .first_wait_us = kGuessWaitUsFirst,
                               .wait_us_max = kGuessWaitUsMax,
                               .forget_us = kGuessWaitUsMax};
// The same by any other address.
constexpr GuessPolicy kOfStranger{.free = kGuessesOfStrangerFree,
                                  .first_wait_us = kGuessWaitUsFirst,
                                  .wait_us_max = kGuessWaitUsMax,
                                  .forget_us = kGuessWaitUsMax};
// By all other addresses together.
constexpr GuessPolicy kOfAccount{.free = kGuessesOfAccountFree,
                                 .first_wait_us = kGuessWaitUsFirst,
                                 .wait_us_max = kAccountWaitUsMax,
                                 .forget_us = kAccountForgetUs};

// Of all accounts, by one address.
GuessPolicy policy_of_address(std::uint32_t per_minute) {
  const std::int64_t wait_us = kMinuteUs / per_minute;
  return {.free = std::max(kLoginsPerAddressBurst, per_minute / 2),
          .first_wait_us = wait_us,
          .wait_us_max = wait_us * kAddressWaitGrowthMax,
          .forget_us = wait_us * kAddressWaitGrowthMax};
}

std::uint32_t ms_until(std::int64_t ready_us, Now now) {
  const std::int64_t wait_us = std::max<std::int64_t>(ready_us - now.monotonic_us, 0);
  return static_cast<std::uint32_t>((wait_us + 999) / 1000);
}

}  // namespace

PasswordTurn LoginLimits::Attempt::turn() const {
  if (from == From::kKnownDevice) return {.cls = PasswordClass::kKnown, .lane = account};
  return {.cls = from == From::kKnownAddress ? PasswordClass::kKnown : PasswordClass::kStranger,
          .lane = address};
}

LoginLimits::LoginLimits(Options options)
    : of_address_(policy_of_address(options.logins_per_address)),
      by_address_({.burst = of_address_.free * kTenths,
                   .us_per_token = kMinuteUs / options.logins_per_address / kTenths,
                   .buckets_max = kLoginBucketsMax}),
      registrations_({.burst = options.registrations_per_address,
                      .us_per_token = options.registrations_per_address == 0
                                          ? 0
                                          : 60 * kMinuteUs / options.registrations_per_address,
                      .buckets_max = kLoginBucketsMax}),
      by_account_({.burst = kLoginsPerAccountBurst,
                   .us_per_token = kMinuteUs / kLoginsPerAccountPerMinute,
                   .buckets_max = kLoginBucketsMax}),
      second_holders_({.burst = kLoginsPerAccountBurst,
                       .us_per_token = kMinuteUs / kLoginsPerAccountPerMinute,
                       .buckets_max = kLoginBucketsMax}),
      guessers_(kGuessersMax),
      addresses_(kLoginBucketsMax),
      accounts_(kLoginBucketsMax),
      known_(kKnownAccountsMax) {}

bool LoginLimits::is_known(AccountTag account, std::uint64_t address) {
  const KnownAddresses* const known = known_.find(account);
  if (known == nullptr) return false;
  const auto end = known->addresses.begin() + known->count;
  return std::find(known->addresses.begin(), end, address) != end;
}

void LoginLimits::remember(AccountTag account, std::uint64_t address) {
  KnownAddresses& known = known_.at(account);
  const auto end = known.addresses.begin() + known.count;
  auto place = std::find(known.addresses.begin(), end, address);
  if (place == end) {
    if (known.count < known.addresses.size()) ++known.count;
    place = known.addresses.begin() + (known.count - 1);
    *place = address;
  }
  std::rotate(known.addresses.begin(), place, place + 1);
}

LoginLimits::Admission LoginLimits::login(AccountTag account, const net::PeerAddress& address,
                                          const KnownDevice& device, Now now) {
  const std::lock_guard lock(mutex_);
  Admission admission;
  Attempt& attempt = admission.attempt;
  attempt.account = account;
  attempt.address = address.limit_key();
  attempt.device = device.id;
  if (device.knows(account))
    attempt.from = From::kKnownDevice;
  else if (is_known(account, attempt.address))
    attempt.from = From::kKnownAddress;
  if (weakened(Weakness::kGuessingLocksOwner)) {
    admission.wait_ms = by_account_.take(account, now);
    return admission;
  }
  admission.wait_ms = attempt.from == From::kStranger ? wait_of_stranger(attempt, now)
                                                      : wait_of_known(attempt, now);
  return admission;
}

std::uint32_t LoginLimits::wait_of_known(Attempt& attempt, Now now) {
  const bool is_device = attempt.from == From::kKnownDevice;
  Guesser& own = guessers_.at({.account = attempt.account,
                               .who = is_device ? attempt.device : attempt.address,
                               .is_device = is_device});
  own.has_asked = true;
  if (own.ready_us > now.monotonic_us) return ms_until(own.ready_us, now);
  attempt.own = charge(own, kOfKnown, 0, now);
  return 0;
}

std::uint32_t LoginLimits::wait_of_stranger(Attempt& attempt, Now now) {
  Guesser& own =
      guessers_.at({.account = attempt.account, .who = attempt.address, .is_device = false});
  Guesser& address = addresses_.at(attempt.address);
  WrongGuesses& account = accounts_.at(attempt.account);
  if (!own.has_asked) {
    own.has_asked = true;
    own.ready_us = now.monotonic_us + account.wait_us(kOfAccount, now);
  }
  if (const std::int64_t ready_us = std::max(own.ready_us, address.ready_us);
      ready_us > now.monotonic_us)
    return ms_until(ready_us, now);
  if (const std::uint32_t wait_ms = by_address_.take(attempt.address, now); wait_ms != 0)
    return wait_ms;
  attempt.is_counted_of_account = account.add(kOfAccount, now);
  attempt.own = charge(own, kOfStranger, account.wait_us(kOfAccount, now), now);
  attempt.of_address = charge(address, of_address_, 0, now);
  return 0;
}

LoginLimits::Attempt::Charge LoginLimits::charge(Guesser& guesser, const GuessPolicy& policy,
                                                 std::int64_t least_wait_us, Now now) {
  Attempt::Charge charge;
  charge.ready_us_before = guesser.ready_us;
  charge.is_counted = guesser.wrong.add(policy, now);
  guesser.ready_us = now.monotonic_us + std::max(least_wait_us, guesser.wrong.wait_us(policy, now));
  charge.ready_us = guesser.ready_us;
  return charge;
}

void LoginLimits::take_back(Guesser& guesser, const Attempt::Charge& charge) {
  if (charge.is_counted) guesser.wrong.take_back();
  // A wait that a later guess has earned stays.
  if (guesser.ready_us == charge.ready_us) guesser.ready_us = charge.ready_us_before;
}

void LoginLimits::give_back(const Attempt& attempt) {
  const bool is_device = attempt.from == From::kKnownDevice;
  if (Guesser* const own = guessers_.find({.account = attempt.account,
                                           .who = is_device ? attempt.device : attempt.address,
                                           .is_device = is_device}))
    take_back(*own, attempt.own);
  if (attempt.from != From::kStranger) return;
  if (Guesser* const address = addresses_.find(attempt.address))
    take_back(*address, attempt.of_address);
  WrongGuesses* const account = accounts_.find(attempt.account);
  if (account != nullptr && attempt.is_counted_of_account) account->take_back();
}

std::uint32_t LoginLimits::right(const Attempt& attempt, Now now) {
  const std::lock_guard lock(mutex_);
  if (weakened(Weakness::kGuessingLocksOwner)) return 0;
  give_back(attempt);
  const bool is_device = attempt.from == From::kKnownDevice;
  // Whoever knows the password has not been guessing.
  guessers_.erase({.account = attempt.account,
                   .who = is_device ? attempt.device : attempt.address,
                   .is_device = is_device});
  remember(attempt.account, attempt.address);
  return by_account_.take(attempt.account, now);
}

void LoginLimits::undecided(const Attempt& attempt) {
  const std::lock_guard lock(mutex_);
  give_back(attempt);
}

std::uint32_t LoginLimits::registration(const net::PeerAddress& address, Now now) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t key = address.limit_key();
  if (const std::uint32_t wait_ms = registrations_.take(key, now); wait_ms != 0) return wait_ms;
  const std::uint32_t wait_ms = by_address_.take(key, now, kTenths);
  if (wait_ms != 0) registrations_.give_back(key);
  return wait_ms;
}

void LoginLimits::registered(AccountTag account, const net::PeerAddress& address) {
  const std::lock_guard lock(mutex_);
  remember(account, address.limit_key());
}

void LoginLimits::not_registered(const net::PeerAddress& address) {
  const std::lock_guard lock(mutex_);
  registrations_.give_back(address.limit_key());
}

std::uint32_t LoginLimits::refresh(const net::PeerAddress& address, Now now) {
  const std::lock_guard lock(mutex_);
  if (weakened(Weakness::kRefreshFlood)) return 0;
  return by_address_.take(address.limit_key(), now, kTenths);
}

void LoginLimits::refreshed(AccountTag account, const net::PeerAddress& address) {
  const std::lock_guard lock(mutex_);
  by_address_.give_back(address.limit_key(), kTenths - 1);
  remember(account, address.limit_key());
}

std::uint32_t LoginLimits::refreshed_again(AccountTag account, Now now) {
  const std::lock_guard lock(mutex_);
  return second_holders_.take(account, now);
}

}  // namespace uproar::gateway
