#pragma once

// Which node speaks. Made at each start: a process that restarts is another node to its peers, so nothing that was said
// of the old one can be taken for the new one. The name that people give a node (--node-id) is NodeRecord::name.

#include <cstdint>

#include "proto/base/uuid.h"

namespace uproar::storage {

using NodeId = StrongId<struct NodeTag>;

// What a store knows a node by: 32 bits of its id, where it has room for no more. Never 0. Two nodes that share one, one
// chance in four thousand million, are one to whoever asks (nodes_at_work.h).
using NodeDigest = std::uint32_t;
[[nodiscard]] constexpr NodeDigest node_digest(const NodeId& id) {
  std::uint64_t mixed = (id.uuid().high ^ id.uuid().low * 0x9E3779B97F4A7C15ULL);
  mixed = (mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93ULL;
  const auto digest = static_cast<NodeDigest>(mixed >> 32);
  return digest != 0 ? digest : 1;
}

}  // namespace uproar::storage
