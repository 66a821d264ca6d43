#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "storage/client_link.h"
#include "storage/node_list.h"
#include "tests/sim/sim_network.h"

namespace uproar::sim {

using storage::DiscoveryState;
using storage::NodeId;
using storage::NodeRecord;

class SimDiscovery final : public storage::Discovery {
 public:
  SimDiscovery(SimNetwork& network, std::uint32_t node, storage::Reactor& reactor,
               storage::DiscoveryListener& listener)
      : network_(network),
        node_(node),
        listener_(listener),
        list_(listener, counters_),
        link_(std::make_shared<storage::ClientLink>(reactor)) {}
  ~SimDiscovery() override {
    link_->close();
    *is_alive_ = false;
    std::erase(network_.lists_, this);
  }

  void announce(const NodeRecord& record) override {
    record_ = record;
    register_later();
  }
  void withdraw(std::function<void()> done) override {
    record_.state = storage::NodeState::kLeaving;
    network_.registered_.erase(record_.id);
    network_.tell_lists(record_.id, [record = record_](SimDiscovery& list) { list.seen(record); });
    link_->post(std::move(done));
  }
  [[nodiscard]] const std::vector<NodeRecord>& nodes() const override { return list_.nodes(); }
  [[nodiscard]] DiscoveryState state() const override { return state_; }
  [[nodiscard]] const SystemError& last_error() const override { return error_; }
  [[nodiscard]] const storage::DiscoveryCounters& counters() const override { return counters_; }

  // --- for the network ---
  [[nodiscard]] std::uint32_t node() const { return node_; }
  [[nodiscard]] const NodeId& id() const { return record_.id; }
  void seen(const NodeRecord& record) {
    link_->post([this, record] { list_.seen(record); });
  }
  void gone(const NodeId& id) {
    link_->post([this, id] { list_.gone(id); });
  }
  void lose_lease() {
    is_registered_ = false;
    link_->post([this] { listener_.on_lease_lost(); });
  }
  void set_state(DiscoveryState state) {
    if (std::exchange(state_, state) == state) return;
    link_->post([this, state] { listener_.on_discovery_state(state); });
  }
  void register_later() {
    network_.kernel_.after(network_.kernel_.between(100, 5'000), [this, is_alive = is_alive_] {
      if (!*is_alive || network_.is_cut(node_)) return;
      set_state(DiscoveryState::kUp);
      network_.registered_[record_.id] = {node_, record_};
      std::map<NodeId, NodeRecord> all;
      for (const auto& [id, entry] : network_.registered_) all.emplace(id, entry.second);
      link_->post([this, all = std::move(all)] { read(all); });
      network_.tell_lists(record_.id,
                          [record = record_](SimDiscovery& list) { list.seen(record); });
      if (std::exchange(is_registered_, true)) return;
      link_->post([this] { listener_.on_registered(); });
    });
  }

 private:
  // The whole list, as it stood when it was asked for. Who is known and not in it has gone: also one that an earlier
  // answer named, which this node had no processor to look at until now.
  void read(const std::map<NodeId, NodeRecord>& all) {
    std::vector<NodeId> absent;
    for (const NodeRecord& known : list_.nodes()) {
      if (!all.contains(known.id)) absent.push_back(known.id);
    }
    for (const NodeId& id : absent) list_.gone(id);
    for (const auto& [id, record] : all) list_.seen(record);
  }

  SimNetwork& network_;
  const std::uint32_t node_;
  storage::DiscoveryListener& listener_;
  storage::DiscoveryCounters counters_;
  storage::NodeList list_;
  std::shared_ptr<storage::ClientLink> link_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  NodeRecord record_;
  bool is_registered_ = false;
  DiscoveryState state_ = DiscoveryState::kDown;
  SystemError error_;
};

std::unique_ptr<storage::Discovery> SimNetwork::open_discovery(
    std::uint32_t node, storage::Reactor& reactor, storage::DiscoveryListener& listener) {
  auto list = std::make_unique<SimDiscovery>(*this, node, reactor, listener);
  lists_.push_back(list.get());
  return list;
}

void SimNetwork::tell_lists(const NodeId& but, const std::function<void(SimDiscovery&)>& tell) {
  for (SimDiscovery* list : lists_) {
    if (list->id() != but && !is_cut(list->node())) tell(*list);
  }
}

void SimNetwork::lease_runs_out(NodeId id, std::function<bool()> is_renewed) {
  kernel_.after(kernel_.between(kLeaseUs / 2, kLeaseUs),
                [this, id, is_renewed = std::move(is_renewed)] {
                  const auto found = registered_.find(id);
                  if (found == registered_.end() || is_renewed()) return;
                  const std::uint32_t node = found->second.first;
                  registered_.erase(found);
                  tell_lists(id, [id](SimDiscovery& list) { list.gone(id); });
                  for (SimDiscovery* list : lists_) {
                    if (list->node() == node && list->id() == id) list->lose_lease();
                  }
                });
}

void SimNetwork::cut(std::uint32_t node) {
  if (!cut_.insert(node).second) return;
  const std::uint64_t since = ++cuts_[node];
  cut_buses(node);
  for (const auto& [id, entry] : registered_) {
    if (entry.first == node)
      lease_runs_out(id, [this, node, since] { return cuts_[node] != since; });
  }
}

void SimNetwork::heal(std::uint32_t node) {
  if (cut_.erase(node) == 0) return;
  ++cuts_[node];
  heal_buses(node);
  for (SimDiscovery* list : lists_) {
    if (list->node() == node) list->register_later();
  }
}

void SimNetwork::died(std::uint32_t node) {
  cut_.erase(node);
  off_bus_.erase(node);
  ++cuts_[node];
  for (const auto& [id, entry] : registered_) {
    if (entry.first == node) lease_runs_out(id, [] { return false; });
  }
}

}  // namespace uproar::sim
