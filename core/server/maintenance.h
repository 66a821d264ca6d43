#pragma once

// Work on stored data while no server runs on it.

#include <functional>
#include <string>

#include "proto/base/result.h"
#include "storage/transfer.h"

namespace uproar::server {

// Brings the folder's database to this version's schema; the version it is at now.
[[nodiscard]] Result<int, SystemError> migrate_data(const std::string& folder);
// The same for a PostgreSQL database.
[[nodiscard]] Result<int, SystemError> migrate_database(const std::string& url);

using MoveProgress = storage::TransferProgress;
using MoveReport = storage::TransferReport;

// Checks what the folder keeps (storage/sqlite/audit.h), copies all of it into an empty PostgreSQL database, compares the
// two, and keeps the copy only if they are the same. What is kept there stays as it is. `tell` is called every few thousand
// rows.
[[nodiscard]] Result<MoveReport, SystemError> move_data(
    const std::string& folder, const std::string& url,
    const std::function<void(const MoveProgress&)>& tell);

}  // namespace uproar::server
