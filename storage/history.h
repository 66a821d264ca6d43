#pragma once

// Reading what was committed. Reads never wait behind a batch.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/result.h"
#include "proto/chat/vocabulary.h"
#include "storage/conversation_log.h"

namespace uproar::storage {

enum class StoreError : std::uint8_t { kUnavailable, kNotFound, kNameTaken, kExpired, kOverloaded };

template <class T>
using Done =
    std::function<void(Result<T, StoreError>)>;  // runs later, on the calling shard's reactor

// A conversation as its owner keeps it.
struct ConversationState {
  ConversationId id{};
  chat::ConversationKind kind{};
  std::string name{};
  Seq last_seq = 0;
  std::uint64_t last_no = 0;
  std::int64_t created_at_us = 0;
  std::vector<chat::Member> members{};  // names are empty; ordered by joined_seq, then id
};

struct PageQuery {
  enum class Order : std::uint8_t {
    kBefore,       // seq < bound, the newest `limit` of them
    kAfter,        // seq > bound, the oldest `limit`
    kChangedAfter  // version > bound, in order of version: what sync sends
  };
  ConversationId conversation{};
  Order order = Order::kBefore;
  Seq bound = 0;      // kBefore with 0: from the end
  Seq seq_floor = 0;  // rows with seq <= floor are not shown (a member hears from joined_seq on)
  std::uint32_t limit = 50;
  // The page ends before the row that would make it larger (page_bytes.h), has_more then: what is
  // behind is not read. 0: no bound.
  std::size_t bytes_max = 0;
};
struct Page {
  std::vector<chat::Message> messages;  // ascending by seq; kChangedAfter: by version
  Seq upto_seq = 0;  // kChangedAfter: every change up to here is in this page or an earlier one
  bool has_more = false;
};

class HistoryReader {
 public:
  virtual ~HistoryReader() = default;
  virtual void load_conversation(ConversationId id, Done<ConversationState> done) = 0;  // kNotFound
  virtual void read_page(const PageQuery& query, Done<Page> done) = 0;
  virtual void read_log(const LogQuery& query, Done<LogPage> done) = 0;  // kNotFound
  // Of what is committed when it is asked for, or of more. Many who ask at once may cost one query. kNotFound
  virtual void read_last_seq(ConversationId id, Done<Seq> done) = 0;
};

}  // namespace uproar::storage
