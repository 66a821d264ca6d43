#pragma once

// Makes a page of a conversation's log out of its entries, for every backend alike. The durable ones select of a message
// what as_sent() leaves of it.

#include <cstddef>
#include <cstdint>

#include "storage/conversation_log.h"

namespace uproar::storage {

// A message's own entry: the row without what later entries say of it.
[[nodiscard]] chat::Message as_sent(chat::Message row, bool is_superseded);

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
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  LogPage page_;
};

}  // namespace uproar::storage
