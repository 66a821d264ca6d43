#include <algorithm>
#include <utility>

#include "proto/base/check.h"
#include "storage/client_link.h"
#include "storage/limits.h"
#include "tests/sim/sim_network.h"

namespace uproar::sim {

using storage::BusGap;
using storage::BusHeader;
using storage::BusState;
using storage::PublishResult;

class SimBus final : public storage::Bus {
 public:
  SimBus(SimNetwork& network, std::uint32_t node, storage::NodeId id, std::uint16_t shard,
         storage::Reactor& reactor, storage::BusListener& listener)
      : network_(network),
        node_(node),
        id_(id),
        shard_(shard),
        listener_(listener),
        link_(std::make_shared<storage::ClientLink>(reactor)) {
    connect_later();
  }
  ~SimBus() override {
    link_->close();
    *is_alive_ = false;
    network_.forget(*this);
  }

  void subscribe(std::string_view channel) override {
    const auto [found, is_new] = channels_.try_emplace(std::string(channel));
    network_.kernel_.tell("node " + std::to_string(node_) + " listens to " + std::string(channel));
    if (!is_new) return;
    found->second.epoch = ++epochs_;
    if (state_ == BusState::kUp) confirm_later(found->first);
  }
  void unsubscribe(std::string_view channel) override { channels_.erase(std::string(channel)); }
  PublishResult publish(std::string_view channel, std::uint8_t kind, std::uint64_t seq,
                        ByteView payload) override {
    if (payload.size() > storage::kBusPayloadBytesMax) return PublishResult::kTooLarge;
    if (state_ != BusState::kUp) {
      in_doubt_.emplace(channel);
      return PublishResult::kDown;
    }
    network_.publish(*this, channel, {.node = id_, .shard = shard_, .kind = kind, .seq = seq},
                     payload);
    return PublishResult::kQueued;
  }
  void flush() override {}
  [[nodiscard]] BusState state() const override { return state_; }
  [[nodiscard]] bool is_settled() const override {
    return network_.wrong.claims_to_be_settled ||
           (in_doubt_.empty() && !network_.is_under_way_from(*this));
  }
  [[nodiscard]] const SystemError& last_error() const override { return error_; }
  [[nodiscard]] const storage::BusCounters& counters() const override { return counters_; }

  // --- for the network ---
  [[nodiscard]] std::uint32_t node() const { return node_; }
  // 0: it does not hear the channel now.
  [[nodiscard]] std::uint64_t epoch_of(const std::string& channel) const {
    const auto found = channels_.find(channel);
    return found != channels_.end() && found->second.is_heard ? found->second.epoch : 0;
  }
  void hear(const SimNetwork::Flight& flight) {
    if (epoch_of(flight.channel) != flight.epoch) return;
    link_->post([this, epoch = flight.epoch, channel = flight.channel, header = flight.header,
                 payload = flight.payload] {
      if (epoch_of(channel) != epoch) return;
      network_.kernel_.tell("node " + std::to_string(node_) + " is told of " + channel + " seq " +
                            std::to_string(header.seq));
      listener_.on_bus_message(channel, {.header = header, .payload = as_bytes(payload)});
    });
  }
  void doubt(const std::string& channel) { in_doubt_.insert(channel); }
  void lose_connection() {
    if (state_ != BusState::kUp) return;
    set_state(BusState::kDown);
    ++connections_;
    counters_.disconnects.add();
    for (auto& [name, channel] : channels_) {
      channel.is_heard = false;
      channel.gap = BusGap::kReconnected;
      channel.epoch = ++epochs_;
    }
  }
  void connect_later() {
    later([this] {
      if (state_ == BusState::kUp || network_.is_cut(node_) || network_.is_cut_from_bus(node_))
        return;
      set_state(BusState::kUp);
      for (const auto& [name, channel] : channels_) confirm_later(name);
      std::vector<std::string> lost(in_doubt_.begin(), in_doubt_.end());
      in_doubt_.clear();
      if (lost.empty() || network_.wrong.forgets_lost_publish) return;
      // Of too many it does not know which.
      const bool all = lost.size() > 6;
      link_->post([this, all, lost = std::move(lost)] {
        listener_.on_publish_lost(all ? std::span<const std::string>() : lost, all);
      });
    });
  }

 private:
  struct Channel {
    std::uint64_t epoch = 0;
    bool is_heard = false;
    BusGap gap = BusGap::kSubscribed;
  };

