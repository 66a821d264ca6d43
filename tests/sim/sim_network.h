#pragma once

// What nodes share besides the store: the bus, the list of nodes and who is connected where, with the faults of them. A node that is cut off hears
// nothing and is not heard, and when that lasts longer than its lease the others count it as dead.
//
// The bus keeps what storage/bus.h promises and nothing more: messages arrive late, in any order, twice; whoever may have
// missed one is told so when its connection is back.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/server/cluster.h"
#include "storage/bus.h"
#include "storage/discovery.h"
#include "storage/presence_store.h"
#include "storage/reactor.h"
#include "tests/sim/kernel.h"

namespace uproar::sim {

class SimBus;
class SimDiscovery;

class SimNetwork {
 public:
  explicit SimNetwork(Kernel& kernel) : kernel_(kernel) {}

  std::unique_ptr<storage::Bus> open_bus(std::uint32_t node, storage::NodeId id,
                                         std::uint16_t shard, storage::Reactor& reactor,
                                         storage::BusListener& listener);
  std::unique_ptr<storage::Discovery> open_discovery(std::uint32_t node, storage::Reactor& reactor,
                                                     storage::DiscoveryListener& listener);
  // `bus`: of the same shard; its connection is this one's.
  std::unique_ptr<storage::PresenceStore> open_presence(storage::NodeId id,
                                                        storage::Reactor& reactor,
                                                        storage::Bus& bus,
                                                        server::PresenceSetup setup);

  // --- faults ---
  std::int64_t latency_us = 300;  // of a message; up to twenty times as much now and then
  std::uint32_t repeat_percent = 0;
  std::uint32_t presence_fails_percent = 0;  // reads that are not answered
  void cut(std::uint32_t node);              // from the bus and from the list
  void heal(std::uint32_t node);             // of this; not of cut_from_bus()
  [[nodiscard]] bool is_cut(std::uint32_t node) const { return cut_.contains(node); }
  // From the bus, and the list has it all the same: they are two services.
  void cut_from_bus(std::uint32_t node);
  void heal_bus(std::uint32_t node);
  [[nodiscard]] bool is_cut_from_bus(std::uint32_t node) const { return off_bus_.contains(node); }
  // The bus's server restarts: everybody is cut off from it, and comes back.
  void restart_bus();
  // The presence store has lost all rows.
  void lose_presence();
  // Its process has ended: its lease runs out.
  void died(std::uint32_t node);

  static constexpr std::int64_t kLeaseUs = 3'000'000;

  // Planted bugs.
  struct Wrong {
    bool loses_silently = false;        // one message in twenty, and nobody is told
    bool forgets_to_say_live = false;   // nobody is told that something may have been missed
    bool forgets_lost_publish = false;  // nor that something that was said may not have arrived
    bool mangles = false;               // one event in twenty carries another's place
    bool hides_presence = false;        // one row in five is stored, and nobody is told of it
    bool forgets_to_put_again = false;  // rows that the presence store has lost
    bool claims_to_be_settled = false;  // though something that was said has not left
  };
  Wrong wrong;

 private:
  friend class SimBus;
  friend class SimDiscovery;
  friend class SimPresence;
  struct Flight {            // a message to one hearer
    SimBus* from = nullptr;  // null: its process has ended
    SimBus* to = nullptr;
    std::uint64_t epoch = 0;  // of the hearer's subscription
    std::string channel;
    storage::BusHeader header;
    std::string payload;
    bool is_lost = false;
  };

  void publish(SimBus& from, std::string_view channel, const storage::BusHeader& header,
               ByteView payload);
  void send(const std::shared_ptr<Flight>& flight);
  void forget(SimBus& bus);
  [[nodiscard]] bool is_under_way_from(const SimBus& bus) const;
  // But for that one: a process that restarts hears of the death of the one before.
  void tell_lists(const storage::NodeId& but, const std::function<void(SimDiscovery&)>& tell);
  void cut_buses(std::uint32_t node);
  void heal_buses(std::uint32_t node);
  void put_row(const UserId& user, const storage::NodeId& node,
               const storage::PresenceDelta& presence);
  [[nodiscard]] std::vector<storage::UserPresence> rows_of(const std::vector<UserId>& users) const;
  void lease_runs_out(storage::NodeId id, std::function<bool()> is_renewed);

  Kernel& kernel_;
  std::vector<SimBus*> buses_;
  std::vector<SimDiscovery*> lists_;
  std::map<storage::NodeId, std::pair<std::uint32_t, storage::NodeRecord>> registered_;
  std::vector<std::shared_ptr<Flight>> flights_;
  std::map<UserId, std::map<storage::NodeId, storage::PresenceDelta>> presence_;
  std::uint64_t presence_losses_ = 0;
  std::set<std::uint32_t> cut_;
  std::set<std::uint32_t> off_bus_;
  std::map<std::uint32_t, std::uint64_t> cuts_;  // how often a node was cut off or healed
};

}  // namespace uproar::sim
