#pragma once

// What is said to etcd's JSON gateway and what it answers (etcd v3, "gRPC gateway"). Keys and values travel in base64,
// 64-bit integers as strings, and fields that are false or zero are left out. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace uproar::storage::etcd {

// Bodies of requests.
[[nodiscard]] std::string grant_body(std::uint32_t ttl_s);  // POST /v3/lease/grant
[[nodiscard]] std::string lease_body(
    std::string_view lease);  // /v3/lease/keepalive, /v3/lease/revoke
[[nodiscard]] std::string put_body(std::string_view key, std::string_view value,
                                   std::string_view lease);     // /v3/kv/put
[[nodiscard]] std::string range_body(std::string_view prefix);  // /v3/kv/range
[[nodiscard]] std::string watch_body(std::string_view prefix,
                                     std::int64_t start_revision);  // /v3/watch

struct KeyValue {
  std::string key;
  std::string value;
  bool is_leased = false;  // goes by itself when its lease has run out

  friend bool operator==(const KeyValue&, const KeyValue&) = default;
};

// nullopt from all of these: not the answer that it should be.

// The lease's id, digits.
[[nodiscard]] std::optional<std::string> read_grant(std::string_view json);
// Seconds that the lease has left; 0: there is no such lease any more.
[[nodiscard]] std::optional<std::int64_t> read_keepalive(std::string_view json);

struct Range {
  std::int64_t revision = 0;  // of the whole store when it was read
  std::vector<KeyValue> found;
};
[[nodiscard]] std::optional<Range> read_range(std::string_view json);

struct WatchEvent {
  bool is_delete = false;
  KeyValue entry;             // without a value when it is a delete
  std::int64_t revision = 0;  // that made it
};
struct WatchLine {
  bool is_created = false;
  bool is_canceled = false;  // with the reason, or because start_revision was compacted away
  std::int64_t revision = 0;
  std::int64_t compact_revision = 0;
  std::string reason;
  std::vector<WatchEvent> events;
};
[[nodiscard]] std::optional<WatchLine> read_watch_line(std::string_view json);
// etcd's words for what went wrong; empty when there are none, or they are those of another service.
[[nodiscard]] std::string read_error(std::string_view json);

}  // namespace uproar::storage::etcd
