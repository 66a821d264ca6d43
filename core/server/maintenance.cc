#include "core/server/maintenance.h"

#include "storage/sqlite/migrations.h"
#include "storage/sqlite/sqlite_store.h"

namespace uproar::server {

Result<int, SystemError> migrate_data(const std::string& folder) {
  const auto opened =
      storage::SqliteStore::open({.folder = folder});  // opening migrates, under the folder's lock
  if (!opened.ok()) return Err{opened.error()};
  return storage::sqlite::newest_schema_version();
}

}  // namespace uproar::server
