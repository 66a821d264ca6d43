#pragma once

// Keeps what a bus tells its listener, for tests to look at.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/bus.h"

namespace uproar::storage {

struct HeardMessage {
  std::string channel;
  BusHeader header;
  std::string payload;
};

class RecordingBusListener : public BusListener {
 public:
  void on_bus_message(std::string_view channel, const BusMessage& message) override {
    messages.push_back(
        {std::string(channel), message.header, std::string(as_text(message.payload))});
  }
  void on_bus_live(std::string_view channel, BusGap gap) override {
    lives.emplace_back(std::string(channel), gap);
  }
  void on_publish_lost(std::span<const std::string> channels, bool all) override {
    lost.insert(lost.end(), channels.begin(), channels.end());
    lost_all = lost_all || all;
  }
  void on_bus_state(BusState state) override { states.push_back(state); }

  [[nodiscard]] std::size_t lives_of(std::string_view channel) const {
    return static_cast<std::size_t>(std::count_if(
        lives.begin(), lives.end(), [&](const auto& live) { return live.first == channel; }));
  }
  [[nodiscard]] bool was_live(std::string_view channel, BusGap gap) const {
    return std::find(lives.begin(), lives.end(), std::pair(std::string(channel), gap)) !=
           lives.end();
  }
  [[nodiscard]] bool was_lost(std::string_view channel) const {
    return std::find(lost.begin(), lost.end(), channel) != lost.end();
  }
  [[nodiscard]] bool was_in(BusState state) const {
    return std::find(states.begin(), states.end(), state) != states.end();
  }
  [[nodiscard]] std::vector<std::string> payloads_of(std::string_view channel) const {
    std::vector<std::string> out;
    for (const HeardMessage& message : messages)
      if (message.channel == channel) out.push_back(message.payload);
    return out;
  }

  std::vector<HeardMessage> messages;
  std::vector<std::pair<std::string, BusGap>> lives;
  std::vector<std::string> lost;
  bool lost_all = false;
  std::vector<BusState> states;
};

}  // namespace uproar::storage
