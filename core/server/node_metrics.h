#pragma once

// What /metrics says of the other nodes: the bus, the list of nodes. Nothing when this node is alone.

#include <memory>
#include <vector>

#include <prometheus/metric_family.h>

namespace uproar::server {

class Shard;

void add_node_metrics(const std::vector<std::unique_ptr<Shard>>& shards,
                      std::vector<prometheus::MetricFamily>& families);

}  // namespace uproar::server
