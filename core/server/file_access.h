#pragma once

// Which files a server still opens once it has started: for Landlock.

#include <vector>

#include "core/server/config.h"
#include "core/server/landlock.h"

namespace uproar::server {

// `reaches_out`: it connects to services, so names are looked up and certificates are checked.
[[nodiscard]] std::vector<FileRule> files_needed(const Config& config, bool reaches_out);

}  // namespace uproar::server
