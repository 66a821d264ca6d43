#pragma once

// How large the rows of a page are, and where a page ends that may have no more bytes than
// PageQuery::bytes_max.

#include <cstddef>
#include <vector>

#include "storage/history.h"

namespace uproar::storage {

// What a row takes in memory, about; its reactions included.
[[nodiscard]] inline std::size_t row_bytes(const chat::Message& row) {
  return sizeof(chat::Message) + row.content.size() + row.attachments.size() +
         row.client_id.size() + row.mentions.size() * sizeof(UserId) +
         row.reactions.size() * sizeof(chat::Reaction);
}

class PageBytes {
 public:
  // 0: no bound.
  explicit PageBytes(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Of the rows in their order of reading. False: the page ends before this one; the first always
  // fits.
  [[nodiscard]] bool take(const chat::Message& row) { return take(row_bytes(row)); }
  // REQUIRES: row_bytes > 0.
  [[nodiscard]] bool take(std::size_t row_bytes) {
    const bool is_first = bytes_ == 0;
    bytes_ += row_bytes;
    return is_first || bytes_max_ == 0 || bytes_ <= bytes_max_;
  }

 private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
};

// What remains fits `bytes_max`, or is one row. Order kBefore loses its oldest rows, the others
// their newest. 0: no bound.
inline void cut_page(Page& page, PageQuery::Order order, std::size_t bytes_max) {
  using Order = PageQuery::Order;
  std::vector<chat::Message>& rows = page.messages;
  PageBytes bytes(bytes_max);
  std::size_t kept = 0;
  while (kept < rows.size() &&
         bytes.take(order == Order::kBefore ? rows[rows.size() - 1 - kept] : rows[kept]))
    ++kept;
  if (kept == rows.size()) return;
  page.has_more = true;
  if (order == Order::kBefore) {
    rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(kept));
  } else {
    rows.resize(kept);
  }
  if (order == Order::kChangedAfter) page.upto_seq = rows.back().version;
}

}  // namespace uproar::storage
