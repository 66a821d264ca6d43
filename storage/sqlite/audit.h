#pragma once

// Whether what a data folder keeps is whole and keeps the contract, before it goes elsewhere: a copy of something broken
// would be the same on both sides.

#include <string>

#include "storage/sqlite/database.h"

namespace uproar::storage::sqlite {

// Reads everything once. The error names the first conversation that breaks a rule, where, and what to do. Rules:
//   the file is whole (PRAGMA quick_check), and whoever or whatever a row refers to is there;
//   each seq is a row or the change of one, up to last_seq (docs/contract.md, D2); messages are numbered without holes
//   up to last_no; no mark is above them; member_count counts.
// A change (edit, deletion, reaction) that a later one of the same message covers has left no trace to check.
[[nodiscard]] Result<void, SystemError> audit(Database& database, const std::string& path);

}  // namespace uproar::storage::sqlite
