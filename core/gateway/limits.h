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

// Login attempts. One argon2id costs about 20 ms of a core: 10 a second from one address would keep a fifth of it busy.
inline constexpr std::uint32_t kLoginsPerAddressBurst = 30;
// Guessing one account's password: 10 at once, then one every six seconds, from wherever.
inline constexpr std::uint32_t kLoginsPerAccountBurst = 10;
inline constexpr std::uint32_t kLoginsPerAccountPerMinute = 10;
// Buckets remembered per shard: 65,536 * 32 bytes = 2 MiB; the oldest is forgotten first, and a full bucket needs no memory.
inline constexpr std::uint32_t kLoginBucketsMax = 65'536;

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
