#pragma once

// Each session by which a node commits holds a shared advisory lock: (the schema's nodes, the node's digest). The server
// releases it when the session's work is done, committed or not: after the process that asked for it has died, too.
//
// One that has no bus holds another one beside it: (the schema's lone nodes, its digest). No session begins to commit
// beside those of a node that it does not go with (node_claim.h), whoever came first: after a restart of the database all
// are equal. One after the other, by a lock of their own.

#include <string>

#include "storage/node_id.h"

namespace uproar::storage::postgres {

#define UPROAR_NODES_OF_SCHEMA "hashtext('uproar nodes of ' || current_schema())"
#define UPROAR_LONE_NODES_OF_SCHEMA "hashtext('uproar lone nodes of ' || current_schema())"

// A node's claim (node_claim.h) is a lock of this class and of the schema.
#define UPROAR_CLAIM_CLASS "1433432691"
#define UPROAR_CLAIM_OF_SCHEMA "l.objid::bigint = (hashtext(current_schema())::bigint & 4294967295)"

// A query for the names of those who hold advisory locks `l` of which `locks` is true; NULL:
// nobody.
[[nodiscard]] std::string holders_of(const std::string& locks);

// What changes the schema shuts the door first: until its transaction ends no session that commits
// is let in. Then it looks who is inside.
[[nodiscard]] std::string shut_door();
[[nodiscard]] std::string nodes_inside();

// A statement that takes them, or fails with sqlstate::kInUse and the names of the others. `is_lone`: without a bus.
// REQUIRES: digest is not 0.
[[nodiscard]] std::string enter_database(NodeDigest digest, bool is_lone);

}  // namespace uproar::storage::postgres
