#pragma once

// Every bound of the domain, with its arithmetic and what happens at it. All are per shard unless a name says
// otherwise. Values that operators may set are members of ChatLimits; what only relates to them is a constant.

#include <cstddef>
#include <cstdint>

#include "proto/chat/limits.h"

namespace uproar::chat {

inline constexpr std::uint32_t kHeartbeatTimeoutMs = 120'000;  // docs/contract.md, D8; 4208

// What clients are advised: two heartbeats to a timeout and a fifth of it to spare. 48 s of 120 stay below the 60 s after
// which proxies commonly close what is silent (nginx proxy_read_timeout), and wake the server and the radio of a phone
// least.
constexpr std::uint32_t heartbeat_interval_ms_of(std::uint32_t timeout_ms) {
  return static_cast<std::uint32_t>(std::uint64_t{timeout_ms} * 2 / 5);
}

// --message-mb-per-day in pages of command_cost.h: 4,096 of 256 bytes.
constexpr std::uint32_t stored_pages_of_mb(std::uint32_t mb) {
  return mb * 4'096;
}

struct ChatLimits {
  // --- what a command may carry (the decoder refuses the same; too_large or invalid_field) ---
  std::uint32_t content_bytes_max = kContentBytesMax;
  std::uint32_t event_bytes_max = kEventDataBytesMax;
  // Whole WebSocket message; said in session.ready.
  std::uint32_t message_bytes_max = kMessageBytesMax;
  // Per conversation; 64 bytes each at the owner: 640 KB. conflict.
  std::uint32_t members_max = 10'000;
  std::uint32_t history_limit_max = kHistoryLimitMax;  // rows of one page; more asked: clamped
  std::uint32_t sync_conversations_max = kSyncConversationsMax;  // cursors of one sync. too_large
  // presence.subscribe per connection. too_large.
  std::uint32_t presence_watch_max = kPresenceListMax;
  // Who is online is told to everybody who asks; else to whom shares a conversation with them.
  bool presence_is_public = false;
  std::uint32_t heartbeat_interval_ms =
      heartbeat_interval_ms_of(kHeartbeatTimeoutMs);  // advised in session.ready

  // --- rates (GCRA buckets; above: rate_limited with retry_after_ms, and 4202 for who does not stop) ---
  std::uint32_t commands_per_s = 100;
  std::uint32_t commands_burst = 400;  // a reconnecting client asks for much at once
  std::uint32_t bytes_per_s = 256 * 1024;
  std::uint32_t bytes_burst = 1024 * 1024;  // 16 messages of the largest size
  // Of a user at this node, by day; 0: no limit (user_shares.h). rate_limited; too_large for more at
  // once than a day's.
  std::uint32_t conversations_per_day = 0;
  std::uint32_t first_contacts_per_day = 0;
  std::uint32_t stored_pages_per_day = 0;
  std::uint32_t connections_per_user_max = 20;  // all shards; the newest is closed with 4009

  // --- tables ---
  std::uint32_t sessions_max = 300'000;  // ~136 bytes each: 41 MB. Above: closed, 4200
  // Hot ones at their owner; the idle ones are forgotten first. All busy: overloaded.
  std::uint32_t conversations_max = 50'000;
  // Conversations that others have put a session's user in since it began, and in which the user
  // has done nothing on it: so many of them it hears. Above: not live, and told so.
  std::uint32_t joined_live_max = 1'024;
  // Conversations that a session is to look at when live traffic is released. Above: it looks at
  // all of its user's, which is one read.
  std::uint32_t early_checks_max = 64;
  std::uint32_t page_rows_max = 100;  // of a sync page; page_bytes_max cuts it shorter
  // Of any page; a row may exceed it: at least one is sent.
  std::uint32_t page_bytes_max = 64 * 1024;
  std::uint32_t recent_rows_max = 64;  // newest rows kept per hot conversation
  // Newest messages kept for resume; the least used go first.
  std::uint64_t recent_bytes_max = 64ULL << 20;

