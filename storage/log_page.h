#pragma once

// Makes a page of a conversation's log out of its entries, for every backend alike.

#include <cstdint>

#include "storage/conversation_log.h"
#include "storage/page_bytes.h"

namespace uproar::storage {

class LogPageBuilder {
 public:
  explicit LogPageBuilder(const LogQuery& query);

  // How many entries a page has at most.
  [[nodiscard]] std::uint32_t limit() const { return limit_; }
  // Entries come in the order of their seqs. False: the page has ended before this one.
  [[nodiscard]] bool take(LogEntry entry);
  [[nodiscard]] LogPage finish(Seq floor, Seq last_seq) &&;

 private:
  std::uint32_t limit_;
  PageBytes bytes_;
  LogPage page_;
};

}  // namespace uproar::storage
