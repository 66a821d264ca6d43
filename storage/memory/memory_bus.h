#pragma once

// The bus inside one process: nodes of a test or of the simulator meet at a hub. Every fault that a real bus has can be
// asked for: messages dropped, repeated, held back and let go in any order, and the whole of it gone and back.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/shared_bytes.h"
#include "storage/bus.h"
#include "storage/reactor.h"

namespace uproar::storage {

class MemoryBus;

// One thread: hub and buses are used where their reactors run.
class MemoryBusHub {
 public:
  enum class Fate : std::uint8_t { kDeliver, kDrop, kRepeat, kHold };

  // The bus lives no longer than the hub.
  [[nodiscard]] std::unique_ptr<Bus> connect(Reactor& reactor, BusListener& listener, NodeId node,
                                             std::uint16_t shard);
  // Asked for each delivery to each hearer. Empty: everything is delivered.
  void set_fate(std::function<Fate(std::string_view channel, const BusHeader& header)> fate) {
    fate_ = std::move(fate);
  }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  // Lets go the `index`-th of what is held. REQUIRES: index < held().
  void release(std::size_t index);

  // Gone: every subscription is lost, publishing is kDown. Back: they are live again and say so.
  void go_down();
  void come_back();
  [[nodiscard]] bool is_up() const { return is_up_; }

 private:
  friend class MemoryBus;
  struct Delivery {
    MemoryBus* to;
    std::string channel;
    BusHeader header;
    SharedBytes payload;
  };
  void publish(std::string_view channel, const BusHeader& header, ByteView payload);
  void forget(MemoryBus& bus);

  std::set<MemoryBus*> buses_;
  std::function<Fate(std::string_view, const BusHeader&)> fate_;
  std::deque<Delivery> held_;
  bool is_up_ = true;
};

}  // namespace uproar::storage
