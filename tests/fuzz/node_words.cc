// What nodes leave for each other: records of discovery and hints of presence. What is understood comes back as it went.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/base/check.h"
#include "storage/node_record.h"
#include "storage/presence_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar;
  using namespace uproar::storage;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const NodeId id(Uuid{.high = 1, .low = 1});
  if (const auto record = decode_node_record(id, text)) {
    const auto again = decode_node_record(id, encode_node_record(*record));
    UPROAR_CHECK(again.has_value() && *again == *record);
  }
  if (const auto delta = decode_presence_delta(as_bytes(text)))
    UPROAR_CHECK(as_text(encode_presence_delta(*delta)) == text);
  return 0;
}
