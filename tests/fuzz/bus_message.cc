// Messages of the bus: any bytes. What is understood must be written again as it came.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "proto/base/check.h"
#include "storage/bus_envelope.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto message = storage::decode_bus_message(bytes);
  if (!message) return 0;
  const auto header = storage::encode_bus_header(message->header);
  UPROAR_CHECK(std::equal(header.begin(), header.end(), bytes.begin()));
  UPROAR_CHECK(message->payload.size() + header.size() == size);
  UPROAR_CHECK(message->payload.data() + message->payload.size() == bytes.data() + size);
  return 0;
}
