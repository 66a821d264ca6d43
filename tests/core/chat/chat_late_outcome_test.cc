// What a node has committed and reads from the store, publishes, and sees changed by other nodes, all before it is told the
// outcome.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/core/chat/two_nodes.h"

namespace uproar::chat::testing {
namespace {

class LateOutcome : public TwoNodes {
 protected:
  LateOutcome() {
    for (const char* text : {"one", "two"}) ann.sends(room, text);
    world.commit();
  }
  // Node 1 commits it as 3, and reads it from the store as somebody comes who has to be brought up to date.
  void is_committed_and_published_without_its_outcome() {
    ASSERT_TRUE(world.step_apply(1, 1, false, false));
    for (const std::uint32_t node : {1U, 0U}) {
      const Person comes = connects("cid", node, true);
      comes.says(Sync{{{room, 2}}});
      world.settle();
      rest();
      world.settle();
    }
    world.settle();
  }
  void at_node_0(const Person& who, ClientEvent event) {
    who.says(std::move(event));
    world.commit(0);
    world.settle();
  }
  void outcome_comes() {
    ASSERT_TRUE(world.step_outcomes(1));
    world.settle();
    rest();
    world.settle();
  }

  const ConversationId room = group({"ann", "ben", "cid"});
  const Person ann = arrives("ann", 0);
  const Person ann_at_node_1 = arrives("ann", 1);
  const Person ben = arrives("ben", 1);
  const Person dan = arrives("dan", 1);
};

TEST_F(LateOutcome, of_a_leaving_ends_no_membership_that_followed_it) {
  ben.forgets();
  ann_at_node_1.says(MemberRemove{room, ben.id()});
  is_committed_and_published_without_its_outcome();
  at_node_0(ann, MemberAdd{room, {ben.id()}, Role::kMember});  // 4
  ann.sends(room, "five");
  world.commit(0);
  outcome_comes();
  ann.sends(room, "six");
  world.commit(0);
  EXPECT_EQ(ben.overheard<MemberRemoved>().size(), 1U);
  EXPECT_EQ(ben.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(ben.rows(), (std::vector<Seq>{5, 6}));
}

TEST_F(LateOutcome, of_a_joining_lets_nobody_hear_who_has_left_since) {
  ann_at_node_1.says(MemberAdd{room, {dan.id()}, Role::kMember});
  is_committed_and_published_without_its_outcome();
  dan.forgets();
  at_node_0(ann, MemberRemove{room, dan.id()});  // 4
  outcome_comes();
  ann.sends(room, "secret");
  world.commit(0);
  world.settle();
  EXPECT_EQ(dan.rows(), std::vector<Seq>{});
  EXPECT_TRUE(dan.overheard<ConversationJoined>().empty());  // told neither: docs/contract.md, D4
  EXPECT_TRUE(dan.overheard<MemberRemoved>().empty());
}

// The look that it asks for finds him gone while something is on its way that was said without him.
TEST_F(LateOutcome, of_a_joining_lets_nobody_hear_for_ever) {
  ann_at_node_1.says(MemberAdd{room, {dan.id()}, Role::kMember});
  is_committed_and_published_without_its_outcome();
  at_node_0(ann, MemberRemove{room, dan.id()});  // 4
  world.set_manual(true);
  ann.sends(room, "secret");  // 5
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  world.step_outcomes(1);
  while (world.step_read_execute(1, 0)) world.step_read_answer(1, 0);
  world.set_manual(false);
  for (int i = 0; i < 3; ++i) {
    world.advance_ms(2000);
    ann.sends(room, "secret");
    world.commit();
    world.settle();
  }
  EXPECT_EQ(dan.rows(), std::vector<Seq>{});
}

TEST_F(LateOutcome, of_a_name_changes_none_that_was_given_since) {
  ann_at_node_1.says(ConversationRename{room, "old"});
  is_committed_and_published_without_its_outcome();
  at_node_0(ann, ConversationRename{room, "new"});
  outcome_comes();
  ann_at_node_1.says(MemberAdd{room, {dan.id()}, Role::kMember});
  world.commit();
  ASSERT_EQ(dan.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(dan.overheard<ConversationJoined>()[0].conversation.name, "new");
}

TEST_F(LateOutcome, of_a_role_gives_none_that_was_taken_since) {
  ann_at_node_1.says(MemberRole{room, ben.id(), Role::kAdmin});
  is_committed_and_published_without_its_outcome();
  at_node_0(ann, MemberRole{room, ben.id(), Role::kMember});
  world.set_manual(true);  // until the look that follows has been read
  ASSERT_TRUE(world.step_outcomes(1));
  ben.says(MemberRemove{room, world.user("cid")}, "no right");
  world.set_manual(false);
  world.commit();
  ASSERT_EQ(ben.answered<Error>().size(), 1U);
  EXPECT_EQ(ben.answered<Error>()[0].code, ErrorCode::kForbidden);
}

}  // namespace
}  // namespace uproar::chat::testing
