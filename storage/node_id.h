#pragma once

// Which node speaks. Made at each start: a process that restarts is another node to its peers, so nothing that was said
// of the old one can be taken for the new one. The name that people give a node (--node-id) is NodeRecord::name.

#include "proto/base/uuid.h"

namespace uproar::storage {

using NodeId = StrongId<struct NodeTag>;

}  // namespace uproar::storage
