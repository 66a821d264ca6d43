// Answers of etcd's JSON gateway: any bytes, read as each of them.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/base/check.h"
#include "storage/etcd/etcd_json.h"
#include "storage/node_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace uproar;
  using namespace uproar::storage;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto lease = etcd::read_grant(text)) UPROAR_CHECK(!lease->empty() && *lease != "0");
  (void)etcd::read_keepalive(text);
  (void)etcd::read_error(text);
  const NodeId id(Uuid{.high = 1, .low = 1});
  if (const auto range = etcd::read_range(text)) {
    for (const auto& entry : range->found) {
      UPROAR_CHECK(!entry.key.empty());
      (void)decode_node_record(id, entry.value);
    }
  }
  if (const auto line = etcd::read_watch_line(text))
    for (const auto& event : line->events) UPROAR_CHECK(!event.entry.key.empty());
  return 0;
}
