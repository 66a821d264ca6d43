#include "storage/postgres/import.h"

#include <array>
#include <utility>

#include <libpq-fe.h>

#include "storage/big_endian.h"
#include "storage/postgres/database.h"
#include "storage/postgres/failure.h"
#include "storage/postgres/limits.h"
#include "storage/postgres/wire.h"

namespace uproar::storage::postgres {
namespace {

using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;

// libpq keeps what it is given until the server takes it; pieces of this size go out at once.
constexpr std::size_t kPieceBytes = std::size_t{256} * 1024;

// "COPY … (FORMAT binary)" of the server's manual: signature, flags, length of an extension; -1 ends the rows.
constexpr std::string_view kHead("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kTail("\377\377", 2);

template <class Unsigned>
void append(std::string& out, Unsigned value) {
  std::array<std::byte, sizeof(Unsigned)> bytes;
  write_big_endian(value, bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <class Unsigned>
void append_number(std::string& out, Unsigned value) {
  append<std::uint32_t>(out, sizeof(Unsigned));
  append(out, value);
}

void append_ids(std::string& out, std::string_view ids) {
  constexpr std::size_t kId = Uuid::kBinaryBytes;
  const std::size_t count = ids.size() / kId;
  append<std::uint32_t>(out, static_cast<std::uint32_t>(20 + count * (4 + kId)));
  append<std::uint32_t>(out, 1);  // dimension
  append<std::uint32_t>(out, 0);  // no nulls
  append<std::uint32_t>(out, static_cast<std::uint32_t>(Type::kUuid));
  append<std::uint32_t>(out, static_cast<std::uint32_t>(count));
  append<std::uint32_t>(out, 1);  // lower bound
  for (std::size_t i = 0; i < count; ++i) {
    append<std::uint32_t>(out, kId);
    out.append(ids.substr(i * kId, kId));
  }
}

void append_cell(std::string& out, CellType type, const Cell& cell) {
  if (cell.is_null || (type == CellType::kTimeOrNever && cell.number == 0))
    return append<std::uint32_t>(out, ~std::uint32_t{0});
  const auto number = static_cast<std::uint64_t>(cell.number);
  switch (type) {
    case CellType::kSmall:
      return append_number(out, static_cast<std::uint16_t>(number));
    case CellType::kNumber:
      return append_number(out, number);
    case CellType::kTime:
    case CellType::kTimeOrNever:
      return append_number(out, number - static_cast<std::uint64_t>(kEpochShiftUs));
    case CellType::kIds:
      return append_ids(out, cell.bytes);
    case CellType::kId:
    case CellType::kText:
    case CellType::kBytes:
      append<std::uint32_t>(out, static_cast<std::uint32_t>(cell.bytes.size()));
      out.append(cell.bytes);
  }
}

std::string copy_of(const TransferTable& table) {
  std::string sql = std::string("copy ") + table.name + "(";
  for (const TransferColumn& column : table.columns) {
    if (&column != table.columns.data()) sql += ", ";
    sql += column.name;
  }
  return sql + ") from stdin (format binary)";
}

// Rows are found by key even before anybody has counted the tables.
constexpr const char* kBegin = R"sql(
begin;
set local statement_timeout = 0;
set local lock_timeout = '10s';
set local idle_in_transaction_session_timeout = 0;
set local synchronous_commit = on;
set local jit = off;
)sql";
constexpr const char* kFound = R"sql(
select concat_ws(', ',
  case when exists (select from users) then 'users' end,
  case when exists (select from conversations) then 'conversations' end,
  case when exists (select from sessions) then 'sessions' end))sql";
constexpr const char* kBeforeComparing = R"sql(
analyze;
set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local enable_material = off;
)sql";
constexpr const char* kSummaries = R"sql(
select c.id, c.last_seq, c.last_no, count(m.seq), coalesce(max(m.seq), 0), coalesce(sum(m.version), 0)::int8
from (select id, last_seq, last_no from conversations where id > $1 order by id limit $2) c
left join messages m on m.conversation_id = c.id
group by c.id, c.last_seq, c.last_no order by c.id)sql";

}  // namespace

