#pragma once

// What a node says of itself to the others, as text that an operator can read where it is kept:
//
//   name=chat-1
//   url=wss://chat-1.example.org
//   shards=4
//   started=1795342800000000
//   state=live | draining | leaving
//   key=5f0c…
//
// One line each; keys that are not known are skipped, so that a newer node can say more.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/node_id.h"

namespace uproar::storage {

enum class NodeState : std::uint8_t {
  kLive,
  kDraining,  // serves whom it has, takes nobody new
  kLeaving    // gone on purpose; its record goes next
};

struct NodeRecord {
  NodeId id;
  std::string name;  // --node-id: for people; 1 to kNodeNameBytesMax bytes
  std::string url;   // --advertise: where clients reach it; up to kNodeUrlBytesMax bytes
  std::uint32_t shards = 0;
  std::int64_t started_us = 0;  // Unix time
  NodeState state = NodeState::kLive;
  // Of the key that it signs tokens with: nodes that show different ones cannot serve the same clients. Up to
  // kNodeKeyBytesMax bytes; empty: it does not say.
  std::string key_fingerprint = {};

  friend bool operator==(const NodeRecord&, const NodeRecord&) = default;
};

// Without the id, which is the key. REQUIRES: its texts hold no control characters (is_valid_node_text).
[[nodiscard]] std::string encode_node_record(const NodeRecord& record);
// nullopt: a line without '=', a number that is none, a text that is too long, or no name.
[[nodiscard]] std::optional<NodeRecord> decode_node_record(const NodeId& id, std::string_view text);
// Printable, without control characters.
[[nodiscard]] bool is_valid_node_text(std::string_view text);

}  // namespace uproar::storage
