// Replies of Redis: any bytes. The first byte says how the rest is cut: a stream means the same however it arrives. Every
// reply is also read as a slot map and as a redirect.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/check.h"
#include "storage/redis/resp.h"
#include "storage/redis/slot_map.h"

namespace {

using namespace uproar;
using namespace uproar::storage::redis;

const RedisAddress kFrom{.host = "h", .port = 1};

void write(const RedisValue& value, std::string& out) {
  if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) write(value[i], out);
    out += ']';
    return;
  }
  out += value.is_nil() ? 'n' : value.is_error() ? 'e' : 't';
  out += value.is_integer() ? std::to_string(*value.integer()) : std::string(value.text());
  out += ';';
}

struct Reading {
  std::string replies;
  bool failed = false;
};

Reading read(ByteView bytes, std::size_t piece) {
  RespReader reader;
  Reading reading;
  for (std::size_t at = 0; at < bytes.size() && !reader.failed(); at += piece) {
    if (!reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)))) break;
    while (const auto reply = reader.next()) write(reply->value(), reading.replies);
  }
  reading.failed = reader.failed();
  return reading;
}

void use(ByteView bytes) {
  RespReader reader;
  SlotMap map;
  if (!reader.feed(bytes)) return;
  while (const auto reply = reader.next()) {
    const RedisValue value = reply->value();
    if (map.read(value, kFrom)) {
      for (std::uint16_t slot = 0; slot < kSlots; slot += 97)
        if (const auto* server = map.server_of(slot))
          UPROAR_CHECK(!server->host.empty() && server->port != 0);
    }
    if (const auto redirect = parse_redirect(value.text(), kFrom)) {
      UPROAR_CHECK(redirect->slot < kSlots && redirect->address.port != 0);
      map.assign(redirect->slot, redirect->address);
    }
    UPROAR_CHECK(slot_of(value.text()) < kSlots);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 16 + 1;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const Reading whole = read(bytes, bytes.size() + 1);
  const Reading cut = read(bytes, piece);
  UPROAR_CHECK(whole.replies == cut.replies);
  UPROAR_CHECK(whole.failed == cut.failed);
  use(bytes);
  return 0;
}
