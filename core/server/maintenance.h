#pragma once

// Work on a data folder while no server runs on it.

#include <string>

#include "proto/base/result.h"

namespace uproar::server {

// Brings the folder's database to this version's schema; the version it is at now.
[[nodiscard]] Result<int, SystemError> migrate_data(const std::string& folder);

}  // namespace uproar::server