Result<std::unique_ptr<Import>, SystemError> Import::open(const ServerOptions& options) {
  if (const auto ready = prepare_database(options, kServerVersionMin); !ready.ok())
    return Err{ready.error()};
  auto connection = connect(options, Purpose::kAdmin);
  if (!connection.ok()) return Err{connection.error()};
  std::unique_ptr<Import> made(new Import(options, std::move(connection).value()));
  auto claim = NodeClaim::take(options, NodeClaim::Kind::kAlone, made->health_);
  if (!claim.ok()) return Err{claim.error()};
  made->claim_ = std::move(claim).value();
  if (!made->run(kBegin)) return Err{made->failure(nullptr)};
  const ResultPtr found(PQexec(made->connection_.get(), kFound), &PQclear);
  if (PQresultStatus(found.get()) != PGRES_TUPLES_OK) return Err{made->failure(nullptr)};
  if (const std::string what = PQgetvalue(found.get(), 0, 0); !what.empty())
    return Err{
        SystemError{.operation = "copy",
                    .subject = describe_server(options.url) + " is not empty: it has " + what,
                    .code = 0,
                    .hint = "create a database for what is to be moved (createdb NAME)"}};
  return made;
}

Import::Import(ServerOptions options, ConnectionPtr connection)
    : options_(std::move(options)), connection_(std::move(connection)) {}

// The server rolls back what was not committed when the session ends.
Import::~Import() = default;

bool Import::run(const char* sql) {
  const ResultPtr result(PQexec(connection_.get(), sql), &PQclear);
  return PQresultStatus(result.get()) == PGRES_COMMAND_OK;
}

SystemError Import::failure(pg_result* result) {
  const ResultPtr of(result, &PQclear);
  if (result != nullptr) return describe_failure(options_.url, "copy", failure_of(result));
  return describe_failure(options_.url, "copy", PQerrorMessage(connection_.get()));
}

Result<std::uint64_t, SystemError> Import::count(const TransferTable& table) {
  const std::string sql = std::string("select count(*) from ") + table.name;
  ResultPtr result(
      PQexecParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1),
      &PQclear);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return Err{failure(result.release())};
  return Rows(result.release()).int8(0, 0);
}

Result<std::vector<ConversationSummary>, SystemError> Import::summaries(const ConversationId& after,
                                                                        std::uint32_t limit) {
  Params params;
  params.add(after).add_int8(limit);
  const Params::Pointers at = params.pointers();
  const std::array<Oid, 2> types = {static_cast<Oid>(Type::kUuid), static_cast<Oid>(Type::kInt8)};
  ResultPtr result(PQexecParams(connection_.get(), kSummaries, params.size(), types.data(),
                                at.values.data(), at.lengths.data(), at.formats.data(), 1),
                   &PQclear);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return Err{failure(result.release())};
  const Rows rows(result.release());
  std::vector<ConversationSummary> out;
  for (int i = 0; i < rows.count(); ++i) {
    out.push_back({.id = rows.id<ConversationId>(i, 0),
                   .last_seq = rows.int8(i, 1),
                   .last_no = rows.int8(i, 2),
                   .rows = rows.int8(i, 3),
                   .newest_row = rows.int8(i, 4),
                   .version_sum = rows.int8(i, 5)});
  }
  return out;
}

Result<void, SystemError> Import::begin_table(const TransferTable& table) {
  table_ = table;
  ResultPtr result(PQexec(connection_.get(), copy_of(table).c_str()), &PQclear);
  if (PQresultStatus(result.get()) != PGRES_COPY_IN) return Err{failure(result.release())};
  rows_ = kHead;
  return {};
}

bool Import::put(Row row) {
  append<std::uint16_t>(rows_, static_cast<std::uint16_t>(row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) append_cell(rows_, table_.columns[i].type, row[i]);
  return rows_.size() < kPieceBytes || send_rows();
}

bool Import::send_rows() {
  const bool is_sent =
      PQputCopyData(connection_.get(), rows_.data(), static_cast<int>(rows_.size())) == 1;
  rows_.clear();
  return is_sent;
}

Result<void, SystemError> Import::end_table() {
  rows_ += kTail;
  if (!send_rows() || PQputCopyEnd(connection_.get(), nullptr) != 1) return Err{failure(nullptr)};
  SystemError why;
  bool failed = false;
  while (PGresult* result = PQgetResult(connection_.get())) {
    if (PQresultStatus(result) == PGRES_COMMAND_OK || failed) {
      PQclear(result);
      continue;
    }
    failed = true;
    why = failure(result);
  }
  if (failed) return Err{why};
  const bool is_last = table_.name == transfer_tables().back().name;
  if (is_last && !run(kBeforeComparing)) return Err{failure(nullptr)};
  return {};
}

Result<void, SystemError> Import::finish() {
  // Somebody else may have come while the claim's own session was broken.
  if (!claim_->is_held())
    return Err{SystemError{.operation = "copy",
                           .subject = "another node came to " + describe_server(options_.url),
                           .code = 0,
                           .hint = "stop it, and try again: nothing was kept"}};
  if (!run("commit")) return Err{failure(nullptr)};
  return {};
}

}  // namespace uproar::storage::postgres
