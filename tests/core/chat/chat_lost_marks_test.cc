// Marks that are stored and were announced to nobody: of a commit whose answer was lost, or at another node, which finds
// them by a look that may be ahead of what it has published.
#include <vector>

#include "tests/core/chat/two_nodes.h"

namespace uproar::chat::testing {
namespace {

class LostMarks : public TwoNodes {
 protected:
  void at_node_1(const Person& who, ClientEvent event) {
    who.says(std::move(event));
    is_committed_at_node_1();
  }
  void is_committed_at_node_1() {
    world.set_manual(true);
    ASSERT_TRUE(world.step_apply(1, 1, false, false));
    ASSERT_TRUE(world.step_outcomes(1));
  }
  void is_lost() {
    while (world.bus().lose(0, 0, false)) {
    }
  }
  // Node 0 compares with the store before anything else reaches it.
  void node_0_looks() {
    world.say_gap(0);
    while (world.step_read_execute(0, 0)) world.step_read_answer(0, 0);
  }
  void all_comes() {
    world.set_manual(false);
    world.settle();
    rest();
    world.settle();
  }
  // As somebody is shown who comes to node 0 and knows all up to `cursor`.
  std::vector<Message> shown(Seq cursor) {
    const Person comes = connects("ann", 0, true);
    comes.says(Sync{{{room, cursor}}});
    world.settle();
    std::vector<Message> rows;
    for (const HistoryPage& page : comes.answered<HistoryPage>())
      rows.insert(rows.end(), page.messages.begin(), page.messages.end());
    return rows;
  }

  const ConversationId room = group({"ann", "ben", "cid"});
};

TEST_F(LostMarks, are_announced_with_a_duplicate_of_them) {
  const Person ann = arrives("ann", 0), ben = arrives("ben", 1), same = arrives("ben", 0);
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.commit();
  at_node_1(ben, MarkAdvance{room, 2, MarkKind::kSeen});
  is_lost();
  all_comes();
  same.says(MarkAdvance{room, 2, MarkKind::kSeen});
  world.commit();
  world.say_gap(0);
  world.settle();
  EXPECT_EQ(ann.overheard<ReceiptUpdate>().size(), 1U);
  ASSERT_EQ(shown(0).size(), 3U);
  EXPECT_NE(shown(0)[1].seen_at_us, 0);
}

TEST_F(LostMarks, stand_in_rows_that_come_behind_the_look) {
  const Person ann = arrives("ann", 0), ben = arrives("ben", 1), cid = arrives("cid", 1);
  ann.sends(room, "one");
  world.commit();
  cid.sends(room, "two");
  is_committed_at_node_1();
  at_node_1(ben, MarkAdvance{room, 2, MarkKind::kSeen});
  node_0_looks();
  all_comes();
  EXPECT_EQ(ann.seqs(), (std::vector<Seq>{1, 2}));
  ASSERT_EQ(shown(1).size(), 1U);
  EXPECT_NE(shown(1)[0].seen_at_us, 0);
}

// What is read for memory is from before the mark, and answered behind the look.
TEST_F(LostMarks, stand_in_rows_that_are_being_read) {
  const Person ben = arrives("ben", 1);
  for (const char* text : {"one", "two", "three"}) ben.sends(room, text);
  world.commit();
  (void)arrives("ann", 0);
  const Person same = connects("ann", 1);
  world.settle();
  const Person comes = connects("ann", 0, true);
  world.set_manual(true);
  comes.says(Sync{{{room, 1}}});
  while (world.step_link(0, 0)) {
  }
  ASSERT_TRUE(world.step_read_execute(0, 0));
  at_node_1(same, MarkAdvance{room, 3, MarkKind::kSeen});
  is_lost();
  world.say_gap(0);
  while (world.reads_waiting(0) > 1) {
    ASSERT_TRUE(world.step_read_execute(0, 1));
    ASSERT_TRUE(world.step_read_answer(0, 1));
  }
  ASSERT_TRUE(world.step_read_answer(0, 0));
  all_comes();
  ASSERT_FALSE(shown(1).empty());
  EXPECT_NE(shown(1)[0].seen_at_us, 0);
}

TEST_F(LostMarks, of_what_somebody_sent_are_told_by_the_message) {
  const Person ann = arrives("ann", 0), ben = arrives("ben", 1);
  ann.sends(room, "one");
  world.commit();
  ben.sends(room, "two");
  is_committed_at_node_1();
  is_lost();
  node_0_looks();
  all_comes();
  EXPECT_EQ(ann.rows(), (std::vector<Seq>{1, 2}));
  EXPECT_TRUE(ann.overheard<ReceiptUpdate>().empty());
}

TEST_F(LostMarks, are_not_told_to_whom_has_left_before) {
  const Person ann = arrives("ann", 1), ben = arrives("ben", 1), cid = arrives("cid", 0);
  const Person same = arrives("ben", 0);
  ann.sends(room, "one");
  world.commit();
  at_node_1(ann, MemberRemove{room, cid.id()});  // 2
  ann.sends(room, "three");
  is_committed_at_node_1();
  at_node_1(ben, MarkAdvance{room, 3, MarkKind::kSeen});
  is_lost();
  all_comes();
  world.say_gap(0);
  all_comes();
  EXPECT_EQ(cid.overheard<MemberRemoved>().size(), 1U);
  EXPECT_TRUE(cid.overheard<ReceiptUpdate>().empty());
  ASSERT_EQ(same.overheard<ReceiptUpdate>().size(), 1U);
  EXPECT_EQ(same.overheard<ReceiptUpdate>()[0].read_seq, 3U);
}

// A failover has lost what came before the one that is held: the repair gives up.
TEST_F(LostMarks, are_told_when_what_is_missing_is_nowhere) {
  const Person ann = arrives("ann", 0), ben = arrives("ben", 1), cid = arrives("cid", 1);
  ann.sends(room, "one");
  world.commit();
  at_node_1(ben, MarkAdvance{room, 1, MarkKind::kSeen});
  is_lost();
  const storage::MemoryModel standby = world.model();
  cid.sends(room, "two");
  is_committed_at_node_1();
  is_lost();
  cid.sends(room, "three");
  is_committed_at_node_1();
  while (world.step_bus(0)) {
  }
  world.model() = standby;
  node_0_looks();
  EXPECT_TRUE(ann.overheard<ReceiptUpdate>().empty());
  for (std::uint32_t i = 0; i <= kRepairTriesMax; ++i) all_comes();
  ASSERT_EQ(ann.overheard<ReceiptUpdate>().size(), 1U);
  EXPECT_EQ(ann.overheard<ReceiptUpdate>()[0].read_seq, 1U);
}

TEST_F(LostMarks, are_not_told_in_large_conversations) {
  std::vector<std::string> names = {"ann", "ben"};
  while (names.size() <= kReceiptFanoutMembersMax) names.push_back(std::to_string(names.size()));
  const ConversationId square = group(names);
  const Person ann = arrives("ann", 0), ben = arrives("ben", 1);
  ann.sends(square, "one");
  world.commit();
  at_node_1(ben, MarkAdvance{square, 1, MarkKind::kSeen});
  all_comes();
  world.say_gap(0);
  all_comes();
  EXPECT_TRUE(ann.overheard<ReceiptUpdate>().empty());
}

// One node, where bob reads two messages and the answer of that commit is lost.
class LostMarkOfOneNode : public ChatTest {
 protected:
  LostMarkOfOneNode()
      : ChatTest({.shards = 1, .seed = 1, .limits = {}, .is_manual = true, .plant = Plant::kNone}) {
    world.settle();
    for (int i = 0; i < 2; ++i) alice.sends(room, "m");
    world.settle();
    world.commit();
    bob.says(MarkAdvance{room, 2, MarkKind::kSeen});
  }
  void answer_is_lost() {
    world.step_apply(0, 1, false, true);
    world.step_outcomes(0);
  }
  void expect_announced() {
    world.settle();
    ASSERT_EQ(alice.overheard<ReceiptUpdate>().size(), 1U);
    EXPECT_EQ(alice.overheard<ReceiptUpdate>()[0].read_seq, 2U);
  }

