#pragma once

// The receipts table: who covered which seqs with a mark, as runs (storage/receipt_runs.h).

#include <cstdint>

#include "proto/chat/vocabulary.h"
#include "storage/sqlite/database.h"

namespace uproar::storage::sqlite {

class Receipts {
 public:
  explicit Receipts(Database& database);

  // The user's mark moved from `from` to `upto`; it covers from < seq <= upto. Inside a transaction.
  void cover(ConversationId conversation, chat::MarkKind kind, UserId user, Seq from, Seq upto,
             std::int64_t at_us);

 private:
  Statement find_highest_;
  Statement find_unsettled_;
  Statement put_;
};

}  // namespace uproar::storage::sqlite
