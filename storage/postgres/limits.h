#pragma once

// Bounds of storage/postgres.

#include <cstddef>
#include <cstdint>

namespace uproar::storage::postgres {

// What is asked of the server: client_connection_check_interval, which ends the work of clients that are gone.
inline constexpr int kServerVersionMin = 140000;

// At start: so long another node may take to leave the database before this one is refused, and so often it is asked.
inline constexpr std::uint32_t kClaimWaitMs = 2000;
inline constexpr std::uint32_t kClaimRetryMs = 50;

// Sessions of a shard that commit batches: while a batch waits for the shard, to be judged or to be told of, the
// database works on that of the other lane (docs/decisions/0033).
inline constexpr std::uint32_t kLanes = 2;

// Units (a batch's step, a read, a group of account work) that one connection holds unanswered. One takes 50 us to
// 5 ms; 4,096 are a few seconds of work. Beyond it: kOverloaded.
inline constexpr std::size_t kUnitsWaitingMax = 4096;

// Account work that shares one transaction, hence one sync. Beyond it: the next one.
inline constexpr std::size_t kAccountGroupMax = 64;
// Account work held back while a batch is open; beyond it: kOverloaded.
inline constexpr std::size_t kAccountJobsMax = 4096;

// Users whose last_online waits to be written: 65,536 * 40 bytes = 2.6 MiB for each client. Beyond it the newest are
// dropped: the value is lossy by contract.
inline constexpr std::size_t kLastOnlineMax = 65536;
inline constexpr std::uint32_t kLastOnlineDelayMs = 200;

// How often one batch starts again: a unique key that another node took between our look and our write, a deadlock with
// somebody else's tool, or a row that turned out to break the schema and is left out.
inline constexpr int kBatchAttemptsMax = 8;

// After a retry of what is stored was met by the unique key, so many batches look client ids up first: a quarter of the
// time of a batch of new messages, and less than a batch that starts again.
inline constexpr int kCarefulBatches = 64;

// The server gives up a statement after kStatementTimeoutMs, the client gives up the server when nothing came for
// kAnswerTimeoutMs: later, so that the server's own word comes first.
inline constexpr std::uint32_t kStatementTimeoutMs = 5000;
inline constexpr std::uint32_t kAnswerTimeoutMs = 7000;
static_assert(kAnswerTimeoutMs > kStatementTimeoutMs);
// A node that stops between the two steps of a batch holds the rows of its conversations for this long at most.
inline constexpr std::uint32_t kIdleInTransactionMs = 3000;
// libpq takes whole seconds, and at least two.
inline constexpr std::uint32_t kConnectTimeoutS = 3;

// A side that is silent is asked after kKeepaliveIdleS, and counts as gone after kKeepaliveCount times without an answer
// (by us) or after kPeerGoneMs (by the server, which so ends the sessions of a host that lost its power).
inline constexpr std::uint32_t kKeepaliveIdleS = 10;
inline constexpr std::uint32_t kKeepaliveIntervalS = 5;
inline constexpr std::uint32_t kKeepaliveCount = 3;
inline constexpr std::uint32_t kPeerGoneMs =
    (kKeepaliveIdleS + kKeepaliveCount * kKeepaliveIntervalS) * 1000;

// Reconnecting: doubled after each failure, each wait drawn between half of it and all of it, so that many shards of
// many nodes do not come back in step. The longest, with a connection's set-up, is well below 5 s.
inline constexpr std::uint32_t kReconnectMsMin = 50;
inline constexpr std::uint32_t kReconnectMsMax = 2000;

// While commits fail for other reasons than the connection, the store tries one by itself this often.
inline constexpr std::uint32_t kProbeIntervalMs = 500;
inline constexpr std::size_t kProbeRowBytes = 8192;

// Partitions of messages. A power of two, chosen once: enough for vacuum and index builds of a large table to go piece
// by piece, few enough that a plan over all of them is cheap.
inline constexpr int kMessagePartitions = 16;

}  // namespace uproar::storage::postgres
