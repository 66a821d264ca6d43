#pragma once

// Bounds of storage/: unit, arithmetic and what happens at the bound.

#include <cstddef>
#include <cstdint>

namespace uproar::storage {

// One batch = one transaction. A commit with fsync takes 0.2 to 10 ms; at 100,000 rows/s a shard gathers at most
// 1,000 rows in 10 ms, so 1,024 keeps a slow disk busy without a commit that lasts. At the bound: StageResult::kFull.
inline constexpr std::uint32_t kBatchRowsMax = 1024;

// 1,024 ordinary rows of 0.5 KiB are 0.5 MiB; 4 MiB also holds 200 rows at the protocol's largest (16 KiB content +
// 4 KiB attachments). Two batches exist per lane (open, in flight), and a shard has two lanes at most: 16 MiB.
// At the bound: kFull.
inline constexpr std::size_t kBatchBytesMax = std::size_t{4} * 1024 * 1024;
static_assert(kBatchBytesMax / (std::size_t{20} * 1024) >= 200);

// Circuit breaker: 100 ms, doubled after each failed probe, up to 2 s. A client that obeys retries at most 9 times in the
// first 10 s of an outage and every 2 s from then on; with a session that reconnects within 2 s of the database's return
// (storage/postgres/limits.h) everybody is served again within 5 s of it.
inline constexpr std::uint32_t kRetryAfterMsMin = 100;
inline constexpr std::uint32_t kRetryAfterMsMax = 2000;
// Rows that a probe may carry: enough that a first turn's worth of clients is served, few enough to lose.
inline constexpr std::uint32_t kProbeRowsMax = 16;
static_assert(kProbeRowsMax <= kBatchRowsMax);

// Rows of one page whatever the caller asks: 500 rows * 20 KiB = 10 MiB at the very worst, 0.25 MiB as a rule.
inline constexpr std::uint32_t kPageRowsMax = 500;
// Conversations of one list answer; more are cut to this with has_more.
inline constexpr std::uint32_t kListRowsMax = 1000;
// Ids of one find_users or find_companions; a longer list is answered kOverloaded.
inline constexpr std::uint32_t kFindUsersMax = 4096;
// find_companions() looks at so many memberships for each id, in 100 to 200 us, whatever the two
// are members of: at all of the one who asks, where these are no more than kCompanionProbesMax,
// else at the first kCompanionScanMax of the other.
inline constexpr std::uint32_t kCompanionProbesMax = 256;
inline constexpr std::uint32_t kCompanionScanMax = 512;
// Ids of one find_memberships() or find_writers(): all of a sync, or of a list of members. 1,024 looks at an index of 2 us
// each, on a thread that reads. More: kOverloaded.
inline constexpr std::uint32_t kLookedUpMax = 1024;
// Conversations whose last seq is asked for together: more than a shard's attaches (core/chat/limits.h). 1 MiB of ids.
inline constexpr std::uint32_t kFindLastSeqsMax = 65'536;

// Jobs of one take_jobs(): 1,024 * 72 bytes. More are cut.
inline constexpr std::uint32_t kJobsTakenMax = 1024;
// Expired jobs that a commit forgets for each that it adds: more than one, or a backlog would never shrink.
inline constexpr std::uint32_t kJobsForgottenForEach = 2;

// Users of one load_audiences(): 64 * (2,048 conversations + 512 peers) * 40 bytes = 6.5 MB at the very worst, 64 * 1 KB as
// a rule; 15,000 clients who come at once are some 240 queries.
inline constexpr std::uint32_t kAudienceUsersMax = 64;

// Reactions of one message: 512 * (16 + 32 bytes) = 24 KiB of what a page carries for it. Beyond it: kConflict.
inline constexpr std::uint32_t kReactionsPerMessageMax = 512;

// Swapped refresh digests that are remembered for each session, to know a stolen token when it comes back. Older ones
// are refused as unknown, without the alarm. 16 * 64 bytes = 1 KiB a session.
inline constexpr std::uint32_t kSpentDigestsPerSessionMax = 16;
// So long after a swap the digest before it is not taken for stolen: whoever asks again for an answer that was lost, after
// 10 s and a pause of 5 s, has two tries; the copies of a browser tab refresh within the same second. Clocks of nodes may
// be as far apart.
inline constexpr std::int64_t kRefreshGraceUs = 30'000'000;
// Expired sessions of a user are forgotten this long after, whenever that user makes a new one.
inline constexpr std::int64_t kExpiredSessionKeptUs = std::int64_t{7} * 24 * 3600 * 1'000'000;
// Revocations read at start: 1,000,000 * 16 bytes = 16 MiB. Of more, the newest. More than the gateway keeps, so that
// it sees, and counts, what it must forget.
inline constexpr std::uint32_t kRevokedReadMax = 1'000'000;

// The bus. A payload is an encoded event: 16 KiB of content that all needs six-byte escapes, and 4 KiB of attachments,
// are 120 KiB; 256 KiB leaves room. Above it: PublishResult::kTooLarge.
inline constexpr std::size_t kBusPayloadBytesMax = std::size_t{256} * 1024;
inline constexpr std::size_t kBusChannelBytesMax = 256;
// Published and not yet answered by the server, per shard. 100,000 publishes/s of 0.3 KiB to a server that answers
// within 250 ms are 7.5 MiB. At the bound: PublishResult::kFull.
inline constexpr std::size_t kBusOutgoingBytesMax = std::size_t{8} * 1024 * 1024;
static_assert(kBusPayloadBytesMax * 16 <= kBusOutgoingBytesMax);
// Channels whose last publish is in doubt: 16,384 * 100 bytes = 1.6 MiB a shard. Beyond it: on_publish_lost(all).
inline constexpr std::size_t kBusInDoubtChannelsMax = 16384;

// Users of one PresenceStore::read(). A list of 1,000 conversations has some 1,000 peers. More: kOverloaded.
inline constexpr std::size_t kPresenceReadUsersMax = 1024;
// A row that its node does not tell again is forgotten after this: rows of the dead that nobody reads. Rows are told again
// three times as often: 100,000 users of a shard in 300 s are 333 a second.
inline constexpr std::uint32_t kPresenceKeptS = 900;
inline constexpr std::uint32_t kPresenceRefreshS = kPresenceKeptS / 3;

// A node that is not heard of for this long is dead to the others (--node-lease).
inline constexpr std::uint32_t kNodeLeaseMs = 10'000;
// Name and URL of a node: host names have 253 characters.
inline constexpr std::size_t kNodeNameBytesMax = 128;
inline constexpr std::size_t kNodeUrlBytesMax = 512;
inline constexpr std::size_t kNodeKeyBytesMax = 64;
// Nodes that are listed; more are cut. 256 * 1 KiB.
inline constexpr std::size_t kNodesMax = 256;

}  // namespace uproar::storage
