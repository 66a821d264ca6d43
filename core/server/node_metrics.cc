#include "core/server/node_metrics.h"

#include <mutex>
#include <string>

#include "core/server/metric_rows.h"
#include "core/server/node_link.h"
#include "storage/bus.h"
#include "storage/discovery.h"

namespace uproar::server {
namespace {

using namespace metrics;
using storage::BusCounters;
using storage::DiscoveryCounters;
using storage::PresenceCounters;

constexpr auto kBusCounters = std::to_array<Row<BusCounters, Counter>>({
    {"uproar_bus_published_total", "messages to other nodes that Redis was given",
     &BusCounters::published},
    {"uproar_bus_published_bytes_total", "payloads of those", &BusCounters::published_bytes},
    {"uproar_bus_writes_total", "system calls that carried them", &BusCounters::writes},
    {"uproar_bus_refused_full_total", "not published: too many waited for an answer",
     &BusCounters::refused_full},
    {"uproar_bus_refused_down_total", "not published: Redis was away", &BusCounters::refused_down},
    {"uproar_bus_refused_too_large_total", "not published: larger than a message of the bus may be",
     &BusCounters::refused_too_large},
    {"uproar_bus_lost_total", "given to Redis, and the connection ended before its answer",
     &BusCounters::lost},
    {"uproar_bus_rejected_total", "answered by Redis with an error", &BusCounters::rejected},
    {"uproar_bus_received_total", "messages of other nodes", &BusCounters::received},
    {"uproar_bus_received_bytes_total", "payloads of those", &BusCounters::received_bytes},
    {"uproar_bus_echoes_total", "messages of this node that came back and were dropped",
     &BusCounters::echoes},
    {"uproar_bus_malformed_total", "messages without a header of ours, dropped",
     &BusCounters::malformed},
    {"uproar_bus_gaps_total", "times that a channel was interrupted and is heard again",
     &BusCounters::gaps},
    {"uproar_bus_disconnects_total", "connections to Redis that ended", &BusCounters::disconnects},
    {"uproar_bus_redirects_total", "times that a cluster sent us to another server",
     &BusCounters::redirects},
});
constexpr auto kBusGauges = std::to_array<Row<BusCounters, Gauge>>({
    {"uproar_bus_channels", "channels that this shard listens to", &BusCounters::channels},
    {"uproar_bus_outgoing_bytes", "published and not answered yet", &BusCounters::outgoing_bytes},
    {"uproar_bus_state", "0 away, 1 there in part, 2 up", &BusCounters::state},
});
constexpr auto kBusHistograms = std::to_array<HistogramRow<BusCounters>>({
    {"uproar_bus_outage_seconds", "how long a channel was not heard", &BusCounters::outage_us,
     Unit::kMicroseconds},
});
constexpr auto kShardBusCounters = std::to_array<Row<ShardBusCounters, Counter>>({
    {"uproar_bus_undecodable_total", "events and hints that are not understood: the store is read",
     &ShardBusCounters::undecodable},
    {"uproar_bus_unknown_total", "messages of an unknown kind or channel, dropped",
     &ShardBusCounters::unknown},
    {"uproar_bus_gaps_told_total", "times the other nodes were told that anything may be missing",
     &ShardBusCounters::gaps_told},
    {"uproar_bus_gaps_heard_total", "times another node said so, or may have",
     &ShardBusCounters::gaps_heard},
});
constexpr auto kDiscoveryCounters = std::to_array<Row<DiscoveryCounters, Counter>>({
    {"uproar_nodes_renewals_total", "times this node said that it lives",
     &DiscoveryCounters::renewals},
    {"uproar_nodes_leases_lost_total", "times it could not in time, and was dead to the others",
     &DiscoveryCounters::leases_lost},
    {"uproar_nodes_deaths_total", "other nodes that died", &DiscoveryCounters::deaths},
    {"uproar_nodes_resyncs_total", "whole lists read instead of changes",
     &DiscoveryCounters::resyncs},
    {"uproar_nodes_failures_total", "requests to the service with the list that failed",
     &DiscoveryCounters::failures},
});
constexpr auto kDiscoveryGauges = std::to_array<Row<DiscoveryCounters, Gauge>>({
    {"uproar_nodes", "nodes that live, this one among them", &DiscoveryCounters::nodes},
    {"uproar_nodes_state", "of the service with the list: 0 away, 1 not confirmed, 2 up",
     &DiscoveryCounters::state},
    {"uproar_nodes_ignored", "keys in etcd that are no live node's, by the log's words",
     &DiscoveryCounters::ignored},
});
constexpr auto kUnlistedCounters = std::to_array<Row<UnlistedNodeCounters, Counter>>({
    {"uproar_nodes_second_looks_total",
     "looks at the store since a node ended that had worked on it without being in the list",
     &UnlistedNodeCounters::second_looks},
    {"uproar_nodes_questions_total", "times the store was asked which nodes work on it",
     &UnlistedNodeCounters::questions},
    {"uproar_nodes_questions_failed_total", "of those, not answered",
     &UnlistedNodeCounters::failures},
});
constexpr auto kUnlistedGauges = std::to_array<Row<UnlistedNodeCounters, Gauge>>({
    {"uproar_nodes_unlisted", "nodes that work on the store and are not in the list",
     &UnlistedNodeCounters::unlisted},
});
constexpr auto kRollCallCounters = std::to_array<Row<RollCallCounters, Counter>>({
    {"uproar_nodes_roll_calls_total",
     "times nodes on the same database that were not heard yet were called",
     &RollCallCounters::calls},
});
constexpr auto kRollCallGauges = std::to_array<Row<RollCallCounters, Gauge>>({
    {"uproar_nodes_unheard", "nodes that work on the database and are not heard over the bus",
     &RollCallCounters::unheard},
});
constexpr auto kPresenceCounters = std::to_array<Row<PresenceCounters, Counter>>({
    {"uproar_presence_puts_total", "users of whom Redis was told", &PresenceCounters::puts},
    {"uproar_presence_refreshed_total", "of those, told again so that Redis keeps them",
     &PresenceCounters::refreshed},
    {"uproar_presence_restored_total", "of those, told again because Redis had lost them",
     &PresenceCounters::restored},
    {"uproar_presence_of_the_dead_total", "rows of nodes that do not live, passed over",
     &PresenceCounters::of_the_dead},
    {"uproar_presence_failures_total", "what Redis did not answer, or answered with an error",
     &PresenceCounters::failures},
});
constexpr auto kPresenceGauges = std::to_array<Row<PresenceCounters, Gauge>>({
    {"uproar_presence_rows", "users of whom this shard says that they are here",
     &PresenceCounters::rows},
});

}  // namespace

void add_node_metrics(const std::vector<std::unique_ptr<Shard>>& shards,
                      std::vector<prometheus::MetricFamily>& families) {
  std::vector<std::unique_lock<std::mutex>> held;  // a shard that stops meanwhile waits
  std::vector<Source<BusCounters>> bus;
  std::vector<Source<ShardBusCounters>> words;
  std::vector<Source<DiscoveryCounters>> nodes;
  std::vector<Source<UnlistedNodeCounters>> unlisted;
  std::vector<Source<RollCallCounters>> roll_call;
  std::vector<Source<PresenceCounters>> presence;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const NodeLink* const link = shards[i]->node_link();
    if (link == nullptr) continue;
    held.push_back(link->hold_counters());
    if (link->bus_counters() == nullptr) continue;
    bus.push_back({std::to_string(i), link->bus_counters()});
    words.push_back({std::to_string(i), &link->counters()});
    if (const auto* counters = link->presence_counters())
      presence.push_back({std::to_string(i), counters});
    if (const auto* counters = link->discovery_counters()) nodes.push_back({"", counters});
    if (const auto* counters = link->unlisted_counters()) unlisted.push_back({"", counters});
    if (const auto* counters = link->roll_call_counters()) roll_call.push_back({"", counters});
  }
  if (bus.empty()) return;
  add(bus, kBusCounters, families);
  add(bus, kBusGauges, families);
  add(bus, kBusHistograms, families);
  add(words, kShardBusCounters, families);
  add(presence, kPresenceCounters, families);
  add(presence, kPresenceGauges, families);
  if (nodes.empty()) return;
  add(nodes, kDiscoveryCounters, families);
  add(nodes, kDiscoveryGauges, families);
  if (unlisted.empty()) return;
  add(unlisted, kUnlistedCounters, families);
  add(unlisted, kUnlistedGauges, families);
  if (roll_call.empty()) return;
  add(roll_call, kRollCallCounters, families);
  add(roll_call, kRollCallGauges, families);
}

}  // namespace uproar::server
