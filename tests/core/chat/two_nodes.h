#pragma once

// Two nodes of one shard each on one store. Shard 0 is node 0, shard 1 is node 1.

#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {

class TwoNodes : public ChatTest {
 protected:
  TwoNodes() : ChatTest({.limits = small(), .nodes = 2}) {}
  static ChatLimits small() {
    ChatLimits limits;
    limits.conversations_max = 2;
    return limits;
  }
  const ChatCounters& at(std::uint32_t node) { return world.shard(node).counters(); }
  // Somebody was added: said to whom it concerns.
  static FakeBus::Item joined_hint(UserId user, ConversationId conversation) {
    FakeBus::Item item;
    item.kind = FakeBus::Item::Kind::kHint;
    item.topic = topic_of(user);
    item.hint = {
        .kind = NodeHint::Kind::kJoined, .seq = 0, .conversation = conversation, .session = {}};
    return item;
  }
  // Long enough for a repair, and for the reads of looks.
  void rest() { world.advance_ms(kRepairGraceMs + 1); }
};

}  // namespace uproar::chat::testing
