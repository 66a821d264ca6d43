#include "storage/receipt_runs.h"

#include <algorithm>

namespace uproar::storage {
namespace {

// Whoever is first to cover a gap becomes the first, else the second.
void add_reader(ReceiptRuns::Run& run, UserId user, std::int64_t at_us) {
  if (run.is_gap()) {
    run.user = user;
    run.at_us = at_us;
  } else {
    run.second = user;
    run.second_at_us = at_us;
  }
  run.changed = true;
}

}  // namespace

void ReceiptRuns::cover(UserId user, Seq from, Seq upto, std::int64_t at_us, Seq& highest) {
  for (auto next = runs_.upper_bound(from); next != runs_.end() && next->second.from < upto;
       ++next) {
    Run& run = next->second;
    if (run.is_settled() || (!run.is_gap() && run.user == user)) continue;
    // Up to three parts: before the mark's range, in it, after it. Rows are named by their end, so the last part keeps
    // the row and the earlier ones are new.
    if (run.from < from) {
      Run before = run;
      before.changed = true;
      runs_[from] = before;
      run.from = from;
      run.changed = true;
    }
    if (upto < next->first) {
      Run covered = run;
      add_reader(covered, user, at_us);
      runs_[upto] = covered;
      run.from = upto;
      run.changed = true;
    } else {
      add_reader(run, user, at_us);
    }
  }
  if (upto <= highest) return;
  if (from > highest) runs_[from] = {.from = highest, .changed = true};
  runs_[upto] = {.from = std::max(from, highest), .user = user, .at_us = at_us, .changed = true};
  highest = upto;
}

}  // namespace uproar::storage
