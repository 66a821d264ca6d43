#pragma once

// The receipts table: who covered which seqs with a mark, as much of it as a message's status needs.
//
// A message's delivered_at is the time of the first mark that covers it by a member other than its sender. So of all
// members that cover a seq only the first two matter: at most one of them is the sender. The table keeps runs of seqs,
// without gaps from 1 up to the highest mark, each with those two. A run that has both is settled for good: in a room
// of 1,000 readers a message costs two marks' worth of rows, not a thousand.
//
//   seq   1      5  6        9  10   12
//        [ A, B   ][ A       ][ nobody ][ C     ]      <- user_id, second_user_id

#include <cstdint>
#include <vector>

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
  struct Run {
    Seq from = 0;
    Seq upto = 0;
    UserId user;
    std::int64_t at_us = 0;
    bool is_gap = false;
  };
  void insert(ConversationId conversation, chat::MarkKind kind, const Run& run);

  Statement find_highest_;
  Statement find_unsettled_;
  Statement insert_;
  Statement change_;
  Statement shorten_;
  std::vector<Run> unsettled_;  // of one cover(); a member to keep its memory
};

}  // namespace uproar::storage::sqlite
