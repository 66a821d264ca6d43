#pragma once

// A database before the first shard uses it: is it one that we can use, is it ours, is its schema up to date. Blocking,
// at start and for `uproar migrate`. What is refused is said with what mends it.

#include <string>
#include <vector>

#include "proto/base/result.h"
#include "storage/postgres/connector.h"

namespace uproar::storage::postgres {

struct DatabaseState {
  int version_before = 0;  // of the schema; 0: there was none
  int version = 0;
  // What keeps the promises weaker than they read, for the log: "fsync is off: …".
  std::vector<std::string> warnings;
};

// Checks server, rights and schema, and brings the schema up to date. Of several that come at once one works and the
// others wait. An empty schema becomes ours; one with tables of another program is left alone.
Result<DatabaseState, SystemError> prepare_database(const ServerOptions& options,
                                                    int server_version_min);

}  // namespace uproar::storage::postgres
