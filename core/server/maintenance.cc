#include "core/server/maintenance.h"

#include "storage/postgres/database.h"
#include "storage/postgres/import.h"
#include "storage/postgres/limits.h"
#include "storage/sqlite/export.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/sqlite_store.h"

namespace uproar::server {
namespace {

storage::postgres::ServerOptions options_of(const std::string& url) {
  return {.url = url,
          .node = "migrate",
          .statement_timeout_ms = storage::postgres::kStatementTimeoutMs,
          .connect_timeout_s = storage::postgres::kConnectTimeoutS};
}

}  // namespace

Result<int, SystemError> migrate_data(const std::string& folder) {
  const auto opened =
      storage::SqliteStore::open({.folder = folder});  // opening migrates, under the folder's lock
  if (!opened.ok()) return Err{opened.error()};
  return storage::sqlite::newest_schema_version();
}

Result<int, SystemError> migrate_database(const std::string& url) {
  const auto state =
      storage::postgres::prepare_database(options_of(url), storage::postgres::kServerVersionMin);
  if (!state.ok()) return Err{state.error()};
  return state->version;
}

Result<MoveReport, SystemError> move_data(const std::string& folder, const std::string& url,
                                          const std::function<void(const MoveProgress&)>& tell) {
  auto from = storage::sqlite::Export::open(folder);
  if (!from.ok()) return Err{from.error()};
  auto to = storage::postgres::Import::open(options_of(url));
  if (!to.ok()) return Err{to.error()};
  return storage::transfer(**from, **to, tell);
}

}  // namespace uproar::server
