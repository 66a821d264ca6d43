#pragma once

// Every statement that the shards' connections run, prepared once for each. The writing set works with columns of rows
// (unnest), so that a batch costs a handful of statements whatever its size.

#include <cstdint>
#include <span>

namespace uproar::storage::postgres {

// In the order of their texts in write_statements.cc.
enum class Write : std::uint8_t {
  // First step of a batch: lock, then look.
  kBegin,
  kLockConversations,
  kFindMembers,
  kFindUsers,
  kFindFirstAttempts,
  kFindMessageIds,
  kFindTargets,
  kFindReactions,
  kFindNumbers,
  kFindReceipts,
  // Second step: write what was judged.
  kInsertConversations,
  kPutMembers,
  kDeleteMembers,
  kSetMarks,
  kInsertMessages,
  kInsertSystemRows,
  kInsertEvents,
  kChangeMessages,
  kDeleteReactionsOf,
  kDeleteReactions,
  kInsertReactions,
  kPutReceipts,
  kUpdateConversations,
  kPutJobs,
  kForgetJobs,
  kCommit,
  kRollback,
  // Accounts, each a transaction or a part of one.
  kCreateUser,
  kEnsureUser,
  kGetUser,
  kSetLastOnline,
  kForgetSessions,
  kCreateSession,
  kLockDigest,
  kRotateSession,
  kRevokeSession,
  kTakeJobs,
  kFinishJobs,
  kProbeSettings,
  kProbeRoom,
  kProbe,
  kCount
};

// In the order of their texts in read_statements.cc.
enum class Read : std::uint8_t {
  kConversation,
  kLastSeqs,
  kMembers,
  kPageBefore,
  kPageAfter,
  kPageChanged,
  kLogRows,
  kLogEvents,
  kUserByName,
  kUsers,
  kCompanions,
  kRevoked,
  kAudiences,
  kPeers,
  kListViews,
  kListMembers,
  kView,
  kUnreadViews,
  kMemberships,
  kWriters,
  kNodesAtWork,
  kCount
};

// By number. A connection prepares one of the two sets; the name of a statement is its number.
[[nodiscard]] std::span<const char* const> write_statements();
[[nodiscard]] std::span<const char* const> read_statements();

}  // namespace uproar::storage::postgres
