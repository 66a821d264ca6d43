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
  ConversationId busy_channel() {
    const ConversationId square = channel({"ann", "ben", "cid"});
    for (const char* text : {"one", "two"}) ann.sends(square, text);
    world.commit();
    return square;
  }
  // Node 1 commits it as 3, and reads it from the store as somebody comes who has to be brought up to date.
  void is_committed_and_published_without_its_outcome() {
    is_committed_and_published_without_its_outcome(room);
  }
  void is_committed_and_published_without_its_outcome(ConversationId conversation) {
    ASSERT_TRUE(world.step_apply(1, 1, false, false));
    is_read_at_both_nodes(conversation);
  }
  void is_read_at_both_nodes(ConversationId conversation) {
    for (const std::uint32_t node : {1U, 0U}) {
      const Person comes = connects("cid", node, true);
      comes.says(Sync{{{conversation, 2}}});
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
  // By what is known at once: nothing is read behind the outcome.
  void expect_that_ben_may_remove_nobody() {
    ben.says(MemberRemove{room, world.user("cid")}, "no right");
    world.set_manual(false);
    world.commit();
    ASSERT_EQ(ben.answered<Error>().size(), 1U);
    EXPECT_EQ(ben.answered<Error>()[0].code, ErrorCode::kForbidden);
  }
  // From his joining (3) on, of which he was told once.
  void expect_that_dan_hears(ConversationId conversation) {
    ann.sends(conversation, "four");
    world.commit();
    rest();
    world.settle();
    EXPECT_EQ(dan.overheard<ConversationJoined>().size(), 1U);
    EXPECT_EQ(dan.seqs(), std::vector<Seq>{4});
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
  at_node_0(ann, MemberRemove{room, dan.id()});  // 4
  outcome_comes();
  ann.sends(room, "secret");
  world.commit(0);
  world.settle();
  EXPECT_EQ(dan.rows(), std::vector<Seq>{});
  EXPECT_EQ(dan.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(dan.overheard<MemberRemoved>().size(), 1U);
}

// Something that was said without him is on its way when the outcome comes.
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
  world.set_manual(true);
  ASSERT_TRUE(world.step_outcomes(1));
  expect_that_ben_may_remove_nobody();
}

// She left and came back by her other device; only who asked to join is answered by an outcome.
TEST_F(LateOutcome, keeps_nobody_from_being_told_that_they_are_back) {
  const Person cid = arrives("cid", 0);
  at_node_0(ann, MemberRole{room, cid.id(), Role::kOwner});
  ann_at_node_1.says(MemberRemove{room, ben.id()});
  is_committed_and_published_without_its_outcome();
  at_node_0(ann, ConversationLeave{room});
  at_node_0(cid, MemberAdd{room, {ann.id()}, Role::kMember});
  outcome_comes();
  EXPECT_EQ(ann_at_node_1.overheard<MemberRemoved>().size(), 2U);  // ben, and herself
  EXPECT_EQ(ann_at_node_1.overheard<ConversationJoined>().size(), 1U);
}

// A sync has found him in, and the leaving has been told, when the outcome of the joining comes.
TEST_F(LateOutcome, of_a_joining_shows_nothing_again_behind_the_leaving) {
  const ConversationId square = busy_channel();
  dan.says(ConversationJoin{square}, "join");
  is_committed_and_published_without_its_outcome(square);  // 3
  dan.forgets();
  dan.says(Sync{{{square, 3}}}, "sync");
  world.settle();
  ASSERT_EQ(dan.answered<SyncDone>().size(), 1U);
  EXPECT_TRUE(dan.answered<SyncDone>()[0].refused.empty());
  ann.sends(square, "four");
  world.commit(0);
  world.settle();
  EXPECT_EQ(dan.seqs(), std::vector<Seq>{4});
  at_node_0(ann, MemberRemove{square, dan.id()});  // 5
  outcome_comes();
  EXPECT_EQ(dan.overheard<MemberRemoved>().size(), 1U);
  EXPECT_EQ(dan.seqs(), std::vector<Seq>{4});
  EXPECT_TRUE(dan.heard<ConversationJoined>().empty());
  ASSERT_EQ(dan.answered<Error>().size(), 1U);
  EXPECT_EQ(dan.answered<Error>()[0].code, ErrorCode::kNotMember);
}

TEST_F(LateOutcome, of_a_joining_tells_each_device_of_theirs_once) {
  const ConversationId square = busy_channel();
  const Person same = arrives("dan", 1);
  dan.says(ConversationJoin{square}, "join");
  is_committed_and_published_without_its_outcome(square);  // 3
  EXPECT_EQ(same.overheard<ConversationJoined>().size(), 1U);
  ann.sends(square, "four");
  world.commit(0);
  world.settle();
  outcome_comes();
  for (const Person& device : {dan, same}) {
    EXPECT_EQ(device.heard<ConversationJoined>().size(), 1U);
    EXPECT_EQ(device.seqs(), std::vector<Seq>{4});
  }
}

// Another device of his was first, at node 0; node 1 finds it in the store.
TEST_F(LateOutcome, of_a_joining_that_was_there_already_lets_them_hear) {
  const ConversationId square = busy_channel();
  const Person at_0 = arrives("dan", 0);
  dan.forgets();
  at_0.says(ConversationJoin{square}, "join");
  dan.says(ConversationJoin{square}, "join");
  world.set_manual(true);
  ASSERT_TRUE(world.step_apply(0, 1, false, false));
  ASSERT_TRUE(world.step_outcomes(0));
  while (world.bus().lose(1, 0, false)) {
  }
  world.set_manual(false);
  is_committed_and_published_without_its_outcome(square);
  outcome_comes();
  EXPECT_EQ(dan.answered<ConversationInfo>().size(), 1U);
  expect_that_dan_hears(square);
}

TEST_F(LateOutcome, of_a_joining_whose_answer_is_lost_lets_them_hear) {
  const ConversationId square = busy_channel();
  dan.says(ConversationJoin{square}, "join");
  ASSERT_TRUE(world.step_apply(1, 1, false, true));
  is_read_at_both_nodes(square);
  outcome_comes();
  EXPECT_EQ(dan.answered<Error>().size(), 1U);
  expect_that_dan_hears(square);
}

// Something else that changed at node 0 is known at node 1 when the outcome comes.
class OvertakenOutcome : public LateOutcome {
 protected:
  void is_overtaken() {
    is_committed_and_published_without_its_outcome();
    at_node_0(ann, ConversationRename{room, "new"});
    world.set_manual(true);  // nothing is read behind it
    ASSERT_TRUE(world.step_outcomes(1));
  }
};

TEST_F(OvertakenOutcome, of_a_role_that_was_taken_gives_no_right) {
  ann_at_node_1.says(MemberRole{room, ben.id(), Role::kAdmin});
  world.commit();
  world.settle();
  ann_at_node_1.says(MemberRole{room, ben.id(), Role::kMember});
  is_overtaken();
  expect_that_ben_may_remove_nobody();
}

TEST_F(OvertakenOutcome, of_a_joining_makes_a_member_who_can_be_removed) {
  ann_at_node_1.says(MemberAdd{room, {dan.id()}, Role::kMember}, "add");
  is_overtaken();
  ann_at_node_1.says(MemberRemove{room, dan.id()}, "remove");
  world.set_manual(false);
  world.commit();
  EXPECT_EQ(ann_at_node_1.answered<MemberAdded>().size(), 1U);
  EXPECT_TRUE(ann_at_node_1.answered<Error>().empty());
}

TEST_F(OvertakenOutcome, of_their_own_joining_shows_them_as_they_are_in_it) {
  const ConversationId square = busy_channel();
  dan.says(ConversationJoin{square}, "join");
  is_committed_and_published_without_its_outcome(square);
  at_node_0(ann, ConversationRename{square, "new"});
  outcome_comes();
  ASSERT_EQ(dan.answered<ConversationJoined>().size(), 1U);
  const ConversationView view = dan.answered<ConversationJoined>()[0].conversation;
  EXPECT_EQ(view.member_count, 4U);
  EXPECT_EQ(view.unread, 0U);
  EXPECT_EQ(view.read_seq, 2U);
}

// He is removed and added again before that; what says so to his own node is lost.
TEST_F(OvertakenOutcome, of_their_own_joining_is_followed_by_the_one_that_came_since) {
  const ConversationId square = busy_channel();
  dan.says(ConversationJoin{square}, "join");
  is_committed_and_published_without_its_outcome(square);
  at_node_0(ann, MemberRemove{square, dan.id()});          // 4
  ann.says(MemberAdd{square, {dan.id()}, Role::kMember});  // 5
  world.set_manual(true);
  while (world.step_apply(0, 1, false, false)) {
  }
  while (world.step_outcomes(0)) {
  }
  ASSERT_TRUE(world.bus().lose(1, 0, false));
  while (world.bus().lose(1, 0, false)) {
  }
  world.set_manual(false);
  world.settle();
  at_node_0(ann, ConversationRename{square, "six"});
  rest();
  world.settle();
  outcome_comes();
  ann.sends(square, "seven");
  world.commit();
  rest();
  world.settle();
  EXPECT_EQ(dan.heard<ConversationJoined>().size(), 2U);
  EXPECT_EQ(dan.seqs(), std::vector<Seq>{7});
  ASSERT_EQ(dan.answered<ConversationJoined>().size(), 1U);
  EXPECT_EQ(dan.answered<ConversationJoined>()[0].conversation.unread, 0U);
}

// Dan is at node 2 alone, which does not have the room.
class OutcomeOfThreeNodes : public ChatTest {
 protected:
  OutcomeOfThreeNodes() : ChatTest({.limits = {}, .nodes = 3}) {}
  void rests() {
    for (int i = 0; i < 3; ++i) {
      world.settle();
      world.advance_ms(2000);
    }
    world.settle();
  }
  void expect_told_once(Seq next) {
    rests();
    ann.sends(room, "next");
    world.commit();
    rests();
    EXPECT_EQ(dan.overheard<ConversationJoined>().size(), 1U);
    EXPECT_EQ(dan.seqs(), std::vector<Seq>{next});
  }
  const ConversationId room = group({"ann", "ben", "cid"});
  const Person ann = arrives("ann", 0);
  const Person dan = arrives("dan", 2);
};

TEST_F(OutcomeOfThreeNodes, that_is_overtaken_is_told_where_the_room_is_not) {
  const Person ann_at_node_1 = arrives("ann", 1);
  for (const char* text : {"one", "two"}) ann.sends(room, text);
  world.commit();
  ann_at_node_1.says(MemberAdd{room, {dan.id()}, Role::kMember});
  ASSERT_TRUE(world.step_apply(1, 1, false, false));
  for (const std::uint32_t node : {1U, 0U}) {
    const Person comes = connects("cid", node, true);
    comes.says(Sync{{{room, 2}}});
    world.settle();
    world.advance_ms(kRepairGraceMs + 1);
    world.settle();
  }
  ann.says(ConversationRename{room, "new"});
  world.commit(0);
  world.settle();
  ASSERT_TRUE(world.step_outcomes(1));
  expect_told_once(5);
}

TEST_F(OutcomeOfThreeNodes, whose_seq_a_failover_gives_again_is_told_where_the_room_is_not) {
  ann.sends(room, "one");
  world.commit();
  const storage::MemoryModel standby = world.model();
  ann.says(ConversationRename{room, "lost"});  // 2
  world.commit();
  world.model() = standby;
  ann.says(MemberAdd{room, {dan.id()}, Role::kMember});  // 2 again
  world.commit();
  expect_told_once(3);
}

// She is a member by what the lost life said, from above the seq by which she leaves in this one.
TEST_F(TwoNodes, let_nobody_hear_whom_they_removed_after_a_failover) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person dan = arrives("dan", 0);
  ann.sends(room, "one");
  world.commit();
  const storage::MemoryModel standby = world.model();
  for (const char* text : {"two", "three"}) ann.sends(room, text);
  ann.says(MemberAdd{room, {dan.id()}, Role::kMember});  // 4
  world.commit();
  world.model() = standby;
  const Person ann_at_node_1 = arrives("ann", 1);  // which reads the room as it is now
  ann_at_node_1.says(MemberAdd{room, {dan.id()}, Role::kMember});  // 2
  world.commit(1);
  world.settle();
  dan.forgets();
  ann.says(MemberRemove{room, dan.id()}, "remove");  // 3
  world.commit(0);
  EXPECT_TRUE(ann.answered<Error>().empty());
  for (int i = 0; i < 4; ++i) {
    ann.sends(room, "secret");
    world.commit();
    world.advance_ms(2000);
    world.settle();
  }
  EXPECT_TRUE(dan.rows().empty());
}

// It is the first event of the channel.
TEST_F(TwoNodes, count_nothing_as_unread_at_a_joining_that_others_have_talked_behind) {
  const ConversationId square = channel({"ann", "ben", "cid"});
  const Person ann = arrives("ann", 0);
  (void)arrives("ben", 1);
  const Person dan = arrives("dan", 1);
  dan.says(ConversationJoin{square}, "join");
  ASSERT_TRUE(world.step_apply(1, 1, false, false));
  ann.sends(square, "two");
  ann.sends(square, "three");
  world.commit(0);
  for (int i = 0; i < 2; ++i) {
    world.settle();
    rest();
  }
  world.settle();
  ASSERT_TRUE(world.step_outcomes(1));
  world.settle();
  rest();
  world.settle();
  ASSERT_EQ(dan.answered<ConversationJoined>().size(), 1U);
  EXPECT_EQ(dan.answered<ConversationJoined>()[0].conversation.last_seq, 1U);
  EXPECT_EQ(dan.answered<ConversationJoined>()[0].conversation.unread, 0U);
  EXPECT_EQ(dan.seqs(), (std::vector<Seq>{2, 3}));
}

class OneNode : public ChatTest {};

// What a sync was refused at is no leaving that they were told of, when the owner says that they are in.
TEST_F(OneNode, lets_in_who_has_a_cursor_that_is_too_high) {
  const ConversationId square = channel({"ann"});
  const Person dan = arrives("dan");
  dan.says(Sync{{{square, 50}}}, "sync");
  world.settle();
  ASSERT_EQ(dan.answered<SyncDone>().size(), 1U);
  dan.says(ConversationJoin{square}, "join");
  world.commit();
  world.settle();
  EXPECT_EQ(dan.answered<ConversationJoined>().size(), 1U);
  EXPECT_TRUE(dan.answered<Error>().empty());
}

// What says that he is in again has the seq of a joining from before the leaving that was lost.
TEST_F(OneNode, tells_whom_it_removed_that_they_are_in_after_a_failover_that_lost_it) {
  const ConversationId room = group({"ann", "ben", "dan"});
  const Person ann = arrives("ann", 0);
  const Person dan = arrives("dan", 0);
  ann.sends(room, "one");
  world.commit();
  const storage::MemoryModel standby = world.model();
  ann.says(MemberRemove{room, dan.id()});  // 2
  world.commit();
  world.model() = standby;
  dan.forgets();
  ann.sends(room, "fails");
  world.fail_commits();
  for (int i = 0; i < 6; ++i) {
    world.settle();
    world.advance_ms(500);
  }
  ann.sends(room, "next");
  world.commit();
  world.settle();
  EXPECT_EQ(dan.overheard<ConversationJoined>().size(), 1U);
  EXPECT_FALSE(dan.rows().empty());
}

// The read that follows a failed commit finds ben gone before the outcome of his removal comes.
TEST_F(OneNode, ends_the_typing_of_whom_a_read_found_gone_before_the_outcome) {
  const ConversationId room = group({"ann", "ben", "cid"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 0);
  const Person cid = arrives("cid", 0);
  ben.says(TypingChange{room, true});
  ASSERT_EQ(cid.overheard<TypingUpdate>().size(), 1U);
  ann.sends(room, "lost");
  ASSERT_TRUE(world.step_apply(0, 1, true, false));
  ann.says(MemberRemove{room, ben.id()});
  ASSERT_TRUE(world.step_apply(0, 1, false, false));
  ASSERT_TRUE(world.step_outcomes(0));
  world.settle();
  world.advance_ms(1);
  world.settle();
  ASSERT_TRUE(world.step_outcomes(0));
  world.settle();
  ASSERT_EQ(ben.overheard<MemberRemoved>().size(), 1U);
  EXPECT_EQ(cid.overheard<TypingUpdate>().size(), 2U);
}

}  // namespace
}  // namespace uproar::chat::testing
