#pragma once

// All that one store keeps, handed over to another one: tables of plain cells, row by row, in one transaction at the
// receiving end. Blocking, for `uproar migrate --from`, while nobody serves from either.

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "proto/base/result.h"
#include "proto/chat/ids.h"
#include "proto/chat/vocabulary.h"

namespace uproar::storage {

// What a cell holds, as the field of Cell that says it.
enum class CellType : std::uint8_t {
  kId,          // bytes: 16
  kIds,         // bytes: 16 for each, one after the other
  kText,        // bytes: UTF-8 without U+0000
  kBytes,       // bytes
  kSmall,       // number: an enum of proto/chat/vocabulary.h
  kNumber,      // number: not negative
  kTime,        // number: UTC microseconds since 1970
  kTimeOrNever  // the same; 0 is never
};

struct TransferColumn {
  const char* name;
  CellType type;
};
struct TransferTable {
  const char* name;
  std::span<const TransferColumn> columns;
};
// In the order of copying: a row comes after those that it refers to.
[[nodiscard]] std::span<const TransferTable> transfer_tables();

// One value of a row, in the order of the columns.
struct Cell {
  bool is_null = false;
  std::int64_t number = 0;
  std::string_view bytes;  // dies with the row
};
using Row = std::span<const Cell>;

// What the two ends compare, of each conversation.
struct ConversationSummary {
  ConversationId id{};
  Seq last_seq = 0;
  std::uint64_t last_no = 0;
  std::uint64_t rows = 0;         // messages and system rows
  Seq newest_row = 0;             // its seq
  std::uint64_t version_sum = 0;  // of all rows: edits, deletions and reactions are in it

  friend bool operator==(const ConversationSummary&, const ConversationSummary&) = default;
};

class TransferEnd {
 public:
  virtual ~TransferEnd() = default;
  [[nodiscard]] virtual Result<std::uint64_t, SystemError> count(const TransferTable& table) = 0;
  // Of the first `limit` conversations with an id above `after`, by id.
  [[nodiscard]] virtual Result<std::vector<ConversationSummary>, SystemError> summaries(
      const ConversationId& after, std::uint32_t limit) = 0;
};

class TransferSource : public TransferEnd {
 public:
  // Every row, in the order of its key, until `take` says no.
  [[nodiscard]] virtual Result<void, SystemError> read(const TransferTable& table,
                                                       const std::function<bool(Row)>& take) = 0;
};

// Nothing of it is kept, nor seen by anybody, unless finish() works.
class TransferTarget : public TransferEnd {
 public:
  [[nodiscard]] virtual Result<void, SystemError> begin_table(const TransferTable& table) = 0;
  // False: it failed; end_table() says why.
  [[nodiscard]] virtual bool put(Row row) = 0;
  [[nodiscard]] virtual Result<void, SystemError> end_table() = 0;
  [[nodiscard]] virtual Result<void, SystemError> finish() = 0;
};

struct TransferProgress {
  std::string_view doing;  // "messages", or "comparing"
  std::uint64_t done = 0;  // rows; conversations while comparing
  std::uint64_t total = 0;
};
struct TransferReport {
  struct Table {
    const char* name;
    std::uint64_t rows;
  };
  std::vector<Table> tables;  // in the order of copying
};

// Copies all tables (a row that does not keep what its columns say ends it: storage/row_check.h), then compares both ends, table by table and conversation by conversation, and only then keeps it.
// `tell` is called every few thousand rows.
[[nodiscard]] Result<TransferReport, SystemError> transfer(
    TransferSource& source, TransferTarget& target,
    const std::function<void(const TransferProgress&)>& tell);

}  // namespace uproar::storage
