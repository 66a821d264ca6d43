#pragma once

// Which files libpq reads when it connects, again at each new session.

#include <string>
#include <vector>

namespace uproar::storage::postgres {

// Those that the URL and the environment name (PGSSLROOTCERT, PGPASSFILE and the like), and those
// that libpq looks for by itself in the home folder. They need not exist. Folders of Unix-domain
// sockets are none of them.
[[nodiscard]] std::vector<std::string> named_files(const std::string& url);

}  // namespace uproar::storage::postgres
