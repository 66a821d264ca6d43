#include "storage/postgres/failure.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <libpq-fe.h>

namespace uproar::storage::postgres {
namespace {

struct Remedy {
  std::string_view of;  // a SQLSTATE, or how it begins; or words of the server
  const char* hint;
};

constexpr const char* kLogIn =
    "correct user and password in the URL, or let this node in: pg_hba.conf on the server";
constexpr const char* kNoPostgres =
    "correct host and port in the URL: what answers there is not PostgreSQL";
constexpr const char* kMoreConnections =
    "raise max_connections on the server: a node takes three sessions for each shard and one more";
constexpr const char* kMoreOfRole =
    "alter role NAME connection limit N: a node takes three sessions for each shard and one more";
constexpr const char* kMoreOfDatabase =
    "alter database NAME connection limit N: a node takes three sessions for each shard and one "
    "more";
constexpr const char* kOneBus =
    "stop it, or give all nodes a bus (--redis): without one their clients do not hear each other";

constexpr std::array kByState = {
    Remedy{sqlstate::kReadOnly,
           "point the URL at the primary; if it is, allow writes: alter database NAME reset "
           "default_transaction_read_only"},
    Remedy{"28", kLogIn},
    Remedy{"3F000", "run uproar migrate against this database"},
    Remedy{
        "42501",
        "as the owner of the tables: grant select, insert, update, delete on all tables in schema "
        "NAME to the role of the URL"},
    Remedy{"42P01", "run uproar migrate against this database"},
    Remedy{"53100", "free disk space on the database server"},
    Remedy{"53200", "give the database server more memory, or let it use less: shared_buffers"},
    Remedy{"53300", kMoreConnections},
    Remedy{"53400",
           "raise temp_file_limit to 1MB at least: so the server is asked whether it has room"},
    // One of its own, or one that was there before it: both are found in the same place.
    Remedy{"55P03",
           "end what holds the lock: pg_locks and pg_stat_activity on the server tell who"},
    Remedy{"57014",
           "look at what keeps the server busy, or holds a lock: pg_stat_activity tells who"},
    Remedy{sqlstate::kInUse, kOneBus},
    Remedy{"57P", "start the server, or wait until it has started"},
};

// What libpq tells by words alone.
constexpr std::array kByWords = {
    Remedy{"password authentication failed", kLogIn},
    Remedy{"no password supplied", kLogIn},
    Remedy{"pg_hba.conf", kLogIn},
    Remedy{"too many connections for role", kMoreOfRole},
    Remedy{"too many connections for database", kMoreOfDatabase},
    Remedy{"too many clients", kMoreConnections},
    Remedy{"remaining connection slots", kMoreConnections},
    Remedy{"not currently accepting connections", "alter database NAME allow_connections true"},
    Remedy{"starting up", "wait until the server has started"},
    Remedy{"could not translate host name", "correct the host in the URL: no name server knows it"},
    Remedy{"Connection refused",
           "start the server, let it listen there (listen_addresses), or correct host and port in "
           "the URL"},
    Remedy{"invalid port number", "correct the port in the URL: 1 to 65535"},
    Remedy{"received invalid response", kNoPostgres},
    Remedy{"expected authentication request", kNoPostgres},
    Remedy{
        "timeout expired",
        "look at the server, and at a firewall before it: nothing answers at this host and port"},
    Remedy{"no answer", "look at the server: it takes what is sent and says nothing"},
};

std::string hint_of(const Failure& failure) {
  if (!failure.sqlstate.empty()) {
    for (const Remedy& remedy : kByState)
      if (failure.sqlstate.starts_with(remedy.of)) return remedy.hint;
    return {};
  }
  const auto says = [&](std::string_view words) {
    return failure.words.find(words) != std::string::npos;
  };
  for (const Remedy& remedy : kByWords)
    if (says(remedy.of)) return remedy.hint;
  if (says("does not exist") && says("database"))
    return "create it (createdb), or correct the name after the last / of the URL";
  if (says("does not exist") && says("role"))
    return "create the role, or correct the user in the URL";
  return "start the server, or correct host and port in the URL";
}

}  // namespace

Failure failure_of(const pg_result* result) {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  // Without fields it is libpq that speaks, not the server.
  if (field(PG_DIAG_MESSAGE_PRIMARY).empty()) return failure_of(PQresultErrorMessage(result));
  Failure failure = failure_of(field(PG_DIAG_MESSAGE_PRIMARY).c_str());
  failure.sqlstate = field(PG_DIAG_SQLSTATE);
  return failure;
}

Failure failure_of(const char* words) {
  Failure failure;
  for (std::string_view rest = words == nullptr ? "" : words; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty() || line.starts_with('\t')) continue;  // libpq's guesses at what it may mean
    if (!failure.words.empty()) failure.words += "; ";
    failure.words += line;
  }
  return failure;
}

std::string describe_server(const std::string& url) {
  PQconninfoOption* options = PQconninfoParse(url.c_str(), nullptr);
  if (options == nullptr) return "postgres";
  std::string user, host = "localhost", port, database;
  for (const PQconninfoOption* one = options; one->keyword != nullptr; ++one) {
    if (one->val == nullptr) continue;
    const std::string_view key = one->keyword;
    if (key == "user") user = std::string(one->val) + "@";
    if (key == "host" || key == "hostaddr") host = one->val;
    if (key == "port") port = std::string(":") + one->val;
    if (key == "dbname") database = std::string("/") + one->val;
  }
  PQconninfoFree(options);
  return "postgres://" + user + host + port + database;
}

SystemError describe_failure(const std::string& url, std::string operation,
                             const Failure& failure) {
  SystemError error{.operation = std::move(operation),
                    .subject = describe_server(url) + ": " + failure.words,
                    .code = 0,
                    .hint = hint_of(failure)};
  if (!failure.sqlstate.empty()) error.subject += " (SQLSTATE " + failure.sqlstate + ")";
  return error;
}

bool is_no_room(const SystemError& error) {
  return error.hint == kMoreConnections || error.hint == kMoreOfRole ||
         error.hint == kMoreOfDatabase;
}

bool is_in_use(const SystemError& error) {
  return error.hint == kOneBus;
}

SystemError describe_failure(const std::string& url, std::string operation, const char* words) {
  return describe_failure(url, std::move(operation), failure_of(words));
}

}  // namespace uproar::storage::postgres
