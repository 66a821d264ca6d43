#include "storage/log_page.h"

#include <algorithm>
#include <utility>

#include "storage/limits.h"

namespace uproar::storage {
namespace {

// What an entry takes in memory, about.
std::size_t entry_bytes(const LogEntry& entry) {
  if (const auto* row = std::get_if<chat::Message>(&entry.what)) return row_bytes(*row);
  return sizeof(LogEntry) + std::get<LoggedEvent>(entry.what).content.size();
}

}  // namespace

LogPageBuilder::LogPageBuilder(const LogQuery& query)
    : limit_(std::clamp<std::uint32_t>(query.limit, 1, kPageRowsMax)), bytes_(query.bytes_max) {}

bool LogPageBuilder::take(LogEntry entry) {
  if (page_.entries.size() == limit_ || !bytes_.take(entry_bytes(entry))) {
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
