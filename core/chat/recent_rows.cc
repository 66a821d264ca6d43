#include "core/chat/recent_rows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/base/check.h"

namespace uproar::chat {

using storage::row_bytes;

void RecentRows::reset(Seq seq) {
  ++changes_;
  rows_.clear();
  rows_.shrink_to_fit();
  bytes_ = 0;
  complete_after_ = seq;
}

void RecentRows::warm(Seq bound, std::vector<Message> rows) {
  std::erase_if(rows, [&](const Message& row) { return row.version > complete_after_; });
  for (const Message& row : rows) bytes_ += row_bytes(row);
  rows_.insert(rows_.begin(), std::make_move_iterator(rows.begin()),
               std::make_move_iterator(rows.end()));
  complete_after_ = bound;
}

void RecentRows::push(Message row, std::uint32_t rows_max) {
  UPROAR_DCHECK(rows_.empty() || rows_.back().version < row.version, row.version);
  bytes_ += row_bytes(row);
  rows_.push_back(std::move(row));
  if (rows_.size() <= rows_max) return;
  complete_after_ = rows_.front().version;
  bytes_ -= row_bytes(rows_.front());
  rows_.erase(rows_.begin());
}

Message* RecentRows::find(Seq seq) {
  for (Message& row : rows_) {
    if (row.seq == seq) return &row;
  }
  return nullptr;
}

// Moves the row to the end with its new version; null, and forgets what was, when it is not here.
Message* RecentRows::changed(Seq message_seq, Seq version) {
  Message* row = find(message_seq);
  if (row == nullptr) {
    reset(version);
    return nullptr;
  }
  const auto at = rows_.begin() + (row - rows_.data());
  std::rotate(at, at + 1, rows_.end());
  rows_.back().version = version;
  return &rows_.back();
}

void RecentRows::edit(Seq message_seq, Seq version, std::string_view content, std::int64_t at_us) {
  Message* row = changed(message_seq, version);
  if (row == nullptr) return;
  bytes_ -= row_bytes(*row);
  row->content = content;
  row->edited_at_us = at_us;
  bytes_ += row_bytes(*row);
}

void RecentRows::erase_content(Seq message_seq, Seq version, std::int64_t at_us) {
  Message* row = changed(message_seq, version);
  if (row == nullptr) return;
  bytes_ -= row_bytes(*row);
  row->deleted_at_us = at_us;
  row->content.clear();
  row->attachments.clear();
  row->mentions.clear();
  row->reactions.clear();
  bytes_ += row_bytes(*row);
}

void RecentRows::react(Seq message_seq, Seq version, const Reaction& reaction, bool add) {
  Message* row = changed(message_seq, version);
  if (row == nullptr) return;
  bytes_ -= row_bytes(*row);
  if (add) {
    row->reactions.push_back(reaction);
  } else {
    std::erase(row->reactions, reaction);
  }
  bytes_ += row_bytes(*row);
}

void RecentRows::mark(UserId user, Seq delivered_before, Seq read_before, bool is_seen, Seq upto,
                      std::int64_t at_us) {
  ++changes_;
  for (Message& row : rows_) {
    if (row.seq > upto || row.sender == user || row.system != SystemEvent::kNone) continue;
    if (row.seq > delivered_before && row.delivered_at_us == 0) row.delivered_at_us = at_us;
    if (is_seen && row.seq > read_before && row.seen_at_us == 0) row.seen_at_us = at_us;
  }
}

storage::Page RecentRows::changed_after(Seq bound, Seq floor, std::uint32_t limit,
                                        Seq last_seq) const {
  UPROAR_CHECK(bound >= complete_after_, bound, complete_after_);
  storage::Page page;
  for (const Message& row : rows_) {
    if (row.version <= bound || row.seq <= floor) continue;
    if (page.messages.size() == limit) {
      page.has_more = true;
      break;
    }
    page.messages.push_back(row);
  }
  page.upto_seq = page.has_more ? page.messages.back().version : last_seq;
  return page;
}

storage::Page RecentRows::page(const storage::PageQuery& query) const {
  using Order = storage::PageQuery::Order;
  storage::Page page;
  for (const Message& row : rows_) {
    const bool is_wanted = query.order == Order::kAfter ? row.seq > query.bound
                                                        : query.bound == 0 || row.seq < query.bound;
    if (is_wanted && row.seq > query.seq_floor) page.messages.push_back(row);
  }
  std::sort(page.messages.begin(), page.messages.end(),
            [](const Message& a, const Message& b) { return a.seq < b.seq; });
  page.has_more = true;  // nobody knows
  if (page.messages.size() > query.limit) {
    if (query.order == Order::kAfter) {
      page.messages.resize(query.limit);
    } else {
      page.messages.erase(page.messages.begin(),
                          page.messages.end() - static_cast<std::ptrdiff_t>(query.limit));
    }
  }
  return page;
}

}  // namespace uproar::chat
