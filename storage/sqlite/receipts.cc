#include "storage/sqlite/receipts.h"

#include <optional>

#include "storage/receipt_runs.h"

namespace uproar::storage::sqlite {
namespace {

std::optional<UserId> if_any(UserId user) {
  return user.is_nil() ? std::nullopt : std::optional(user);
}

}  // namespace

Receipts::Receipts(Database& database)
    : find_highest_(database,
                    "SELECT upto_seq FROM receipts WHERE conversation_id=?1 AND kind=?2 ORDER BY "
                    "upto_seq DESC LIMIT 1"),
      find_unsettled_(
          database,
          "SELECT from_seq, upto_seq, user_id, at FROM receipts"
          " WHERE conversation_id=?1 AND kind=?2 AND upto_seq>?3 AND second_user_id IS NULL"
          " ORDER BY upto_seq"),
      put_(database,
           "INSERT INTO receipts(conversation_id, kind, upto_seq, from_seq, user_id, at,"
           " second_user_id, second_at) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)"
           " ON CONFLICT(conversation_id, kind, upto_seq) DO UPDATE SET from_seq=excluded.from_seq,"
           " user_id=excluded.user_id, at=excluded.at, second_user_id=excluded.second_user_id,"
           " second_at=excluded.second_at") {}

void Receipts::cover(ConversationId conversation, chat::MarkKind kind, UserId user, Seq from,
                     Seq upto, std::int64_t at_us) {
  Seq highest = 0;
  {
    Rows rows = find_highest_.query(conversation, kind);
    if (rows.next()) highest = rows.u64(0);
  }
  ReceiptRuns runs;
  if (from < highest) {
    Rows rows = find_unsettled_.query(conversation, kind, from);
    while (rows.next() && rows.u64(0) < upto)
      runs.load(rows.u64(1),
                {.from = rows.u64(0), .user = rows.id<UserId>(2), .at_us = rows.i64(3)});
  }
  runs.cover(user, from, upto, at_us, highest);
  for (const auto& [run_upto, run] : runs.runs()) {
    if (!run.changed) continue;
    put_.run(conversation, kind, run_upto, run.from, if_any(run.user),
             run.is_gap() ? std::nullopt : std::optional(run.at_us), if_any(run.second),
             run.is_settled() ? std::optional(run.second_at_us) : std::nullopt);
  }
}

}  // namespace uproar::storage::sqlite
