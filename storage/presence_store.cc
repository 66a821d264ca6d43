#include "storage/presence_store.h"

#include "storage/big_endian.h"

namespace uproar::storage {

std::string presence_channel(const UserId& user) {
  std::string name(2 + Uuid::kTextBytes, '\0');
  name[0] = 'p';
  name[1] = ':';
  user.uuid().write_text(name.data() + 2);
  return name;
}

std::array<std::byte, kPresenceDeltaBytes> encode_presence_delta(const PresenceDelta& delta) {
  std::array<std::byte, kPresenceDeltaBytes> out{};
  write_big_endian(delta.devices, out.data());
  write_big_endian(static_cast<std::uint64_t>(delta.heard_us), out.data() + 4);
  return out;
}

std::optional<PresenceDelta> decode_presence_delta(ByteView bytes) {
  if (bytes.size() != kPresenceDeltaBytes) return std::nullopt;
  const PresenceDelta delta{
      .devices = read_big_endian<std::uint32_t>(bytes.data()),
      .heard_us = static_cast<std::int64_t>(read_big_endian<std::uint64_t>(bytes.data() + 4))};
  if (delta.heard_us < 0) return std::nullopt;
  return delta;
}

}  // namespace uproar::storage
