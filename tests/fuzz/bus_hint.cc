// Hints and logouts of other nodes, and names of channels: any bytes. What is understood must be written again as it came.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/server/bus_words.h"
#include "proto/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto hint = server::decode_node_hint(7, bytes)) {
    const server::HintBytes again = server::encode_node_hint(*hint);
    UPROAR_CHECK(std::ranges::equal(again.view(), bytes), size);
    UPROAR_CHECK(hint->seq == 7);
  }
  if (const auto revoked = server::decode_revocation(bytes))
    UPROAR_CHECK(std::ranges::equal(server::encode_revocation(*revoked), bytes), size);
  if (const auto topic = server::topic_of_channel(as_text(bytes)))
    UPROAR_CHECK(server::topic_of_channel(server::channel_of(*topic)) == *topic);
  return 0;
}
