#pragma once

// The runs of the receipts table that one batch may touch, of one conversation and one kind of mark. What they mean is
// said in docs/decisions/0013-receipts-as-runs.md: runs of seqs without gaps up to the highest mark, each with the first
// two members who covered it. Runs that have both are settled for good, and are neither loaded nor changed.
//
//   seq   1      5  6        9  10   12
//        [ A, B   ][ A       ][ nobody ][ C     ]      <- user, second

#include <cstdint>
#include <map>

#include "proto/chat/vocabulary.h"

namespace uproar::storage {

class ReceiptRuns {
 public:
  struct Run {
    Seq from = 0;   // covers from < seq <= upto
    UserId user{};  // nil: nobody yet
    std::int64_t at_us = 0;
    UserId second{};
    std::int64_t second_at_us = 0;
    bool changed = false;

    [[nodiscard]] bool is_gap() const { return user.is_nil(); }
    [[nodiscard]] bool is_settled() const { return !second.is_nil(); }
  };

  void load(Seq upto, const Run& run) { runs_[upto] = run; }
  // The user's mark moved from `from` to `upto`. `highest` is where the runs end, and moves with them.
  void cover(UserId user, Seq from, Seq upto, std::int64_t at_us, Seq& highest);

  // By upto; those to write are `changed`.
  [[nodiscard]] const std::map<Seq, Run>& runs() const { return runs_; }

 private:
  std::map<Seq, Run> runs_;
};

}  // namespace uproar::storage
