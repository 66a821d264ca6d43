#pragma once

// The bus between the nodes of a World: it loses, repeats, reorders and pauses, and says so as a real one does
// (storage/bus.h): who listens is told when it works, and again whenever something may have been missed. Nothing moves
// by itself.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/chat/ports.h"
#include "proto/base/check.h"

namespace uproar::chat::testing {

class FakeBus {
 public:
  struct Item {
    enum class Kind : std::uint8_t { kEvent, kHint, kPresence, kListening };
    Kind kind{};
    TopicId topic;
    Seq seq = 0;
    NodeHint hint;
    std::string payload;
    storage::NodeId node;  // of kPresence
    storage::PresenceDelta presence;
    std::uint64_t epoch = 0;  // of the listener's channel: what came for an earlier one is dropped
  };
  // Who listens and publishes: a shard of a node.
  struct Port {
    std::uint32_t node = 0;
    bool is_connected = true;
    std::map<TopicId, std::pair<std::uint64_t, bool>>
        channels;                // epoch, and whether it has taken effect
    std::vector<TopicId> asked;  // not in effect so far
    std::deque<Item> line;       // on the way to it
    std::vector<TopicId> lost;   // publishes that did not leave
  };

  explicit FakeBus(std::vector<std::uint32_t> node_of_port) {
    for (const std::uint32_t node : node_of_port) ports_.emplace_back().node = node;
  }

  void listen(std::uint32_t port, const TopicId& topic) {
    UPROAR_CHECK(ports_[port].channels.emplace(topic, std::pair(++epochs_, false)).second);
    ports_[port].asked.push_back(topic);
  }
  void unlisten(std::uint32_t port, const TopicId& topic) {
    UPROAR_CHECK(ports_[port].channels.erase(topic) == 1);
    std::erase(ports_[port].asked, topic);
  }
  void publish(std::uint32_t port, Item item) {
    Port& from = ports_[port];
    if (!from.is_connected) {
      from.lost.push_back(item.topic);
      return;
    }
    for (Port& to : ports_) {
      if (to.node == from.node || !to.is_connected) continue;
      const auto channel = to.channels.find(item.topic);
      if (channel == to.channels.end() || !channel->second.second) continue;
      item.epoch = channel->second.first;
      to.line.push_back(item);
    }
  }

  // --- movement; false: there was nothing to do ---
  // The next that arrives and is still listened to.
  bool arrive(std::uint32_t port, const std::function<void(const Item&)>& deliver) {
    Port& to = ports_[port];
    while (!to.line.empty()) {
      const Item item = std::move(to.line.front());
      to.line.pop_front();
      const auto channel = to.channels.find(item.topic);
      if (channel == to.channels.end() || channel->second.first != item.epoch) continue;
      deliver(item);
      return true;
    }
    return false;
  }
  // A listen() takes effect; the word of it comes behind what is on the way.
  bool take_effect(std::uint32_t port, std::uint64_t random) {
    Port& at = ports_[port];
    if (!at.is_connected || at.asked.empty()) return false;
    const auto which = at.asked.begin() + static_cast<std::ptrdiff_t>(random % at.asked.size());
    const TopicId topic = *which;
    at.asked.erase(which);
    auto& channel = at.channels.at(topic);
    channel.second = true;
    at.line.push_back(listening(topic, channel.first));
    return true;
  }
  bool swap(std::uint32_t port, std::uint64_t random) {
    auto& line = ports_[port].line;
    if (line.size() < 2) return false;
    const std::size_t i = random % (line.size() - 1);
    if (line[i].kind == Item::Kind::kListening || line[i + 1].kind == Item::Kind::kListening)
      return false;
    std::swap(line[i], line[i + 1]);
    return true;
  }
  bool repeat(std::uint32_t port, std::uint64_t random) {
    auto& line = ports_[port].line;
    if (line.empty()) return false;
    const Item again = line[random % line.size()];
    if (again.kind != Item::Kind::kListening) line.push_back(again);
    return true;
  }
  // `is_told`: what listens is told that something is missing.
  bool lose(std::uint32_t port, std::uint64_t random, bool is_told) {
    auto& line = ports_[port].line;
    if (line.empty()) return false;
    const auto which = line.begin() + static_cast<std::ptrdiff_t>(random % line.size());
    if (which->kind == Item::Kind::kListening) return false;
    const Item lost = *which;
    line.erase(which);
    if (is_told) line.push_back(listening(lost.topic, lost.epoch));
    return true;
  }
  void disconnect(std::uint32_t port) {
    Port& at = ports_[port];
    at.is_connected = false;
    at.line.clear();
    at.asked.clear();
    for (auto& [topic, channel] : at.channels) {
      channel.second = false;
      at.asked.push_back(topic);
    }
  }
  // The topics of what was published in vain.
  std::vector<TopicId> reconnect(std::uint32_t port) {
    ports_[port].is_connected = true;
    return std::exchange(ports_[port].lost, {});
  }
  // Its process is gone: what is on the way from it still arrives.
  void forget(std::uint32_t port) {
    const std::uint32_t node = ports_[port].node;
    ports_[port] = Port();
    ports_[port].node = node;
  }

  [[nodiscard]] bool is_connected(std::uint32_t port) const { return ports_[port].is_connected; }
  [[nodiscard]] bool is_quiet() const {
    for (const Port& port : ports_) {
      if (!port.line.empty() || !port.asked.empty() || !port.is_connected) return false;
    }
    return true;
  }

 private:
  static Item listening(const TopicId& topic, std::uint64_t epoch) {
    Item item;
    item.kind = Item::Kind::kListening;
    item.topic = topic;
    item.epoch = epoch;
    return item;
  }

  std::vector<Port> ports_;
  std::uint64_t epochs_ = 0;
};

}  // namespace uproar::chat::testing
