#include "storage/sqlite/export.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "storage/sqlite/audit.h"
#include "storage/sqlite/migrations.h"

namespace uproar::storage::sqlite {
namespace {

// Columns that other stores keep and this one can tell from others.
const char* expression_of(std::string_view column) {
  if (column == "delivered_upto")
    return "(SELECT coalesce(max(upto_seq),0) FROM receipts WHERE conversation_id=t.id AND kind=0)";
  if (column == "seen_upto")
    return "(SELECT coalesce(max(upto_seq),0) FROM receipts WHERE conversation_id=t.id AND kind=1)";
  return nullptr;
}

// Tables are clustered by their keys, so rows come in the order of keys by themselves.
std::string select_of(const TransferTable& table) {
  std::string sql = "SELECT ";
  for (const TransferColumn& column : table.columns) {
    if (&column != table.columns.data()) sql += ", ";
    const char* expression = expression_of(column.name);
    sql += expression != nullptr ? expression : std::string("t.") + column.name;
  }
  return sql + " FROM " + table.name + " t";
}

bool is_number(CellType type) {
  return type == CellType::kSmall || type == CellType::kNumber || type == CellType::kTime ||
         type == CellType::kTimeOrNever;
}

constexpr const char* kSummaries = R"sql(
SELECT c.id, c.last_seq, c.last_no, count(m.seq), coalesce(max(m.seq), 0), coalesce(sum(m.version), 0)
FROM (SELECT id, last_seq, last_no FROM conversations WHERE id > ?1 ORDER BY id LIMIT ?2) c
LEFT JOIN messages m ON m.conversation_id = c.id
GROUP BY c.id ORDER BY c.id)sql";

}  // namespace

Result<std::unique_ptr<Export>, SystemError> Export::open(const std::string& folder) {
  const std::string path = folder + "/uproar.db";
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0)
    return Err{
        SystemError{.operation = "open",
                    .subject = path,
                    .code = errno,
                    .hint = "name the data folder of a server that kept its data in SQLite"}};
  // SQLite takes an empty file for a database without tables.
  if (found.st_size == 0)
    return Err{SystemError{.operation = "open",
                           .subject = path + " is empty",
                           .code = 0,
                           .hint = "if it is a copy, it is not whole: copy the folder again"}};
  auto lock = FolderLock::take(folder);
  if (!lock.ok()) return Err{lock.error()};
  auto database = Database::open_to_look(path);
  if (!database.ok()) return Err{database.error()};
  if (const auto known = expect_newest_schema(*database, path); !known.ok())
    return Err{known.error()};
  database->exec("BEGIN");
  if (const auto whole = audit(*database, path); !whole.ok()) return Err{whole.error()};
  return std::unique_ptr<Export>(
      new Export(std::move(lock).value(), path, std::move(database).value()));
}

Result<std::uint64_t, SystemError> Export::count(const TransferTable& table) {
  const auto rows = static_cast<std::uint64_t>(
      database_.read_int((std::string("SELECT count(*) FROM ") + table.name).c_str()));
  if (!database_.ok()) return Err{database_.describe_error("count", path_)};
  return rows;
}

Result<std::vector<ConversationSummary>, SystemError> Export::summaries(const ConversationId& after,
                                                                        std::uint32_t limit) {
  std::vector<ConversationSummary> out;
  Statement statement(database_, kSummaries);
  Rows rows = statement.query(after, limit);
  while (rows.next()) {
    out.push_back({.id = rows.id<ConversationId>(0),
                   .last_seq = rows.u64(1),
                   .last_no = rows.u64(2),
                   .rows = rows.u64(3),
                   .newest_row = rows.u64(4),
                   .version_sum = rows.u64(5)});
  }
  if (!database_.ok()) return Err{database_.describe_error("read", path_)};
  return out;
}

Result<void, SystemError> Export::read(const TransferTable& table,
                                       const std::function<bool(Row)>& take) {
  Statement statement(database_, select_of(table).c_str());
  Rows rows = statement.query();
  std::vector<Cell> cells(table.columns.size());
  while (rows.next()) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const int at = static_cast<int>(i);
      cells[i] = {.is_null = rows.is_null(at), .bytes = {}};
      if (cells[i].is_null) continue;
      if (is_number(table.columns[i].type)) {
        cells[i].number = rows.i64(at);
      } else {
        cells[i].bytes = rows.bytes(at);
      }
    }
    if (!take(cells)) return {};
  }
  if (!database_.ok()) return Err{database_.describe_error("read", path_)};
  return {};
}

}  // namespace uproar::storage::sqlite