  const ConversationId room = group({"alice", "bob"});
  const Person alice = connects("alice");
  const Person bob = connects("bob");
};

TEST_F(LostMarkOfOneNode, is_announced_when_the_conversation_is_read_again) {
  answer_is_lost();
  world.advance_ms(0);
  expect_announced();
}

// What waited behind it finds it stored, before the conversation has been read again.
TEST_F(LostMarkOfOneNode, is_announced_with_the_one_behind_it) {
  bob.says(MarkAdvance{room, 1, MarkKind::kSeen});
  answer_is_lost();
  ASSERT_TRUE(world.step_apply(0, 1, false, false));
  world.step_outcomes(0);
  expect_announced();
}

class LostMarksOfTwoShards : public ChatTest {
 protected:
  LostMarksOfTwoShards() : ChatTest({.shards = 2, .limits = {}, .nodes = 2}) {}
};

// And the other node is told nothing again.
TEST_F(LostMarksOfTwoShards, are_told_at_every_shard_of_the_node) {
  const ConversationId room = group({"ann", "ben"});
  const Person first = arrives("ann", 0), second = arrives("ann", 1), ben = arrives("ben", 2);
  first.sends(room, "one");
  world.commit();
  ben.says(MarkAdvance{room, 1, MarkKind::kSeen});
  world.set_manual(true);
  for (const std::uint32_t shard : {2U, 3U}) {
    world.step_apply(shard, 1, false, false);
    world.step_outcomes(shard);
    while (world.step_link(shard, 0)) {
    }
  }
  for (const std::uint32_t shard : {0U, 1U}) {
    while (world.bus().lose(shard, 0, false)) {
    }
  }
  world.set_manual(false);
  world.settle();
  ASSERT_TRUE(first.overheard<ReceiptUpdate>().empty());
  const std::size_t told = ben.overheard<ReceiptUpdate>().size();
  for (const std::uint32_t shard : {0U, 1U}) world.say_gap(shard);
  world.settle();
  EXPECT_EQ(first.overheard<ReceiptUpdate>().size(), 1U);
  EXPECT_EQ(second.overheard<ReceiptUpdate>().size(), 1U);
  EXPECT_EQ(ben.overheard<ReceiptUpdate>().size(), told);
}

}  // namespace
}  // namespace uproar::chat::testing