  // Not a limit: behind each entry the shard looks whether what has to hold does
  // (check_invariants()), and aborts where it does not. For tests and the simulator: the look goes
  // over everything that there is.
  bool checks_invariants = false;
};

// --- session ---
// Deadlines are kept in buckets of a second and run early rather than late: closed 119 to 120 s
// after the last frame. No session waits longer than that to be looked at: the wheel is no larger.
inline constexpr std::uint32_t kSessionBuckets = kHeartbeatTimeoutMs / 1'000 + 2;
static_assert(kHeartbeatTimeoutMs % 1'000 == 0 &&
              ChatLimits().heartbeat_interval_ms * 2 + 1'000 < kHeartbeatTimeoutMs);
// Sessions that are told of their end, or ended, in a turn. Where a backend lets all its tokens end
// at once the others wait for the next one, behind what is said meanwhile.
inline constexpr std::uint32_t kSessionsDueMax = 256;
// session.expiring comes so long before the token's exp, at half of what is left where that is
// later. A client has to ask for a token, over a bad line, perhaps twice.
inline constexpr std::uint32_t kExpiringS = 60;
static_assert(kExpiringS <= 255, "Session::warns_s");
// A session outlives the exp of its token by so much: a session.refresh on its way is not late.
// Then closed, 4101.
inline constexpr std::uint32_t kExpiryLeewayS = 5;
// Live traffic waits for a first sync that may follow.
inline constexpr std::uint32_t kHoldMs = 250;
inline constexpr std::uint32_t kHoldResumeMs = 10'000;  // the same when a sync was announced
// Cursors stay good as long as history: a week is promised.
inline constexpr std::uint32_t kResumeWindowS = 7 * 24 * 3600;
// Before session.ready a client may say so much: what it pipelines behind its token. The first commands run after
// session.ready, in their order, and the rest is refused there, `overloaded`; above the bound of all: closed, 4200.
// Commands are large, 32 * 128 KiB, but bytes_burst bounds them; a refusal is about 100 bytes.
inline constexpr std::size_t kEarlyCommandsMax = 32;
inline constexpr std::size_t kEarlyMessagesMax = 128;
// Leavings that a session is told of while its audience is read, 16 bytes each. Above: it is read again.
inline constexpr std::size_t kEarlyLeavingsMax = 1'024;
// Refusals in a row before the connection is closed.
inline constexpr std::uint32_t kRateStrikesMax = 200;
// REST: users whose rate is kept, ~50 bytes each: 3 MB. Above: the eighth that has used least is forgotten.
inline constexpr std::size_t kRequestBucketsMax = 65'536;
inline constexpr std::size_t kRequestBucketsSweptAbove = 1'024;

// What a session hears from its start: first those in which its user has done something, then the most recently active
// ones. A conversation beyond the bound is not live until it is named in a sync.
inline constexpr std::uint32_t kAudienceConversationsMax = 2048;
inline constexpr std::uint32_t kAudiencePeersMax = 512;
// Reads of audiences under way, each of up to storage::kAudienceUsersMax sessions; the others wait for the next.
inline constexpr std::uint32_t kAudienceLoadsInFlightMax = 2;
// Reads that are not full, at a steady pace and at once: in a storm of 2,000 sessions a second each is for 20 of them, who
// wait up to 10 ms.
inline constexpr std::uint32_t kAudienceLoadsPerS = 100;
inline constexpr std::uint32_t kAudienceLoadsBurst = 32;
// Peers of groups up to this size see each other online.
inline constexpr std::uint32_t kSmallGroupMembersMax = 32;
// What a session hears in all, which is what core/net allows a connection. From the start, by joinings of others and by
// presence.subscribe it may be 3,840; the rest is for what the session asks for. Above: not live, or refused.
inline constexpr std::uint32_t kSessionTopicsMax = 4'096;
static_assert(kAudienceConversationsMax + kAudiencePeersMax + ChatLimits().joined_live_max +
                  kPresenceListMax + 256 <=
              kSessionTopicsMax);
// Joinings by others that a session is told of; a joining costs its reader 400 bytes and its owner a page. Above: not
// live. An import puts somebody into hundreds of groups at once, nobody into dozens every second.
inline constexpr std::uint32_t kJoiningsPerS = 32;
inline constexpr std::uint32_t kJoiningsBurst = 256;
// A session is told once in so long what is not live, so many by their ids: 1.3 KB a second.
inline constexpr std::uint32_t kNotLiveMs = 1'000;
inline constexpr std::size_t kNotLiveNamedMax = 32;
// Distinct topics with a local subscriber, about 40 bytes each: 40 MB. Above: the session is closed, 4200.
inline constexpr std::uint32_t kTopicsMax = 1'000'000;
// presence.get and snapshots under way; above: overloaded.
inline constexpr std::uint32_t kPresenceQueriesMax = 4096;

// --- a user's share (user_shares.h) ---
// From so many units on a command is charged to its user as well.
inline constexpr std::uint32_t kSharedCostMin = 8;
// A user's large commands together may cost as much as those of so many connections a second, and
// at once what one has.
inline constexpr std::uint32_t kUserConnectionsWorth = 4;
// So long a session waits for the share of its user; then it is refused: rate_limited.
inline constexpr std::int64_t kShareWaitUsMax = 5'000'000;
// Commands that wait for the answer, of the whole shard: 16 KB each with a list of 1,000 ids,
// 64 MB; a session that has just begun has what it said behind it there as well, which its own
// bounds hold (kEarlyCommandsMax). Above: overloaded.
inline constexpr std::size_t kSharesAskedMax = 4'096;
// What a session may store is asked for in lots of so many pages: 256 KiB.
inline constexpr std::uint32_t kStoredLotPages = 1'024;
// Users whose shares are kept, ~80 bytes each, and of those who begin conversations up to 32 of 24
// bytes more: 5 to 55 MB. Above: the eighth that has used least is forgotten.
inline constexpr std::size_t kSharesMax = 65'536;
inline constexpr std::size_t kSharesSweptAbove = 1'024;
inline constexpr std::size_t kBegunKept = 32;
// Reads of who is a first contact, 16 KB each with a list of 1,000 ids; above: overloaded.
inline constexpr std::uint32_t kShareReadsInFlightMax = 1'024;

// --- sync ---
inline constexpr std::uint32_t kSyncWindow = 4;  // conversations paged at a time per hearer
// Above it no further page is asked for until on_drained(). In the worst case the window arrives on top:
// 128 KiB + 4 * (64 + 16 KiB) = 448 KiB per hearer.
inline constexpr std::uint64_t kSyncEgressBytesMax = 128ULL * 1024;
// A paused one looks again, should no on_drained() come.
inline constexpr std::uint32_t kSyncRetryMs = 50;
// A whole sync and what was joined meanwhile. Above: not live.
inline constexpr std::uint32_t kSyncQueueMax = kSyncConversationsMax + ChatLimits().joined_live_max;
// Conversations of a session that wait to be synced again, ~40 bytes each. Above: closed, 4200. Of those that it did not
// ask for half as many, others may be told anew as joined.
inline constexpr std::size_t kSilentMax = 2 * std::size_t{kSyncConversationsMax};
// News of a joining come by the user's shard, those of the leaving directly: the older may be later, by as much as a shard
// stands still. So long, and of so many conversations, is a leaving remembered.
inline constexpr std::int64_t kLeavingKeptUs = 60'000'000;
inline constexpr std::size_t kLeavingsKeptMax = 64;
// What one sync or unread.fetch may read, in units of command_cost.h, at once and a second: some
// 12,000 rows, then 6,000 a second. The rest waits, so that the reads of others do not.
inline constexpr std::uint32_t kPullUnitsBurst = 600;
inline constexpr std::uint32_t kPullUnitsPerS = 300;
// Told to the share of the user when there are so many, and at the end.
inline constexpr std::uint32_t kPullUnitsTold = 64;
// Hearers with a sync under way; above: overloaded.
inline constexpr std::uint32_t kPullersMax = 20'000;
// REST: rows of one answer; the rest is has_more.
inline constexpr std::uint32_t kRequestSyncRowsMax = 500;
// Reads of one attach that end behind a busy conversation; then refused: overloaded.
inline constexpr std::uint32_t kAttachRoundsMax = 64;
// Session::unread_puller while the store is asked which conversations have unread messages.
inline constexpr std::uint32_t kUnreadAsked = 0xFFFFFFFF;
inline constexpr std::uint32_t kUnreadConversationsMax = 100;

// --- conversation ---
// Forgetting happens between turns; within one the table may stand this much above its bound.
inline constexpr std::uint32_t kConversationSlack = 1'024;
// Commands that wait for a load, a membership change or room in the log, of the whole shard: one
// each of 65,536 sessions that join at once, ~450 bytes each, 30 MB; with what they say, so many
// bytes. Above: overloaded.
inline constexpr std::size_t kParkedMax = 65'536;
inline constexpr std::size_t kParkedBytesMax = 128ULL << 20;
// From so many on, or where a load waits for its turn or the log has no room, whoever says more is
// not read until it has run.
inline constexpr std::size_t kParkedCrowd = 1'024;
// So long, at most, and then it is refused: overloaded. A batch of 1,024 rows takes milliseconds,
// changes of members of one conversation that are no joins have a commit each.
inline constexpr std::uint32_t kParkedWaitMs = 10'000;
// Operations of one change of members that are staged at a time: a batch has room for others, and what is told of them is
// done in a turn of a millisecond.
inline constexpr std::uint32_t kChangeSliceRows = 64;
// Conversations without room that are passed over for others, each time that there is some.
inline constexpr std::size_t kRoomLooksMax = 64;
inline constexpr std::uint32_t kReadsInFlightMax = 256;       // history; above: overloaded
inline constexpr std::uint32_t kAttachReadsInFlightMax = 64;  // attaches wait their turn
inline constexpr std::uint32_t kLoadsInFlightMax = 1024;      // cold conversations; the others wait
// Under way at this owner; above: refused, overloaded.
inline constexpr std::uint32_t kAttachesMax = 40'000;
// Staged operations whose outcome is awaited; overloaded.
inline constexpr std::size_t kPendingMax = 65'536;
inline constexpr std::uint32_t kTypersMax = 32;  // per conversation; further ones are not shown
inline constexpr std::uint32_t kTypingMs = 6'000;
// Above: marks are stored, not published: one message to n people would cost n * n receipts.
inline constexpr std::uint32_t kReceiptFanoutMembersMax = 256;
// Per conversation: one a member and kind; overloaded.
inline constexpr std::size_t kWaitingMarksMax = 1'024;
// Requests that one waiting mark answers; overloaded.
inline constexpr std::size_t kMarkRepliesMax = 8;
// Larger conversations come without their members.
inline constexpr std::uint32_t kMembersShownMax = 32;
// After a failed commit the conversation is read again before it takes writes. The longest wait and that of a session for its
// database (2 s, storage/postgres/limits.h) are together below the 5 s within which an outage is to be over.
inline constexpr std::uint32_t kVerifyBackoffMinMs = 100;
inline constexpr std::uint32_t kVerifyBackoffMaxMs = 2'000;
// Reads in a row, 0.1 to 0.4 s apart, that are older than a change which is known here; then the store is believed. One that
// began before the change is followed by one that sees it. What it never sees was lost with the database, or never
// was: a node said so by mistake.
inline constexpr std::uint32_t kOldLoadsMax = 4;

// --- several nodes ---
// A hole waits so long for what other nodes have published and is on its way, then the store is read. A commit is
// published right after its answer; two nodes' publishes cross within a round trip of the bus.
inline constexpr std::uint32_t kRepairGraceMs = 10;
// Whole pages in a row that bring nothing although something waits for its turn; then it is dropped: the bus lied.
inline constexpr std::uint32_t kRepairTriesMax = 3;
// Events that came before their turn, a conversation: a repair brings those that are dropped. ~400 bytes each and their
// payload.
inline constexpr std::size_t kHeldMax = 64;
inline constexpr std::size_t kHeldBytesMax = 16ULL << 20;  // payloads, all of the shard
// Conversations that are compared with the store at a time, after a gap. One state read each.
inline constexpr std::uint32_t kLooksInFlightMax = 32;
// Joinings that are looked up at a time; the others wait.
inline constexpr std::uint32_t kAudienceLooksInFlightMax = 16;
// Of all sessions, ~50 bytes each. Above: the session looks at all of its user's conversations.
inline constexpr std::size_t kAudienceLooksMax = 65'536;
inline constexpr std::uint32_t kAudienceLookRetryMs = 1'000;  // when the store cannot be read
// Who is not a member by what was read within this time is refused; by what is older, the store is asked again: the
// joining may have been another node's.
inline constexpr std::uint32_t kMembersTrustedMs = 1'000;
// Reads in a row of a conversation that what is parked waits for, as each was under way when somebody else asked. Then it
// goes on with what is known, some reads old, which is less than kMembersTrustedMs.
inline constexpr std::uint32_t kBlockingLooksMax = 4;
// When the presence store could not be read.
inline constexpr std::uint32_t kPresenceReadRetryMs = 1'000;

// Users who have left a conversation, of whose presence the store is asked at a time who may still
// know it; the others wait. Each user once, who is watched or connected here: ~50 bytes and 12 for
// each device. Reads of so many pairs, 100 us each, so many pairs a second and at once: whoever
// comes and goes without end keeps the store busy for a 20th of the time.
inline constexpr std::uint32_t kPresenceReviewsInFlightMax = 1;
inline constexpr std::size_t kPresenceReviewPairsMax = 128;
inline constexpr std::uint32_t kPresenceReviewPairsPerS = 500;
inline constexpr std::uint32_t kPresenceReviewPairsBurst = 4'096;
inline constexpr std::uint32_t kPresenceReviewRetryMs = 1'000;  // when the store cannot be read

// --- user ---
// Changes of one user within it are one update.
inline constexpr std::uint32_t kPresenceTickMs = 100;
// Updates of one tick; the others wait for the next: a dead node's 20,000 users are told in a second.
inline constexpr std::size_t kPresenceUpdatesPerTickMax = 2'000;
// After an unclean end, so that a reconnect does not flicker; never beyond the heartbeat timeout.
inline constexpr std::uint32_t kOfflineGraceMs = 10'000;
// retry_after_ms of what is answered overloaded.
inline constexpr std::uint32_t kOverloadedRetryMs = 1'000;

}  // namespace uproar::chat
