#pragma once

// The newest rows of a hot conversation as they stand now, kept up to date by commits: what resume needs most, without
// asking the store, and what is still shown while the store is down.
//
// Invariant: every row of the conversation whose version is above complete_after() is here. So pages of changes after
// a cursor at or above it are exact.

#include <cstdint>
#include <deque>
#include <vector>

#include "proto/chat/vocabulary.h"
#include "storage/history.h"
#include "storage/page_bytes.h"

namespace uproar::chat {

class RecentRows {
 public:
  [[nodiscard]] Seq complete_after() const { return complete_after_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  // Counts what changed rows that are not here, perhaps, or forgot all: a page that was read before is not warm() any more.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

  // Forgets everything: complete from `seq` on.
  void reset(Seq seq);
  // Rows with a version above `bound`, from the store: now they are here, too. REQUIRES: nothing has changed since the read
  // began (complete_after() and changes()), which saw all versions from `bound` to complete_after().
  void warm(Seq bound, std::vector<Message> rows);
  // A new row; its version is above all others.
  void push(Message row, std::uint32_t rows_max);
  // Rows changed by later events. A row that is not here makes everything before the event incomplete.
  void edit(Seq message_seq, Seq version, std::string_view content, std::int64_t at_us);
  void erase_content(Seq message_seq, Seq version, std::int64_t at_us);
  void react(Seq message_seq, Seq version, const Reaction& reaction, bool add);
  // First marks by another member, as the store keeps them: rows above the mark that stood before, up to `upto`.
  void mark(UserId user, Seq delivered_before, Seq read_before, bool is_seen, Seq upto,
            std::int64_t at_us);

  // Rows with version > bound and seq > floor, by version, at most `limit`. REQUIRES: bound >= complete_after().
  [[nodiscard]] storage::Page changed_after(Seq bound, Seq floor, std::uint32_t limit,
                                            Seq last_seq) const;
  // What there is of a page of history: it may lack older rows.
  [[nodiscard]] storage::Page page(const storage::PageQuery& query) const;

 private:
  Message* find(Seq seq);
  Message* changed(Seq message_seq, Seq version);

  std::vector<Message> rows_;  // by version; at most ChatLimits::recent_rows_max
  Seq complete_after_ = 0;
  std::uint64_t changes_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace uproar::chat
