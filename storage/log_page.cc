#include "storage/log_page.h"

#include <algorithm>
#include <utility>

#include "storage/limits.h"
#include "storage/page_bytes.h"

namespace uproar::storage {
namespace {

// What an entry takes in memory, about.
std::size_t entry_bytes(const LogEntry& entry) {
  if (const auto* row = std::get_if<chat::Message>(&entry.what)) return row_bytes(*row);
  return sizeof(LogEntry) + std::get<LoggedEvent>(entry.what).content.size();
}

}  // namespace

chat::Message as_sent(chat::Message row, bool is_superseded) {
  row.version = row.seq;
  row.edited_at_us = row.deleted_at_us = row.delivered_at_us = row.seen_at_us = 0;
  row.reactions.clear();
  if (is_superseded) row.content.clear();
  return row;
}

LogPageBuilder::LogPageBuilder(const LogQuery& query)
    : limit_(std::clamp<std::uint32_t>(query.limit, 1, kPageRowsMax)),
      bytes_max_(query.bytes_max) {}

bool LogPageBuilder::take(LogEntry entry) {
  bytes_ += entry_bytes(entry);
  const bool is_first = page_.entries.empty();
  const bool fits = page_.entries.size() < limit_ && (bytes_max_ == 0 || bytes_ <= bytes_max_);
  if (!is_first && !fits) {
    page_.has_more = true;
    return false;
  }
  page_.entries.push_back(std::move(entry));
  return true;
}

LogPage LogPageBuilder::finish(Seq floor, Seq last_seq) && {
  page_.floor = floor;
  page_.last_seq = last_seq;
  return std::move(page_);
}

}  // namespace uproar::storage
