#pragma once

// Bounds of the gateway: every table that a stranger can fill.

#include <cstddef>
#include <cstdint>

namespace uproar::gateway {

// A connection that came without a token says session.open within this time.
inline constexpr std::int64_t kSessionOpenDeadlineUs = 10'000'000;

// A message of who has no session yet, inflated too: session.open with its token. A token that is longer goes in the
// Authorization header or in ?token=.
inline constexpr std::uint32_t kSessionlessMessageBytesMax = 4 * 1024;

// Messages that are no session.open with a good token, on a connection without one: the last of them closes it. A client
// that tries out what is spoken here needs one or two; each may be 128 KiB.
inline constexpr std::uint32_t kWrongMessagesMax = 5;

// What a connection may say between its token and the store's answer to "who is this": a client that pipelines its
// sync. So many bytes, and as many messages as the domain takes before session.ready (chat::kEarlyMessagesMax). Beyond
// it the connection is closed with `overloaded`.
inline constexpr std::uint32_t kEarlyBytesMax = 64 * 1024;

// --- Logins (login_limits.h) ---

// One argon2id costs about 20 ms of a core. What an address may ask for is counted in tenths of a
// wrong guess: a registration, a wrong refresh or one whose token was used just before costs ten, a
// login or a good refresh one. Of wrong guesses these many are free.
inline constexpr std::uint32_t kLoginsPerAddressBurst = 30;
inline constexpr std::uint32_t kTenths = 10;
// Then an address that guesses passwords of whomever waits 60 s / --logins-per-address for the next
// one and twice as long after each, up to 16 times that: 3.75 a minute, 5,400 a day where the
// setting is 60.
inline constexpr std::int64_t kAddressWaitGrowthMax = 16;

// One account's password, guessed by one device or address: the first are free, then the wait
// doubles from 1 s to a quarter of an hour, which is 96 guesses a day.
inline constexpr std::uint32_t kGuessesOfKnownFree = 10;
inline constexpr std::uint32_t kGuessesOfStrangerFree = 5;
inline constexpr std::int64_t kGuessWaitUsFirst = 1'000'000;
inline constexpr std::int64_t kGuessWaitUsMax = 15LL * 60 * 1'000'000;
// By all addresses that the account does not know together: ten are free and one more every six
// seconds, then each of these addresses waits for itself, up to half a minute: as long as its owner
// at a new place waits while others guess.
inline constexpr std::uint32_t kGuessesOfAccountFree = 10;
inline constexpr std::int64_t kAccountForgetUs = 6'000'000;
inline constexpr std::int64_t kAccountWaitUsMax = 30'000'000;

// Logins of one account with the right password: each leaves a row in the store for a month. 14,400
// a day are 3 MB. Apart from these, as many for refresh tokens that were used just before.
inline constexpr std::uint32_t kLoginsPerAccountBurst = 30;
inline constexpr std::uint32_t kLoginsPerAccountPerMinute = 10;

// Remembered per node, the least recently used is forgotten first. Addresses and accounts: 65,536 *
// about 90 bytes = 6 MiB each. Guessers: 262,144 * about 120 bytes = 30 MiB, so many that somebody
// who waits for half a minute is not pushed out by fewer than 8,700 new addresses a second.
// Addresses that accounts know: 65,536 * about 150 bytes = 9 MiB.
inline constexpr std::uint32_t kLoginBucketsMax = 65'536;
inline constexpr std::uint32_t kGuessersMax = 262'144;
inline constexpr std::uint32_t kKnownAccountsMax = 65'536;
inline constexpr std::uint32_t kKnownAddressesPerAccount = 8;

// The device cookie: 8 accounts are 182 characters. Half a year, from the last login of each.
inline constexpr std::size_t kDeviceAccountsMax = 8;
inline constexpr std::uint32_t kDeviceKnownDays = 180;

// Passwords that wait for their hashing, per node (password_queue.h): 128 logins of each class and
// 64 registrations, half of them of one lane; 320 * 20 ms on two threads are 3 s at most, and those
// of known places are never behind more than 128.
inline constexpr std::size_t kLoginsWaitingMax = 128;
inline constexpr std::size_t kRegistrationsWaitingMax = 64;
inline constexpr std::size_t kPasswordsWaitingMax =
    2 * kLoginsWaitingMax + kRegistrationsWaitingMax;

// When whoever meets a shard, a store or a hashing thread that has too much to do is told to try again, and as much later at
// random: a second is many turns, and who was refused together comes back one by one.
inline constexpr std::uint32_t kBusyRetryMs = 1'000;

// When whoever found no room is told to come back: not before the crowd of this moment is in, and not later than
// somebody would wait. A quarter more at random.
inline constexpr std::uint32_t kReturnMsMin = 500;
inline constexpr std::uint32_t kReturnMsMax = 30'000;

// Single-use tickets: 30 s each; 65,536 * about 100 bytes = 6.5 MiB. At the limit logins answer without a ticket.
inline constexpr std::int64_t kTicketLifeUs = 30'000'000;
inline constexpr std::uint32_t kTicketsMax = 65'536;

// Access tokens live 15 minutes, so a revocation needs to be remembered no longer than that.
inline constexpr std::int64_t kAccessTokenLifeUs = 15LL * 60 * 1'000'000;
inline constexpr std::int64_t kRefreshTokenLifeUs = 30LL * 24 * 3600 * 1'000'000;
// 262,144 * about 60 bytes = 16 MiB per shard; 290 logouts a second for a quarter of an hour. Beyond it the oldest is
// forgotten early, and counted.
inline constexpr std::uint32_t kRevokedMax = 262'144;

// REST requests that wait for an answer, per shard.
inline constexpr std::uint32_t kRequestsWaitingMax = 16'384;

// REST sync answers in one body; the domain bounds its rows (chat::kRequestSyncRowsMax).
inline constexpr std::uint32_t kRestSyncConversationsMax = 50;

// The encoder's buffer is kept up to this size between messages; a page of history may be larger once.
inline constexpr std::uint32_t kScratchBytesMax = 1024 * 1024;

}  // namespace uproar::gateway
