#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "core/server/maintenance.h"
#include "tools/command.h"

namespace uproar::tools {
namespace {

constexpr const char* kUsage =
    "usage: uproar migrate [--data DIR]\n"
    "       uproar migrate --postgres URL\n"
    "       uproar migrate --from sqlite:DIR --postgres URL\n"
    "\n"
    "Brings the database of a data folder, or a PostgreSQL database, to this version's schema, as "
    "`uproar serve` does at start.\n"
    "With --from, checks all that the data folder DIR keeps, copies it into an empty PostgreSQL "
    "database, compares the two, and\n"
    "keeps the copy only if they are the same; interrupted, it leaves nothing. DIR is only read. "
    "Stop the server first.\n"
    "UPROAR_POSTGRES may say the URL where others see command lines.\n"
    "\n"
    "Example: uproar migrate --data /var/lib/uproar\n"
    "         uproar migrate --from sqlite:/var/lib/uproar --postgres "
    "postgres://uproar:secret@db.example.com/uproar\n";
constexpr std::string_view kSqlite = "sqlite:";

struct Arguments {
  std::optional<std::string> data;
  std::optional<std::string> from;  // a data folder
  std::optional<std::string> postgres;
  bool help = false;
  std::string problem;
};

Arguments read(const std::vector<std::string>& words) {
  Arguments out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--help" || word == "-h") {
      out.help = true;
      continue;
    }
    std::optional<std::string>* into = word == "--data"       ? &out.data
                                       : word == "--from"     ? &out.from
                                       : word == "--postgres" ? &out.postgres
                                                              : nullptr;
    if (into == nullptr || i + 1 == words.size()) {
      out.problem = into == nullptr ? "no option " + word : word + " wants a value";
      return out;
    }
    *into = words[++i];
  }
  if (const char* url = std::getenv("UPROAR_POSTGRES");
      url != nullptr && !out.postgres && !out.data)
    out.postgres = url;
  if (out.data && (out.from || out.postgres)) out.problem = "--data goes with no other option";
  if (out.from && !out.postgres) out.problem = "--from wants --postgres URL to copy to";
  if (out.from && !out.from->starts_with(kSqlite))
    out.problem = "--from " + *out.from + ": expected sqlite:DIR with a data folder";
  if (out.from && out.problem.empty()) out.from->erase(0, kSqlite.size());
  return out;
}

// On a terminal, and only of what takes more than two seconds.
class Terminal {
 public:
  void tell(const server::MoveProgress& progress) {
    if (!is_terminal_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    const unsigned long long percent =
        progress.total == 0 ? 100 : progress.done * 100 / progress.total;
    std::fprintf(stderr, "\r\033[K%.*s: %llu of %llu (%llu %%)",
                 static_cast<int>(progress.doing.size()), progress.doing.data(),
                 static_cast<unsigned long long>(progress.done),
                 static_cast<unsigned long long>(progress.total), percent);
    has_told_ = true;
  }
  void clear() const {
    if (has_told_) std::fputs("\r\033[K", stderr);
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) == 1;
  bool has_told_ = false;
  std::chrono::steady_clock::time_point next_ =
      std::chrono::steady_clock::now() + std::chrono::seconds(2);
};

int fail(const std::string& why) {
  std::fprintf(stderr, "uproar migrate: %s\n", why.c_str());
  return 1;
}

int move(const std::string& folder, const std::string& url) {
  Terminal terminal;
  const auto moved = server::move_data(
      folder, url, [&](const server::MoveProgress& progress) { terminal.tell(progress); });
  terminal.clear();
  if (!moved.ok()) return fail(moved.error().text());
  std::printf("copied from %s, and the same on both sides:\n", folder.c_str());
  for (const auto& table : moved->tables)
    std::printf("  %12llu %s\n", static_cast<unsigned long long>(table.rows), table.name);
  std::printf(
      "Start the server with --postgres and the same --data folder (or --auth-secret-file): its "
      "auth.key keeps clients logged in.\n");
  return 0;
}

}  // namespace

int migrate(const std::vector<std::string>& words) {
  const Arguments arguments = read(words);
  if (arguments.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (!arguments.problem.empty()) {
    std::fprintf(stderr, "uproar migrate: %s\n\n%s", arguments.problem.c_str(), kUsage);
    return 2;
  }
  if (arguments.from) return move(*arguments.from, *arguments.postgres);
  const std::string folder = arguments.data.value_or("uproar-data");
  const auto version = arguments.postgres ? server::migrate_database(*arguments.postgres)
                                          : server::migrate_data(folder);
  if (!version.ok()) return fail(version.error().text());
  std::printf("%s is at schema version %d\n", arguments.postgres ? "the database" : folder.c_str(),
              version.value());
  return 0;
}

}  // namespace uproar::tools
