#include "storage/sqlite/receipts.h"

#include <algorithm>

namespace uproar::storage::sqlite {

Receipts::Receipts(Database& database)
    : find_highest_(database,
                    "SELECT upto_seq FROM receipts WHERE conversation_id=?1 AND kind=?2 ORDER BY "
                    "upto_seq DESC LIMIT 1"),
      find_unsettled_(
          database,
          "SELECT from_seq, upto_seq, user_id, at FROM receipts"
          " WHERE conversation_id=?1 AND kind=?2 AND upto_seq>?3 AND second_user_id IS NULL"
          " ORDER BY upto_seq"),
      insert_(database,
              "INSERT INTO receipts(conversation_id, kind, from_seq, upto_seq, user_id, at) "
              "VALUES(?1,?2,?3,?4,?5,?6)"),
      // Whoever is first to cover a gap becomes the first, else the second.
      change_(database,
              "UPDATE receipts SET from_seq=?4,"
              " second_user_id=CASE WHEN user_id IS NULL THEN NULL ELSE ?5 END,"
              " second_at=CASE WHEN user_id IS NULL THEN NULL ELSE ?6 END,"
              " user_id=coalesce(user_id, ?5), at=coalesce(at, ?6)"
              " WHERE conversation_id=?1 AND kind=?2 AND upto_seq=?3"),
      shorten_(
          database,
          "UPDATE receipts SET from_seq=?4 WHERE conversation_id=?1 AND kind=?2 AND upto_seq=?3") {}

void Receipts::cover(ConversationId conversation, chat::MarkKind kind, UserId user, Seq from,
                     Seq upto, std::int64_t at_us) {
  Seq highest = 0;
  {
    Rows rows = find_highest_.query(conversation, kind);
    if (rows.next()) highest = rows.u64(0);
  }
  unsettled_.clear();
  if (from < highest) {
    Rows rows = find_unsettled_.query(conversation, kind, from);
    while (rows.next() && rows.u64(0) < upto) {
      unsettled_.push_back({.from = rows.u64(0),
                            .upto = rows.u64(1),
                            .user = rows.id<UserId>(2),
                            .at_us = rows.i64(3),
                            .is_gap = rows.is_null(2)});
    }
  }
  for (const Run& run : unsettled_) {
    if (!run.is_gap && run.user == user) continue;
    // Up to three parts: before the mark's range, in it, after it. Rows are named by their end, so the last part
    // keeps the row and the earlier ones are new.
    if (run.from < from) {
      Run before = run;
      before.upto = from;
      insert(conversation, kind, before);
    }
    const Seq start = std::max(run.from, from);
    const Seq end = std::min(run.upto, upto);
    if (end < run.upto) {
      // The part after the mark keeps the row; the covered part gets one of its own, as it was, and is then changed.
      shorten_.run(conversation, kind, run.upto, end);
      Run covered = run;
      covered.from = start;
      covered.upto = end;
      insert(conversation, kind, covered);
    }
    change_.run(conversation, kind, end, start, user, at_us);
  }
  if (upto <= highest) return;
  if (from > highest) {
    insert(conversation, kind,
           {.from = highest, .upto = from, .user = {}, .at_us = 0, .is_gap = true});
  }
  insert(conversation, kind,
         {.from = std::max(from, highest),
          .upto = upto,
          .user = user,
          .at_us = at_us,
          .is_gap = false});
}

void Receipts::insert(ConversationId conversation, chat::MarkKind kind, const Run& run) {
  if (run.is_gap) {
    insert_.run(conversation, kind, run.from, run.upto, Null(), Null());
  } else {
    insert_.run(conversation, kind, run.from, run.upto, run.user, run.at_us);
  }
}

}  // namespace uproar::storage::sqlite
