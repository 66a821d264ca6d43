// uproar: one binary, one file per subcommand.

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "tools/command.h"

namespace {

constexpr std::string_view kUsage =
    "uproar: chat and fan-out server\n"
    "\n"
    "usage: uproar COMMAND [OPTION…]\n"
    "\n"
    "  serve     serve HTTP and WebSocket            uproar serve --listen 127.0.0.1:8080 --data "
    "./data\n"
    "  doctor    what this machine allows, and how   uproar doctor --json\n"
    "            to mend what it does not\n"
    "  migrate   bring stored data up to date, or    uproar migrate --data ./data\n"
    "            move it to PostgreSQL               uproar migrate --from sqlite:./data "
    "--postgres "
    "URL\n"
    "  version   print the version                   uproar version\n"
    "\n"
    "uproar COMMAND --help says more.\n";

int misused(const std::string& command) {
  std::fprintf(stderr, "uproar: no command \"%s\"\n\n%s", command.c_str(), kUsage.data());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words.front() == "help" || words.front() == "--help" ||
      words.front() == "-h") {
    std::fputs(kUsage.data(), words.empty() ? stderr : stdout);
    return words.empty() ? 2 : 0;
  }
  const std::string& command = words.front();
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (command == "serve") return uproar::tools::serve(rest);
  if (command == "doctor") return uproar::tools::doctor(rest);
  if (command == "migrate") return uproar::tools::migrate(rest);
  if (command == "version" || command == "--version") {
    std::puts("uproar " UPROAR_VERSION);
    return 0;
  }
  return misused(command);
}
