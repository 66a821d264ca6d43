#pragma once

// /metrics: every counter of every shard in the Prometheus text format, one label `shard`.

#include <memory>
#include <string>
#include <vector>

namespace uproar::server {

class Shard;

// Any thread: counters are read while their shards write them.
[[nodiscard]] std::string render_metrics(const std::vector<std::unique_ptr<Shard>>& shards);

}  // namespace uproar::server
