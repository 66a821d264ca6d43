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
  // What `who` said last is not heard by node 1, what they say now is: it repairs, and goes no further by itself.
  void is_lost_and_repaired(const Person& who, ConversationId conversation) {
    world.step_apply(0, 1, false, false);
    world.step_outcomes(0);
    ASSERT_TRUE(world.bus().lose(1, 0, false));
    world.set_manual(true);
    who.sends(conversation, "later");
    world.step_apply(0, 1, false, false);
    world.step_outcomes(0);
    while (world.step_bus(1)) {
    }
    rest();
    ASSERT_TRUE(world.step_read_execute(1, 0));
    ASSERT_TRUE(world.step_read_answer(1, 0));
  }
};

}  // namespace uproar::chat::testing
