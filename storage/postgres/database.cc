#include "storage/postgres/database.h"

#include <poll.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "storage/postgres/admin_session.h"
#include "storage/postgres/failure.h"
#include "storage/postgres/limits.h"
#include "storage/postgres/node_lock.h"
#include "storage/postgres/schema.h"

namespace uproar::storage::postgres {
namespace {

Result<DatabaseState, SystemError> refuse(const ServerOptions& options, std::string why,
                                          std::string hint) {
  return Err{SystemError{.operation = "open",
                         .subject = describe_server(options.url) + ": " + std::move(why),
                         .code = 0,
                         .hint = std::move(hint)}};
}

constexpr const char* kFacts = R"sql(
select pg_is_in_recovery(), current_schema(), current_user, current_setting('server_encoding'),
       current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
       coalesce(has_schema_privilege(current_schema(), 'create'), false),
       to_regclass(quote_ident(current_schema()) || '.uproar_schema') is not null,
       s.setting, s.source
from pg_settings s where s.name = 'default_transaction_read_only')sql";

// Somebody else's tables and views: not ours, and not an extension's.
constexpr const char* kForeign = R"sql(
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = current_schema() and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not exists (select 1 from pg_depend d
                  where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by c.relname limit 1)sql";

constexpr const char* kMissingRight = R"sql(
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = current_schema() and c.relkind in ('r', 'p') and c.relname <> 'uproar_schema'
  and not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
           and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
order by c.relname limit 1)sql";

constexpr const char* kVersionTable = R"sql(
create table if not exists uproar_schema(
  version integer primary key,
  applied_at timestamptz not null default now()
))sql";

// A node that knows the schema of before would go on to write as it did. One that is just going has
// its moment.
Result<void, SystemError> expect_nobody(AdminSession& admin, const ServerOptions& options) {
  admin.run(shut_door().c_str());
  std::string inside;
  for (std::uint32_t waited_ms = 0;; waited_ms += kClaimRetryMs) {
    inside = admin.value(nodes_inside().c_str());
    if (inside.empty() || waited_ms >= kClaimWaitMs) break;
    poll(nullptr, 0, static_cast<int>(kClaimRetryMs));
  }
  if (!admin.ok()) return Err{admin.error()};
  if (inside.empty()) return {};
  return Err{SystemError{.operation = "migrate",
                         .subject = describe_server(options.url) +
                                    ": nodes of the release before are at work on this database (" +
                                    inside + ")",
                         .code = 0,
                         .hint = "stop them all, then start the new release"}};
}

// The lock, of class "Uprr", ends with the transaction. Nobody reads the version before holding it.
Result<DatabaseState, SystemError> migrate(AdminSession& admin, const ServerOptions& options,
                                           bool is_ours, bool may_create, DatabaseState state) {
  const std::string role = admin.value("select current_user");
  const std::string schema = admin.value("select current_schema()");
  const std::string hint_create =
      "as the owner of the database: grant create on schema " + schema + " to " + role;
  if (!is_ours) {
    const std::string foreign = admin.value(kForeign);
    if (!foreign.empty()) {
      return refuse(options,
                    "schema " + schema + " holds tables of another program (" + foreign + ")",
                    "create a database for uproar (createdb), or name an empty schema: "
                    "?options=-csearch_path%3Duproar");
    }
    if (!may_create)
      return refuse(options, "role " + role + " may not create tables in schema " + schema,
                    hint_create);
    admin.run(kVersionTable);
  }
  state.version_before =
      std::atoi(admin.value("select coalesce(max(version), 0) from uproar_schema").c_str());
  if (!admin.ok()) return Err{admin.error()};
  state.version = newest_schema_version();
  if (state.version_before > state.version) {
    return refuse(options,
                  "schema version " + std::to_string(state.version_before) +
                      " was written by a newer release; this one knows " +
                      std::to_string(state.version),
                  "run the newer release, or restore the backup made before the upgrade");
  }
  if (state.version_before < state.version && !may_create)
    return refuse(options, "role " + role + " may not change the schema " + schema, hint_create);
  const auto steps = schema_steps().subspan(static_cast<std::size_t>(state.version_before));
  const bool wants_nobody = std::any_of(
      steps.begin(), steps.end(), [](const SchemaStep& step) { return step.wants_nobody_at_work; });
  if (wants_nobody && state.version_before > 0) {
    if (const auto alone = expect_nobody(admin, options); !alone.ok()) return Err{alone.error()};
  }
  int version = state.version_before;
  for (const SchemaStep& step : steps) {
    admin.run(step.sql);
    admin.run(
        ("insert into uproar_schema(version) values (" + std::to_string(++version) + ")").c_str());
  }
  const std::string table = admin.value(kMissingRight);
  if (!admin.ok()) return Err{admin.error()};
  if (!table.empty()) {
    return refuse(options, "role " + role + " may not read and write table " + table,
                  "as its owner: grant select, insert, update, delete on all tables in schema " +
                      schema + " to " + role);
  }
  return state;
}

}  // namespace

Result<DatabaseState, SystemError> prepare_database(const ServerOptions& options,
                                                    int server_version_min) {
  auto opened = AdminSession::open(options, 0, kClaimWaitMs);
  if (!opened.ok()) return Err{opened.error()};
  AdminSession& admin = *opened;
  if (admin.server_version() < server_version_min) {
    return refuse(options,
                  "the server is PostgreSQL " + std::to_string(admin.server_version() / 10000) +
                      ", and " + std::to_string(server_version_min / 10000) +
                      " is the oldest that will do",
                  "upgrade the server");
  }
  const std::vector<std::string> facts = admin.row(kFacts);
  if (!admin.ok()) return Err{admin.error()};
  if (facts[0] == "t")
    return refuse(options, "the server is a standby and takes no writes",
                  "point the URL at the primary (or add target_session_attrs=read-write)");
  if (facts[9] == "on") {
    return refuse(
        options, "it takes no writes: default_transaction_read_only is on, by " + facts[10],
        "point the URL at the primary; if it is, allow writes: alter database NAME (or role "
        "NAME, or system) reset default_transaction_read_only");
  }
  if (facts[1].empty())
    return refuse(options, "the search path names no schema that is there",
                  "create the schema, or correct search_path in the URL");
  if (facts[3] != "UTF8")
    return refuse(options, "the database's encoding is " + facts[3] + ", and text here is UTF-8",
                  "createdb --template=template0 --encoding=UTF8 NAME");
  DatabaseState state;
  if (facts[4] != "on")
    state.warnings.emplace_back(
        "fsync is off on the database server: a power cut there loses acknowledged messages");
  if (facts[5] != "on")
    state.warnings.emplace_back(
        "full_page_writes is off on the database server: a power cut there may ruin its files");
  if (facts[6] == "off")
    state.warnings.emplace_back(
        "synchronous_commit is off on the database server: our sessions turn it on for themselves");

  admin.run("begin");
  admin.run("select pg_advisory_xact_lock(1433432690, hashtext(current_schema()))");
  // Again, under the lock: somebody may have finished while we waited for it.
  const std::vector<std::string> under_lock = admin.row(kFacts);
  if (!admin.ok()) return Err{admin.error()};
  auto migrated =
      migrate(admin, options, under_lock[8] == "t", under_lock[7] == "t", std::move(state));
  if (!migrated.ok()) return Err{migrated.error()};
  admin.run("commit");
  if (!admin.ok()) return Err{admin.error()};
  return migrated;
}

}  // namespace uproar::storage::postgres
