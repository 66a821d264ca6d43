#include "core/server/doctor.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>

#include "tools/command.h"

namespace uproar::tools {

int doctor(const std::vector<std::string>& arguments) {
  bool json = false;
  std::uint32_t shards = std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--json") {
      json = true;
    } else if (arguments[i] == "--shards" && i + 1 < arguments.size() &&
               !arguments[i + 1].empty() && arguments[i + 1].size() < 4 &&
               arguments[i + 1].find_first_not_of("0123456789") == std::string::npos) {
      shards = std::max(1U, static_cast<std::uint32_t>(std::stoul(arguments[++i])));
    } else {
      const bool help = arguments[i] == "--help" || arguments[i] == "-h";
      std::fputs(
          "usage: uproar doctor [--json] [--shards N]\n\n"
          "Tries what uproar needs of the kernel and its limits and what it gives up once it has "
          "started, looks how it was built, and says how to mend what is missing.\n"
          "Exit code 0: uproar runs here; 1: it does not.\n\n"
          "Example: uproar doctor --shards 4\n",
          help ? stdout : stderr);
      return help ? 0 : 2;
    }
  }
  const server::DoctorReport report = server::examine_machine(shards, json);
  std::fputs(report.text.c_str(), stdout);
  return report.fit ? 0 : 1;
}

}  // namespace uproar::tools
