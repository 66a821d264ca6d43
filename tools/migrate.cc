#include <cstdio>
#include <string>

#include "core/server/maintenance.h"
#include "tools/command.h"

namespace uproar::tools {

int migrate(const std::vector<std::string>& arguments) {
  std::string folder = "uproar-data";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--data" && i + 1 < arguments.size()) {
      folder = arguments[++i];
      continue;
    }
    const bool help = arguments[i] == "--help" || arguments[i] == "-h";
    std::fputs(
        "usage: uproar migrate [--data DIR]\n\n"
        "Brings the database of a data folder to this version's schema, as `uproar serve` does at "
        "start.\n"
        "Stop the server first; take a copy of the folder if in doubt.\n\n"
        "Example: uproar migrate --data /var/lib/uproar\n",
        help ? stdout : stderr);
    return help ? 0 : 2;
  }
  const auto version = server::migrate_data(folder);
  if (!version.ok()) {
    std::fprintf(stderr, "uproar migrate: %s\n", version.error().text().c_str());
    return 1;
  }
  std::printf("%s is at schema version %d\n", folder.c_str(), version.value());
  return 0;
}

}  // namespace uproar::tools
