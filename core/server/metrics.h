#pragma once

// /metrics in the Prometheus text format: every counter of every shard, labelled `shard`, and those of the store, which
// the shards share. Times are in seconds, as Prometheus wants them.

#include <memory>
#include <string>
#include <vector>

namespace uproar::storage {
class PostgresStore;
class SqliteStore;
}  // namespace uproar::storage

namespace uproar::server {

class Shard;
struct AdminThreadCounters;

// The store that is open; the other is null.
struct StoreCounters {
  const storage::SqliteStore* sqlite = nullptr;
  const storage::PostgresStore* postgres = nullptr;
};

// Any thread: counters are read while their shards write them, and cost them nothing. `admin`: null without its thread.
[[nodiscard]] std::string render_metrics(const std::vector<std::unique_ptr<Shard>>& shards,
                                         const StoreCounters& store,
                                         const AdminThreadCounters* admin);

}  // namespace uproar::server
