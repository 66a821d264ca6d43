#include "storage/postgres/node_lock.h"

#include <cstdint>

#include "proto/base/check.h"

namespace uproar::storage::postgres {

std::string enter_database(NodeDigest digest, bool is_lone) {
  UPROAR_CHECK(digest != 0);
  const std::string self = std::to_string(static_cast<std::int32_t>(digest));
  const std::string shared = "  perform pg_advisory_lock_shared(";
  // A lone node goes with nobody, the others with all but lone nodes.
  const std::string enemies = is_lone ? UPROAR_NODES_OF_SCHEMA : UPROAR_LONE_NODES_OF_SCHEMA;
  return R"sql(
do $$
declare others text;
begin
  perform pg_advisory_xact_lock(hashtext('uproar node comes to ' || current_schema()), 0);
  select string_agg(distinct a.application_name || coalesce(' at ' || host(a.client_addr), ''), ', ') into others
  from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and l.objsubid = 2  -- of a lock by two numbers
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid::bigint = ()sql" +
         enemies + R"sql(::bigint & 4294967295) and l.objid::bigint <> ()sql" + self +
         R"sql(::bigint & 4294967295);
  if others is not null then
    raise exception 'another node is on this database (%)', others using errcode = 'object_in_use';
  end if;
)sql" + shared +
         UPROAR_NODES_OF_SCHEMA ", " + self + ");\n" +
         (is_lone ? shared + UPROAR_LONE_NODES_OF_SCHEMA ", " + self + ");\n" : std::string()) +
         "end $$;";
}

}  // namespace uproar::storage::postgres
