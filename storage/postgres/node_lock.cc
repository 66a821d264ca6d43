#include "storage/postgres/node_lock.h"

#include <cstdint>

#include "proto/base/check.h"

namespace uproar::storage::postgres {

namespace {

constexpr const char* kDoor =
    "pg_advisory_xact_lock(hashtext('uproar node comes to ' || current_schema()), 0)";

std::string is_of(const char* class_id) {
  return std::string("l.classid::bigint = (") + class_id + "::bigint & 4294967295)";
}

}  // namespace

std::string holders_of(const std::string& locks) {
  return R"sql(
select string_agg(distinct coalesce(nullif(a.application_name, ''), 'a session without a name') || coalesce(' at ' || host(a.client_addr), ''), ', ')
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.objsubid = 2  -- a lock by two numbers
  and l.database = (select oid from pg_database where datname = current_database()) and ()sql" +
         locks + ")";
}

std::string shut_door() {
  return std::string("select ") + kDoor;
}

std::string nodes_inside() {
  return holders_of("(" + is_of(UPROAR_CLAIM_CLASS) + " and " + UPROAR_CLAIM_OF_SCHEMA + ") or " +
                    is_of(UPROAR_NODES_OF_SCHEMA));
}

std::string enter_database(NodeDigest digest, bool is_lone) {
  UPROAR_CHECK(digest != 0);
  const std::string self = std::to_string(static_cast<std::int32_t>(digest));
  const std::string shared = "  perform pg_advisory_lock_shared(";
  // A lone node goes with nobody, the others with all but lone nodes.
  const char* enemies = is_lone ? UPROAR_NODES_OF_SCHEMA : UPROAR_LONE_NODES_OF_SCHEMA;
  return std::string(R"sql(
do $$
declare others text;
begin
  perform )sql") +
         kDoor + ";\n  others := (" +
         holders_of(is_of(enemies) + " and l.objid::bigint <> (" + self +
                    "::bigint & 4294967295)") +
         R"sql();
  if others is not null then
    raise exception 'another node is on this database (%)', others using errcode = 'object_in_use';
  end if;
)sql" + shared +
         UPROAR_NODES_OF_SCHEMA ", " + self + ");\n" +
         (is_lone ? shared + UPROAR_LONE_NODES_OF_SCHEMA ", " + self + ");\n" : std::string()) +
         "end $$;";
}

}  // namespace uproar::storage::postgres