  void later(std::function<void()> run) {
    const std::int64_t delay_us = network_.kernel_.between(50, network_.latency_us * 4);
    network_.kernel_.after(delay_us, [is_alive = is_alive_, run = std::move(run)] {
      if (*is_alive) run();
    });
  }
  void set_state(BusState state) {
    state_ = state;
    if (state == BusState::kDown)
      error_ = {
          .operation = "reach the bus", .subject = "simulated", .code = 0, .hint = "it is away"};
    link_->post([this, state] { listener_.on_bus_state(state); });
  }
  void confirm_later(const std::string& name) {
    later([this, name, connection = connections_] {
      const auto found = channels_.find(name);
      if (found == channels_.end() || found->second.is_heard || state_ != BusState::kUp ||
          connection != connections_)
        return;
      found->second.is_heard = true;
      network_.kernel_.tell("node " + std::to_string(node_) + " hears " + name);
      const BusGap gap = std::exchange(found->second.gap, BusGap::kSubscribed);
      if (network_.wrong.forgets_to_say_live && gap != BusGap::kSubscribed) return;
      const std::uint64_t epoch = found->second.epoch;
      later([this, name, gap, epoch] {
        if (epoch_of(name) != epoch) return;
        link_->post([this, name, gap, epoch] {
          if (epoch_of(name) == epoch) listener_.on_bus_live(name, gap);
        });
      });
    });
  }

  SimNetwork& network_;
  const std::uint32_t node_;
  const storage::NodeId id_;
  const std::uint16_t shard_;
  storage::BusListener& listener_;
  std::shared_ptr<storage::ClientLink> link_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
  std::map<std::string, Channel> channels_;
  std::set<std::string> in_doubt_;
  std::uint64_t epochs_ = 0;
  std::uint64_t connections_ = 0;  // that were lost
  BusState state_ = BusState::kDown;
  SystemError error_;
  storage::BusCounters counters_;
};

std::unique_ptr<storage::Bus> SimNetwork::open_bus(std::uint32_t node, storage::NodeId id,
                                                   std::uint16_t shard, storage::Reactor& reactor,
                                                   storage::BusListener& listener) {
  auto bus = std::make_unique<SimBus>(*this, node, id, shard, reactor, listener);
  buses_.push_back(bus.get());
  return bus;
}

void SimNetwork::publish(SimBus& from, std::string_view channel, const BusHeader& header,
                         ByteView payload) {
  const std::string name(channel);
  kernel_.tell("node " + std::to_string(from.node()) + " says to " + name + " seq " +
               std::to_string(header.seq));
  for (SimBus* to : buses_) {
    if (to->node() == from.node()) continue;
    const std::uint64_t epoch = to->epoch_of(name);
    if (epoch == 0) continue;
    if (wrong.loses_silently && kernel_.chance(5)) continue;
    auto flight = std::make_shared<Flight>(Flight{.from = &from,
                                                  .to = to,
                                                  .epoch = epoch,
                                                  .channel = name,
                                                  .header = header,
                                                  .payload = std::string(as_text(payload))});
    if (wrong.mangles && header.seq > 1 && kernel_.chance(5)) --flight->header.seq;
    send(flight);
    if (kernel_.chance(repeat_percent)) send(flight);
  }
}

void SimNetwork::send(const std::shared_ptr<Flight>& flight) {
  const std::int64_t most_us = kernel_.chance(5) ? latency_us * 20 : latency_us * 2;
  flights_.push_back(flight);  // once for each time that it arrives
  kernel_.after(kernel_.between(latency_us / 4, most_us), [this, flight] {
    flights_.erase(std::find(flights_.begin(), flights_.end(), flight));
    if (!flight->is_lost && flight->to != nullptr) flight->to->hear(*flight);
  });
}

bool SimNetwork::is_under_way_from(const SimBus& bus) const {
  return std::any_of(flights_.begin(), flights_.end(),
                     [&](const auto& flight) { return flight->from == &bus; });
}

void SimNetwork::forget(SimBus& bus) {
  std::erase(buses_, &bus);
  for (const auto& flight : flights_) {
    if (flight->to == &bus) flight->to = nullptr;
    if (flight->from == &bus) {  // it may have left, or not
      flight->from = nullptr;
      if (kernel_.chance(50)) flight->is_lost = true;
    }
  }
}

void SimNetwork::cut_buses(std::uint32_t node) {
  for (SimBus* bus : buses_) {
    if (bus->node() != node) continue;
    for (const auto& flight : flights_) {
      if (flight->to == bus) flight->is_lost = true;
      if (flight->from != bus) continue;
      bus->doubt(flight->channel);
      if (kernel_.chance(50)) flight->is_lost = true;
    }
    bus->lose_connection();
  }
}

void SimNetwork::heal_buses(std::uint32_t node) {
  for (SimBus* bus : buses_) {
    if (bus->node() == node) bus->connect_later();
  }
}

void SimNetwork::cut_from_bus(std::uint32_t node) {
  if (off_bus_.insert(node).second) cut_buses(node);
}

void SimNetwork::heal_bus(std::uint32_t node) {
  if (off_bus_.erase(node) != 0) heal_buses(node);
}

void SimNetwork::restart_bus() {
  if (kernel_.chance(50)) lose_presence();  // one server is both
  for (const auto& flight : flights_) {
    if (flight->from != nullptr) flight->from->doubt(flight->channel);
    flight->is_lost = true;
  }
  for (SimBus* bus : buses_) {
    bus->lose_connection();
    bus->connect_later();
  }
}

}  // namespace uproar::sim
