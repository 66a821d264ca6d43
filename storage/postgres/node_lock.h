#pragma once

// Each session by which a node commits holds a shared advisory lock: (the schema's nodes, the node's digest). The server
// releases it when the session's work is done, committed or not: after the process that asked for it has died, too.

#include <cstdint>
#include <string>

#include "storage/node_id.h"

namespace uproar::storage::postgres {

#define UPROAR_NODES_OF_SCHEMA "hashtext('uproar nodes of ' || current_schema())"

[[nodiscard]] inline std::string take_node_lock(NodeDigest digest) {
  return "select pg_advisory_lock_shared(" UPROAR_NODES_OF_SCHEMA ", " +
         std::to_string(static_cast<std::int32_t>(digest)) + ");";
}

}  // namespace uproar::storage::postgres
