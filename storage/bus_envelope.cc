#include "storage/bus_envelope.h"

#include "storage/big_endian.h"

namespace uproar::storage {

std::array<std::byte, kBusHeaderBytes> encode_bus_header(const BusHeader& header) {
  std::array<std::byte, kBusHeaderBytes> out{};
  out[0] = std::byte{kBusVersion};
  out[1] = std::byte{header.kind};
  write_big_endian(header.shard, out.data() + 2);
  header.node.uuid().write_bytes(out.data() + 4);
  write_big_endian(header.seq, out.data() + 20);
  return out;
}

std::optional<BusMessage> decode_bus_message(ByteView bytes) {
  if (bytes.size() < kBusHeaderBytes || byte_at(bytes, 0) != kBusVersion) return std::nullopt;
  BusMessage message{.header = {.node = NodeId(Uuid::from_bytes(bytes.data() + 4)),
                                .shard = read_big_endian<std::uint16_t>(bytes.data() + 2),
                                .kind = byte_at(bytes, 1),
                                .seq = read_big_endian<std::uint64_t>(bytes.data() + 20)},
                     .payload = bytes.subspan(kBusHeaderBytes)};
  if (message.header.node.is_nil()) return std::nullopt;
  return message;
}

}  // namespace uproar::storage
