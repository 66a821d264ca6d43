#include "storage/memory/memory_bus.h"

#include <map>
#include <utility>

#include "proto/base/check.h"
#include "storage/client_link.h"
#include "storage/limits.h"

namespace uproar::storage {

class MemoryBus final : public Bus {
 public:
  MemoryBus(MemoryBusHub& hub, Reactor& reactor, BusListener& listener, NodeId node,
            std::uint16_t shard)
      : hub_(hub),
        listener_(listener),
        node_(node),
        shard_(shard),
        self_(std::make_shared<ClientLink>(reactor)) {
    hub_.buses_.insert(this);
    connection_changed();
  }
  ~MemoryBus() override {
    self_->close();
    hub_.forget(*this);
  }

  void subscribe(std::string_view channel) override {
    UPROAR_CHECK(channel.size() <= kBusChannelBytesMax, channel.size());
    const auto [found, is_new] = channels_.try_emplace(std::string(channel));
    counters_.channels.set(static_cast<std::int64_t>(channels_.size()));
    if (is_new) confirm_later(found->first);
  }
  void unsubscribe(std::string_view channel) override {
    channels_.erase(std::string(channel));
    counters_.channels.set(static_cast<std::int64_t>(channels_.size()));
  }
  PublishResult publish(std::string_view channel, std::uint8_t kind, std::uint64_t seq,
                        ByteView payload) override {
    if (payload.size() > kBusPayloadBytesMax) {
      counters_.refused_too_large.add();
      return PublishResult::kTooLarge;
    }
    if (!hub_.is_up_) {
      in_doubt_.emplace(channel);
      counters_.refused_down.add();
      return PublishResult::kDown;
    }
    counters_.published.add();
    counters_.published_bytes.add(payload.size());
    hub_.publish(channel, {.node = node_, .shard = shard_, .kind = kind, .seq = seq}, payload);
    return PublishResult::kQueued;
  }
  void flush() override {}
  [[nodiscard]] BusState state() const override { return state_; }
  [[nodiscard]] bool is_settled() const override { return in_doubt_.empty(); }
  [[nodiscard]] const SystemError& last_error() const override { return error_; }
  [[nodiscard]] const BusCounters& counters() const override { return counters_; }

  [[nodiscard]] const NodeId& node() const { return node_; }
  [[nodiscard]] bool listens_to(const std::string& channel) const {
    const auto found = channels_.find(channel);
    return found != channels_.end() && found->second.is_live;
  }
  void hear(std::string channel, const BusHeader& header, SharedBytes payload) {
    self_->post([this, channel = std::move(channel), header, payload = std::move(payload)] {
      if (!listens_to(channel)) return;
      counters_.received.add();
      counters_.received_bytes.add(payload.size());
      listener_.on_bus_message(channel, {.header = header, .payload = payload.view()});
    });
  }
  void connection_changed() {
    if (!hub_.is_up_) {
      error_ = {.operation = "reach the bus", .subject = "memory", .code = 0, .hint = "it is down"};
      for (auto& [name, channel] : channels_) {
        if (channel.is_live) channel.gap = BusGap::kReconnected;
        channel.is_live = false;
      }
    } else {
      for (auto& [name, channel] : channels_) confirm_later(name);
    }
    self_->post([this] { tell_state(); });
  }

 private:
  struct Channel {
    bool is_live = false;
    BusGap gap = BusGap::kSubscribed;
  };

  void confirm_later(const std::string& name) {
    self_->post([this, name] {
      const auto found = channels_.find(name);
      if (found == channels_.end() || found->second.is_live || !hub_.is_up_) return;
      found->second.is_live = true;
      const BusGap gap = std::exchange(found->second.gap, BusGap::kSubscribed);
      if (gap != BusGap::kSubscribed) counters_.gaps.add();
      listener_.on_bus_live(name, gap);
    });
  }
  void tell_state() {
    const BusState now = hub_.is_up_ ? BusState::kUp : BusState::kDown;
    if (std::exchange(state_, now) != now) {
      counters_.state.set(static_cast<std::int64_t>(now));
      listener_.on_bus_state(now);
    }
    if (now != BusState::kUp || in_doubt_.empty()) return;
    const std::vector<std::string> lost(in_doubt_.begin(), in_doubt_.end());
    in_doubt_.clear();
    listener_.on_publish_lost(lost, false);
  }

  MemoryBusHub& hub_;
  BusListener& listener_;
  const NodeId node_;
  const std::uint16_t shard_;
  std::shared_ptr<ClientLink> self_;
  std::map<std::string, Channel> channels_;
  std::set<std::string> in_doubt_;
  BusState state_ = BusState::kDown;
  SystemError error_;
  BusCounters counters_;
};

std::unique_ptr<Bus> MemoryBusHub::connect(Reactor& reactor, BusListener& listener, NodeId node,
                                           std::uint16_t shard) {
  return std::make_unique<MemoryBus>(*this, reactor, listener, node, shard);
}

void MemoryBusHub::publish(std::string_view channel, const BusHeader& header, ByteView payload) {
  const SharedBytes shared = SharedBytes::copy_of(payload);
  for (MemoryBus* bus : buses_) {
    if (bus->node() == header.node || !bus->listens_to(std::string(channel))) continue;
    const Fate fate = fate_ ? fate_(channel, header) : Fate::kDeliver;
    if (fate == Fate::kDrop) continue;
    if (fate == Fate::kHold) {
      held_.push_back(
          {.to = bus, .channel = std::string(channel), .header = header, .payload = shared});
      continue;
    }
    bus->hear(std::string(channel), header, shared);
    if (fate == Fate::kRepeat) bus->hear(std::string(channel), header, shared);
  }
}

void MemoryBusHub::release(std::size_t index) {
  UPROAR_CHECK(index < held_.size(), index);
  Delivery delivery = std::move(held_[index]);
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
  delivery.to->hear(std::move(delivery.channel), delivery.header, std::move(delivery.payload));
}

void MemoryBusHub::go_down() {
  is_up_ = false;
  held_.clear();
  for (MemoryBus* bus : buses_) bus->connection_changed();
}

void MemoryBusHub::come_back() {
  is_up_ = true;
  for (MemoryBus* bus : buses_) bus->connection_changed();
}

void MemoryBusHub::forget(MemoryBus& bus) {
  buses_.erase(&bus);
  std::erase_if(held_, [&](const Delivery& delivery) { return delivery.to == &bus; });
}

}  // namespace uproar::storage
