#pragma once

// What travels on the bus before the payload, 28 bytes, numbers big-endian:
//
//    0      1      2        4                20                28
//   +------+------+--------+----------------+-----------------+-----------
//   | 0x01 | kind | shard  | node id (16)   | seq (8)         | payload ...
//   +------+------+--------+----------------+-----------------+-----------
//
// The first byte is the version. A node drops what it does not know and counts it; two versions of Uproar on one bus
// repair from the store what they cannot tell each other.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/base/bytes.h"
#include "storage/node_id.h"

namespace uproar::storage {

inline constexpr std::size_t kBusHeaderBytes = 28;
inline constexpr std::uint8_t kBusVersion = 1;

struct BusHeader {
  NodeId node;              // who published
  std::uint16_t shard = 0;  // which of its shards
  std::uint8_t kind =
      0;  // meaning belongs to those who publish and listen (message, receipt, presence, …)
  std::uint64_t seq = 0;  // position of a durable event in its conversation; 0: ephemeral

  friend bool operator==(const BusHeader&, const BusHeader&) = default;
};

struct BusMessage {
  BusHeader header;
  ByteView payload;  // borrowed from what was decoded
};

[[nodiscard]] std::array<std::byte, kBusHeaderBytes> encode_bus_header(const BusHeader& header);
// nullopt: shorter than a header, of another version, or without a node.
[[nodiscard]] std::optional<BusMessage> decode_bus_message(ByteView bytes);

}  // namespace uproar::storage
