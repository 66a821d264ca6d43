#pragma once

// Drives a TopicTable from a string of bytes beside a naive model (for each member and topic the list of frames it is
// owed) and compares after every step. Used by the unit test and by the fuzz target.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/topic_table.h"

namespace uproar::net {

class TopicModel {
 public:
  // "" or what went wrong.
  static std::string run(std::string_view bytes) {
    TopicModel model;
    for (std::size_t i = 0; i + 2 < bytes.size(); i += 3) {
      const std::string wrong =
          model.step(static_cast<std::uint8_t>(bytes[i]), static_cast<std::uint8_t>(bytes[i + 1]),
                     static_cast<std::uint8_t>(bytes[i + 2]));
      if (!wrong.empty()) return wrong + " at step " + std::to_string(i / 3);
    }
    return model.finish();
  }

 private:
  static constexpr std::uint32_t kMembers = 12;
  static constexpr std::uint64_t kTopics = 4;

  static TopicId id(std::uint64_t n) { return {.high = 5, .low = n}; }
  static Variant variant(std::uint32_t slot) {
    return slot % 3 == 0 ? Variant::kDeflated : Variant::kPlain;
  }

  std::string text(const TopicTable::Window& window, std::uint32_t slot) {
    const std::string run(as_text(table_.bytes(window, variant(slot))));
    std::string frames;
    for (const auto& frame : table_.frames(window))
      frames += as_text(frame.bytes(variant(slot)).view());
    return run == frames ? run : "run and frames differ: " + run + " / " + frames;
  }

  std::string step(std::uint8_t op, std::uint8_t who, std::uint8_t what) {
    const std::uint32_t slot = who % kMembers;
    const std::uint64_t n = what % kTopics;
    auto& owed = owed_[n];
    switch (op % 8) {
      case 0: {
        const bool was = owed.contains(slot);
        const auto got = table_.subscribe(links_[slot], slot, variant(slot), id(n));
        const auto want = was            ? SubscribeOutcome::kAlready
                          : owed.empty() ? SubscribeOutcome::kFirst
                                         : SubscribeOutcome::kAdded;
        if (got != want) return "subscribe";
        owed.try_emplace(slot);
        return {};
      }
      case 1: {
        TopicTable::Window pending;
        const auto got = table_.unsubscribe(links_[slot], variant(slot), id(n), &pending);
        if (!owed.contains(slot))
          return got == UnsubscribeOutcome::kNotThere ? "" : "unsubscribe of nobody";
        if (got != (owed.size() == 1 ? UnsubscribeOutcome::kLast : UnsubscribeOutcome::kRemoved))
          return "unsubscribe";
        const std::string left = pending.empty() ? "" : text(pending, slot);
        const std::string want = owed[slot];
        owed.erase(slot);
        return left == want ? "" : "pending of unsubscribe: " + left + " instead of " + want;
      }
      case 2:
      case 3: {
        const std::string plain = "p" + std::to_string(++said_) + ";";
        const std::string small = what % 5 == 0 ? "" : "d" + std::to_string(said_) + ";";
        const auto result = table_.publish(
            id(n),
            {.plain = SharedBytes::copy_of(plain),
             .deflated = small.empty() ? SharedBytes{} : SharedBytes::copy_of(small)},
            DeliveryClass::kMessage);
        if ((result.topic == TopicTable::kNone) != owed.empty()) return "publish";
        for (auto& [member, waiting] : owed) {
          waiting += variant(member) == Variant::kDeflated && !small.empty() ? small : plain;
        }
        return table_.subscriber_count(id(n)) == owed.size() ? "" : "subscriber_count";
      }
      case 4:
        return serve(1 + what % 7);
      case 5: {
        const auto window = table_.take_pending(links_[slot], id(n));
        const std::string got = window.empty() ? "" : text(window, slot);
        const std::string want = owed.contains(slot) ? owed[slot] : "";
        if (owed.contains(slot)) owed[slot].clear();
        return got == want ? "" : "take_pending";
      }
      case 6:
        table_.confirm();
        return {};
      default:
        if (what % 4 != 0) return serve(3);
        table_.unsubscribe_all(links_[slot], variant(slot));
        for (auto& [number, members] : owed_) members.erase(slot);
        return {};
    }
  }

  std::string serve(std::uint32_t sends) {
    std::string wrong;
    const auto deliver = [&](std::uint32_t slot, const TopicTable::Window& window) {
      const std::string got = text(window, slot);
      for (auto& [number, members] : owed_) {
        const auto member = members.find(slot);
        if (member == members.end() || member->second != got || got.empty()) continue;
        member->second.clear();
        return true;
      }
      wrong = "served what nobody owed: " + got;
      return true;
    };
    table_.serve(sends, deliver, [](std::uint32_t) {});
    return wrong;
  }

  std::string finish() {
    std::string wrong = serve(100'000);
    if (!wrong.empty()) return wrong;
    if (table_.active()) return "still active";
    for (const auto& [number, members] : owed_) {
      for (const auto& [slot, waiting] : members) {
        if (!waiting.empty()) return "never served: " + waiting;
      }
    }
    table_.confirm();
    return {};
  }

  TopicTable table_;
  std::vector<TopicLinks> links_{kMembers};
  std::map<std::uint64_t, std::map<std::uint32_t, std::string>> owed_;
  std::uint64_t said_ = 0;
};

}  // namespace uproar::net
