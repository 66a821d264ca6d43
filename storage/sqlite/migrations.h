#pragma once

// The schema, as steps that only ever grow. A released step is never edited; a change is a new step at the end.

#include <string>

#include "storage/sqlite/database.h"

namespace uproar::storage::sqlite {

// Version of the newest step: what PRAGMA user_version says once all are applied.
[[nodiscard]] int newest_schema_version();

// Writes the probe's row anew, in the transaction that is open: kProbeRowBytes that reach the disk and mean nothing.
void write_probe_row(Database& database);

// Refuses a database that another program or a newer release has written, one that an older release has written and one
// without tables, and says what to do. Changes nothing.
Result<void, SystemError> expect_newest_schema(Database& database, const std::string& path);

// Brings the database to the newest version, all missing steps in one transaction under the database's write lock, so
// that of two who try one waits and then finds nothing to do. Refuses, and says what to do:
//   a file of another application (its application_id is not ours, or it has tables and no id);
//   a file that a newer release has written.
Result<void, SystemError> migrate(Database& database, const std::string& path);

}  // namespace uproar::storage::sqlite
