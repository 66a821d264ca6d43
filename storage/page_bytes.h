#pragma once

// How large the rows of a page are, and where a page ends that may have no more bytes than
// PageQuery::bytes_max.

#include <cstddef>

#include "proto/chat/vocabulary.h"

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
  [[nodiscard]] bool take(const chat::Message& row) {
    const bool is_first = bytes_ == 0;
    bytes_ += row_bytes(row);
    return is_first || bytes_max_ == 0 || bytes_ <= bytes_max_;
  }

 private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
};

}  // namespace uproar::storage
