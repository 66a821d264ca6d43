#pragma once

// What one node of several is given: the bus that they share, where they find each other, and who this one is.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/bus.h"
#include "storage/discovery.h"
#include "storage/limits.h"
#include "storage/node_record.h"
#include "storage/presence_store.h"
#include "storage/reactor.h"
#include "storage/redis/redis_url.h"

namespace uproar::server {

// What a presence store is told by who uses it.
struct PresenceSetup {
  std::uint8_t delta_kind = 0;                          // BusHeader::kind of the hints
  std::function<bool(const storage::NodeId&)> is_live;  // asked while reading
};

// Opens the services elsewhere than in Redis and etcd: for simulations.
class ClusterServices {
 public:
  virtual ~ClusterServices() = default;
  // On the shard's thread; reactor and listener outlive what is made.
  virtual std::unique_ptr<storage::Bus> open_bus(storage::Reactor& reactor,
                                                 storage::BusListener& listener,
                                                 std::uint32_t shard) = 0;
  virtual std::unique_ptr<storage::Discovery> open_discovery(
      storage::Reactor& reactor, storage::DiscoveryListener& listener) = 0;
  // `bus`: that of the same shard, from open_bus(); it outlives what is made.
  virtual std::unique_ptr<storage::PresenceStore> open_presence(storage::Reactor& reactor,
                                                                storage::Bus& bus,
                                                                std::uint32_t shard,
                                                                PresenceSetup setup) = 0;
};

struct Cluster {
  storage::redis::RedisUrl redis;
  std::vector<std::string> etcd_urls;  // empty: nodes find each other over Redis
  std::uint32_t lease_ms = storage::kNodeLeaseMs;
  storage::NodeRecord self;
  ClusterServices* services = nullptr;  // null: those that are named above
};

}  // namespace uproar::server
