#pragma once

// What one node of several is given: the bus that they share, where they find each other, and who this one is.

#include <cstdint>
#include <string>
#include <vector>

#include "storage/limits.h"
#include "storage/node_record.h"
#include "storage/redis/redis_url.h"

namespace uproar::server {

struct Cluster {
  storage::redis::RedisUrl redis;
  std::vector<std::string> etcd_urls;  // empty: nodes find each other over Redis
  std::uint32_t lease_ms = storage::kNodeLeaseMs;
  storage::NodeRecord self;
};

}  // namespace uproar::server
