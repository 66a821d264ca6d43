// Who joins and who leaves, on two nodes: what each is told and shown, whatever the bus loses of it and a repair has to read.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/core/chat/two_nodes.h"

namespace uproar::chat::testing {
namespace {

// Nobody says that a message of before dan came has changed: his node reads it, for those who were there.
TEST_F(TwoNodes, show_a_newcomer_nothing_old_that_a_repair_has_read) {
  const ConversationId room = group({"ann", "cid"});
  const Person ann = arrives("ann", 0);
  const Person cid = arrives("cid", 1);
  const Person dan = arrives("dan", 1);
  ann.sends(room, "secret");
  ann.says(MemberAdd{room, {dan.id()}, Role::kMember});
  world.commit();
  const Person waits = connects("dan", 1, true);  // and is to be told when live traffic is released
  for (const Person* person : {&cid, &dan, &waits}) person->forgets();
  ann.says(ReactionChange{.conversation = room, .message = {.seq = 1, .id = {}}, .emoji = "x"});
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  ASSERT_TRUE(world.bus().lose(1, 0, false));
  ann.sends(room, "later");
  world.commit();
  rest();
  world.settle();
  EXPECT_EQ(cid.rows(), (std::vector<Seq>{1, 4}));
  EXPECT_EQ(dan.rows(), (std::vector<Seq>{4}));
  world.advance_ms(kHoldResumeMs);
  world.settle();
  EXPECT_EQ(waits.rows(), (std::vector<Seq>{4}));
  for (const Person* person : {&cid, &dan, &waits}) person->forgets();
  ann.sends(room, "live");
  world.commit();
  for (const Person* person : {&cid, &dan, &waits})
    EXPECT_EQ(person->rows(), (std::vector<Seq>{5}));
}

// Eve was there when it was said, and leaves before she has fetched that it was changed.
TEST_F(TwoNodes, show_whoever_leaves_what_a_repair_has_read_of_their_time) {
  const ConversationId room = group({"ann", "cid"});
  const Person ann = arrives("ann", 0);
  const Person eve = arrives("eve", 1);
  const Person dan = arrives("dan", 1);
  ann.says(MemberAdd{room, {eve.id()}, Role::kMember});
  ann.sends(room, "old");
  world.commit();
  ann.says(MemberAdd{room, {dan.id()}, Role::kMember});
  world.commit();
  eve.forgets();
  ann.says(MessageEdit{.conversation = room, .message = {.seq = 2, .id = {}}, .content = "OLD"});
  is_lost_and_repaired(ann, room);
  ann.says(MemberRemove{room, eve.id()});
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  while (world.step_bus(1)) {
  }
  world.settle();
  rest();
  world.settle();
  std::vector<std::string> shown;
  for (const MessageNew& fresh : eve.overheard<MessageNew>())
    shown.push_back(fresh.message.content);
  for (const HistoryPage& page : eve.overheard<HistoryPage>())
    for (const Message& row : page.messages) shown.push_back(row.content);
  EXPECT_EQ(shown, (std::vector<std::string>{"OLD", "later"}));
  EXPECT_EQ(eve.overheard<MemberRemoved>().size(), 1U);
}

// Eve joined late; her node is cut off while somebody reacts to what was said before her, and she is removed.
class TwoNodesAndALateOne : public TwoNodes {
 protected:
  TwoNodesAndALateOne() {
    ann.sends(room, "secret");
    adds(eve);
  }
  void adds(const Person& person) {
    ann.says(MemberAdd{room, {person.id()}, Role::kMember});
    world.commit();
  }
  void reacts_to_the_secret() {
    ann.says(ReactionChange{.conversation = room, .message = {.seq = 1, .id = {}}, .emoji = "x"});
    world.commit(0);
  }
  void removes_eve() {
    ann.says(MemberRemove{room, eve.id()});
    world.commit(0);
  }
  void node_comes_back() {
    world.reconnect_bus(1);
    world.settle();
    rest();
    world.settle();
  }

  const ConversationId room = group({"ann", "cid"});
  const Person ann = arrives("ann", 0);
  const Person cid = arrives("cid", 1);
  const Person eve = arrives("eve", 1);
};

// The look that compares members finds her gone before the repair shows what she missed.
TEST_F(TwoNodesAndALateOne, is_shown_nothing_old_when_a_look_has_found_the_leaving_first) {
  for (const Person* person : {&cid, &eve}) person->forgets();
  world.disconnect_bus(1);
  reacts_to_the_secret();
  removes_eve();
  node_comes_back();
  EXPECT_TRUE(eve.rows().empty());
  EXPECT_EQ(cid.rows(), std::vector<Seq>{1});
  EXPECT_EQ(eve.overheard<MemberRemoved>().size(), 1U);
}

TEST_F(TwoNodesAndALateOne, is_shown_nothing_old_when_another_late_one_is_there) {
  const Person dan = arrives("dan", 1);
  adds(dan);
  for (const Person* person : {&eve, &dan}) person->forgets();
  world.disconnect_bus(1);
  reacts_to_the_secret();
  removes_eve();
  node_comes_back();
  EXPECT_TRUE(eve.rows().empty());
  EXPECT_TRUE(dan.rows().empty());
  EXPECT_EQ(eve.overheard<MemberRemoved>().size(), 1U);
}

TEST_F(TwoNodesAndALateOne, is_told_of_leaving_and_coming_back_behind_a_change_of_something_old) {
  eve.forgets();
  world.disconnect_bus(1);
  reacts_to_the_secret();
  ann.sends(room, "four");
  world.commit(0);
  removes_eve();
  ann.says(MemberAdd{room, {eve.id()}, Role::kMember});
  world.commit(0);
  ann.sends(room, "seven");
  world.commit(0);
  node_comes_back();
  std::vector<Seq> rows = eve.rows();
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(rows, (std::vector<Seq>{4, 6, 7}));  // 6: that she was added
  EXPECT_EQ(eve.overheard<MemberRemoved>().size(), 1U);
  EXPECT_EQ(eve.overheard<ConversationJoined>().size(), 1U);
}

// The page that hides something from her is the only read: nobody depends on another one.
TEST_F(TwoNodesAndALateOne, costs_nobody_the_connection_when_the_store_goes_away) {
  ann.says(ReactionChange{.conversation = room, .message = {.seq = 1, .id = {}}, .emoji = "x"});
  is_lost_and_repaired(ann, room);
  EXPECT_EQ(at(1).repairs.value(), 1U);
  world.reads_fail = true;
  world.settle();
  for (const Person* person : {&cid, &eve})
    EXPECT_FALSE(person->connection().is_closing || person->connection().closed_with);
}

// Ben begins at node 1, which reads the conversation for him; meanwhile dan is added elsewhere.
TEST_F(TwoNodes, tell_whoever_joins_while_the_conversation_is_read_once) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person dan = arrives("dan", 1);
  ann.sends(room, "one");
  world.commit();
  world.set_manual(true);
  (void)connects("ben", 1);
  ASSERT_TRUE(world.step_read_execute(1, 0));  // what he is in
  ASSERT_TRUE(world.step_read_answer(1, 0));
  while (world.step_link(1, 1)) {
  }
  ASSERT_TRUE(world.step_read_execute(1, 0));  // the conversation
  ann.says(MemberAdd{room, {dan.id()}, Role::kMember});
  ASSERT_TRUE(world.step_apply(0, 1, false, false));
  world.step_outcomes(0);
  while (world.step_bus(1)) {  // the word to dan; nobody listens to the room so far
  }
  ASSERT_TRUE(world.step_read_execute(1, 1));  // what dan is in
  ASSERT_TRUE(world.step_read_answer(1, 1));
  ASSERT_TRUE(world.step_read_answer(1, 0));  // the conversation, from before him
  world.set_manual(false);
  world.settle();
  rest();
  world.settle();
  ann.sends(room, "with dan");
  world.commit();
  EXPECT_EQ(dan.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(dan.seqs(), std::vector<Seq>{3});
}

// How many messages there were when somebody joined is for the store to say (doubt_marks).
TEST_F(TwoNodes, count_as_read_what_was_there_before_a_joining_that_came_while_they_loaded) {
  const ConversationId room = group({"ann", "ben"});
  const UserId cid = world.user("cid");
  const Person ann = arrives("ann", 0);
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.commit();
  world.set_manual(true);
  (void)connects("ben", 1);
  while (world.shard(1).sizes().conversations == 0) {
    ASSERT_TRUE(world.step_read_execute(1, 0));
    ASSERT_TRUE(world.step_read_answer(1, 0));
  }
  // The first read fails, so that listening begins before the one that counts.
  world.reads_fail = true;
  while (world.bus().take_effect(1, 0) || world.step_bus(1)) {
  }
  while (world.step_read_execute(1, 0)) world.step_read_answer(1, 0);
  world.reads_fail = false;
  world.advance_ms(kVerifyBackoffMaxMs);
  ASSERT_GT(world.reads_waiting(1), 0U);
  for (std::size_t i = 0; i < world.reads_waiting(1); ++i) (void)world.step_read_execute(1, i);
  ann.says(MemberAdd{room, {cid}, Role::kMember});
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  while (world.step_bus(1)) {
  }
  world.set_manual(false);
  world.settle();
  const std::uint32_t asked = world.request(cid, ConversationJoin{room}, 1);
  ASSERT_EQ(world.requests[asked].size(), 1U);
  const auto* info = std::get_if<ConversationInfo>(&world.requests[asked][0].event);
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->conversation.last_no, 3U);
  EXPECT_EQ(info->conversation.unread, 0U);
}

// His node does not know so far; another conversation, which it has to load, keeps the sync open.
TEST_F(TwoNodes, make_a_joining_that_is_heard_during_a_sync_part_of_it) {
  const ConversationId room = group({"ann", "cid"});
  const ConversationId elsewhere = group({"ann"});
  const Person ann = arrives("ann", 0);
  (void)arrives("cid", 1);  // the room is heard there
  const Person ben = connects("ben", 1, true);
  world.set_manual(true);
  ben.says(Sync{.cursors = {{room, 0}, {elsewhere, 0}}}, "sync");
  ann.says(MemberAdd{room, {ben.id()}, Role::kMember});
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  while (world.step_bus(1)) {
  }
  world.settle();
  ASSERT_EQ(ben.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(ben.answered<SyncDone>()[0].cursors,
            (std::vector<std::pair<ConversationId, Seq>>{{room, 1}}));
  ASSERT_EQ(ben.answered<HistoryPage>().size(), 1U);
  ASSERT_EQ(ben.answered<HistoryPage>()[0].messages.size(), 1U) << "that he was added";
  EXPECT_TRUE(ben.overheard<ConversationJoined>().empty());
}

// Marks of so many are told to nobody, so each who joins once more is answered after a look.
TEST_F(TwoNodes, go_on_while_somebody_joins_during_each_look) {
  std::vector<std::string> names = {"ann", "ben"};
  while (names.size() <= kReceiptFanoutMembersMax) names.push_back(std::to_string(names.size()));
  const ConversationId room = group(names);
  const Person ann = arrives("ann", 0), ben = arrives("ben", 0);
  world.set_manual(true);
  const auto asks = [&] {
    ben.says(ConversationJoin{room}, "join");
    while (world.step_link(0, 0)) {
    }
  };
  asks();
  ann.sends(room, "one");
  for (std::uint32_t i = 0; i < kBlockingLooksMax; ++i) {
    asks();
    ASSERT_TRUE(world.step_read_execute(0, 0));
    ASSERT_TRUE(world.step_read_answer(0, 0));
  }
  EXPECT_EQ(world.shard(0).sizes().pending, 1U) << "what ann says";
  world.set_manual(false);
  world.settle();
  EXPECT_FALSE(ben.answered<ConversationInfo>().empty());
}

// His other device has seen it; the look at what he is in began while he was.
TEST_F(TwoNodes, tell_nothing_that_a_look_found_before_a_sync_was_refused) {
  const ConversationId room = channel({"ann"});
  const Person ann = arrives("ann", 1), ben = arrives("ben", 0);
  ann.sends(room, "one");
  world.commit();
  world.set_manual(true);
  const auto is_committed = [&] {
    ASSERT_TRUE(world.step_apply(1, 1, false, false));
    ASSERT_TRUE(world.step_outcomes(1));
    while (world.step_bus(0)) {
    }
  };
  ann.says(MemberAdd{room, {ben.id()}, Role::kMember});  // 2
  is_committed();
  ASSERT_TRUE(world.step_read_execute(0, 0));
  ann.sends(room, "three");
  is_committed();
  ann.says(MemberRemove{room, ben.id()});  // 4
  is_committed();
  ben.says(Sync{{{room, 3}}}, "sync");
  while (world.reads_waiting(0) > 1) {
    ASSERT_TRUE(world.step_read_execute(0, 1));
    ASSERT_TRUE(world.step_read_answer(0, 1));
  }
  ASSERT_TRUE(world.step_read_answer(0, 0));
  world.set_manual(false);
  world.settle();
  rest();
  world.settle();
  ASSERT_EQ(ben.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(ben.answered<SyncDone>()[0].refused.size(), 1U);
  EXPECT_TRUE(ben.overheard<ConversationJoined>().empty());
  EXPECT_TRUE(ben.overheard<MemberRemoved>().empty());
  EXPECT_TRUE(ben.seqs().empty());
}

// Ben joins a channel at node 0, where the outcome is late; ann goes on at node 1 meanwhile, so that node 0 finds all of it
// in the store.
class TwoNodesAndALateJoining : public TwoNodes {
 protected:
  TwoNodesAndALateJoining() {
    ben.says(ConversationJoin{room}, "join");
    world.step_apply(0, 1, false, false);
  }
  void ann_goes_on() {
    ann.sends(room, "one");
    ann.sends(room, "two");
    world.commit(1);
    rest();
  }
  void outcome_comes() {
    world.step_outcomes(0);
    world.settle();
    ann.sends(room, "three");
    world.commit(1);
    rest();
  }
  void expect_told_once_before_all_that_is_heard() {
    int joined = 0;
    Seq cursor = 0;
    for (const Heard& heard : ben.connection().inbox) {
      if (const auto* told = std::get_if<ConversationJoined>(&heard.event)) {
        ++joined;
        cursor = told->conversation.last_seq;
      } else if (const auto* page = std::get_if<HistoryPage>(&heard.event)) {
        EXPECT_EQ(joined, 1);
        cursor = std::max(cursor, page->upto_seq);
      } else if (const auto* fresh = std::get_if<MessageNew>(&heard.event)) {
        EXPECT_EQ(joined, 1);
        EXPECT_EQ(fresh->message.seq, cursor + 1);
        cursor = fresh->message.seq;
      } else if (const auto* added = std::get_if<MemberAdded>(&heard.event)) {
        EXPECT_EQ(joined, 1);
        EXPECT_EQ(added->seq, cursor + 1);
        cursor = added->seq;
      }
    }
    EXPECT_EQ(joined, 1);
    EXPECT_EQ(cursor, 4U);
  }

  const ConversationId room = channel({"ann"});
  const Person ann = arrives("ann", 1);
  const Person ben = arrives("ben", 0);
};

TEST_F(TwoNodesAndALateJoining, is_answered_before_anything_is_heard) {
  FakeBus::Item committed;
  committed.kind = FakeBus::Item::Kind::kHint;
  committed.topic = topic_of(room);
  committed.hint = {
      .kind = NodeHint::Kind::kCommitted, .seq = 1, .conversation = room, .session = {}};
  world.bus().publish(1, committed);
  world.settle();
  rest();  // a repair publishes the joining, and what comes next stays in memory
  ann_goes_on();
  outcome_comes();
  EXPECT_EQ(ben.answered<ConversationJoined>().size(), 1U);
  expect_told_once_before_all_that_is_heard();
}

TEST_F(TwoNodesAndALateJoining, is_not_told_again_by_the_answer) {
  world.say_gap(0);
  ann_goes_on();
  ASSERT_EQ(ben.overheard<ConversationJoined>().size(), 1U) << "a look has found it";
  outcome_comes();
  EXPECT_EQ(ben.answered<ConversationInfo>().size(), 1U);
  expect_told_once_before_all_that_is_heard();
}

// By another device, at the node where ann is; here it is a duplicate, and its outcome is late.
TEST_F(TwoNodes, count_what_is_unread_for_whom_has_joined_already) {
  const ConversationId room = channel({"ann"});
  const Person ann = arrives("ann", 1);
  const Person ben = arrives("ben", 0);
  const Person ben_at_node_1 = arrives("ben", 1);
  (void)connects("ann", 0);  // the room is heard there
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.commit(1);
  ben.says(ConversationJoin{room}, "join");
  ben_at_node_1.says(ConversationJoin{room}, "join");
  world.commit(1);
  ASSERT_EQ(ben_at_node_1.answered<ConversationJoined>().size(), 1U);
  world.step_apply(0, 1, false, false);
  ann.sends(room, "four");
  world.commit(1);
  world.step_outcomes(0);
  world.settle();
  rest();
  ASSERT_EQ(ben.answered<ConversationInfo>().size(), 1U);
  const ConversationView view = ben.answered<ConversationInfo>()[0].conversation;
  EXPECT_EQ(view.role, Role::kMember);
  EXPECT_EQ(view.last_no, 4U);
  EXPECT_EQ(view.unread, 1U);
  EXPECT_EQ(ben.overheard<ConversationJoined>().size(), 1U);
  // What a look has found is not published so far, and counts.
  ben_at_node_1.says(MarkAdvance{room, 5, MarkKind::kSeen});
  world.commit(1);
  world.set_manual(true);
  ann.sends(room, "five");  // 6
  world.step_apply(1, 1, false, false);
  world.step_outcomes(1);
  ASSERT_TRUE(world.bus().lose(0, 0, false));
  world.set_manual(false);
  ben.says(ConversationJoin{room}, "again");
  world.settle();
  ASSERT_EQ(ben.answered<ConversationInfo>().size(), 2U);
  EXPECT_EQ(ben.answered<ConversationInfo>()[1].conversation.last_seq, 6U);
  EXPECT_EQ(ben.answered<ConversationInfo>()[1].conversation.unread, 1U);
}

// Whoever leaves has heard all up to that and hears nothing above, also where nobody says it but the store.
class TwoNodesAndALeaving : public TwoNodes {
 protected:
  // Ann says something, removes ben, and says something behind his back. `lost`: so many of these does nobody else hear.
  void ann_removes_ben(int lost) {
    ann.sends(room, "one");
    ann.says(MemberRemove{room, ben.id()});
    world.step_apply(0, 2, false, false);
    world.step_outcomes(0);
    lose(lost);
    ann.sends(room, "behind his back");
    world.step_apply(0, 1, false, false);
    world.step_outcomes(0);
  }
  void lose(int messages) {
    for (int i = 0; i < messages; ++i) ASSERT_TRUE(world.bus().lose(1, 0, false));
  }
  // Until the repair, and the look that it asks for, have ended.
  void comes_to_rest() {
    world.settle();
    rest();
    world.settle();
  }
  [[nodiscard]] static std::vector<Seq> rows(const Person& person) {
    std::vector<Seq> out = person.rows();
    std::sort(out.begin(), out.end());
    return out;
  }
  void expect_told_at(Seq seq) {
    ASSERT_EQ(ben.overheard<MemberRemoved>().size(), 1U);
    EXPECT_EQ(ben.overheard<MemberRemoved>()[0].seq, seq);
    EXPECT_EQ(ben.overheard<MemberRemoved>()[0].user, ben.id());
  }

  const ConversationId room = group({"ann", "ben", "cid"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  const Person cid = arrives("cid", 1);
};

// What he was told by is what the store said of him before; his node never knew him as a member.
TEST_F(TwoNodesAndALeaving, is_told_to_whom_a_look_has_found_and_nobody_else_knew) {
  const Person dan = arrives("dan", 1);
  ann.sends(room, "before him");
  world.commit();
  world.settle();
  world.set_manual(true);
  ann.says(MemberAdd{room, {dan.id()}, Role::kMember});
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  lose(1);  // the event; the word to him arrives
  while (world.step_bus(1)) {
  }
  ASSERT_GT(world.reads_waiting(1), 0U);
  while (world.step_read_execute(1, 0)) {
  }
  ann.sends(room, "with him");
  ann.says(MemberRemove{room, dan.id()});
  world.step_apply(0, 2, false, false);
  world.step_outcomes(0);
  lose(2);
  ann.sends(room, "without him");
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  lose(1);
  while (world.step_read_answer(1, 0)) {
  }
  comes_to_rest();
  ASSERT_EQ(dan.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(rows(dan), (std::vector<Seq>{3})) << "neither from before nor from after";
  ASSERT_EQ(dan.overheard<MemberRemoved>().size(), 1U);
  EXPECT_EQ(dan.overheard<MemberRemoved>()[0].seq, 4U);
}

TEST_F(TwoNodesAndALeaving, is_where_the_page_of_a_repair_ends) {
  ann_removes_ben(2);
  comes_to_rest();
  expect_told_at(2);
  EXPECT_EQ(rows(ben), (std::vector<Seq>{1}));
  EXPECT_EQ(cid.overheard<MemberRemoved>().size(), 1U);
  EXPECT_EQ(rows(cid), (std::vector<Seq>{1, 3}));
}

TEST_F(TwoNodesAndALeaving, is_told_also_when_a_look_finds_it_first) {
  world.disconnect_bus(1);
  ann_removes_ben(0);
  world.reconnect_bus(1);
  comes_to_rest();
  EXPECT_GT(at(1).looks.value(), 0U);
  expect_told_at(2);
  EXPECT_EQ(rows(ben), (std::vector<Seq>{1}));
  EXPECT_EQ(rows(cid), (std::vector<Seq>{1, 3}));
}

TEST_F(TwoNodesAndALeaving, is_told_before_the_coming_back_that_the_same_repair_finds) {
  world.disconnect_bus(1);
  ann_removes_ben(0);
  ann.says(MemberAdd{room, {ben.id()}, Role::kMember});
  world.commit(0);
  ann.sends(room, "welcome back");
  world.commit(0);
  world.reconnect_bus(1);
  comes_to_rest();
  expect_told_at(2);
  ASSERT_EQ(ben.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(ben.overheard<ConversationJoined>()[0].conversation.last_seq, 3U);
  ASSERT_EQ(ben.overheard<MemberAdded>().size(), 1U);
  EXPECT_EQ(ben.overheard<MemberAdded>()[0].seq, 4U);
  EXPECT_EQ(rows(ben), (std::vector<Seq>{1, 5}));
  EXPECT_EQ(rows(cid), (std::vector<Seq>{1, 3, 4, 5}));
  ann.sends(room, "and now");
  world.commit();
  EXPECT_EQ(rows(ben), (std::vector<Seq>{1, 5, 6}));
}

TEST_F(TwoNodesAndALeaving, waits_at_the_node_that_commits_it_for_what_is_missing_before_it) {
  ann.sends(room, "one");
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  lose(1);
  const Person eve = arrives("ann", 1);  // the owner, at the node of ben
  eve.says(MemberRemove{room, ben.id()});
  world.commit();
  EXPECT_TRUE(ben.overheard<MemberRemoved>().empty());
  comes_to_rest();
  expect_told_at(2);
  EXPECT_EQ(rows(ben), (std::vector<Seq>{1}));
}

// The repair brings it while the look that compares members has not been answered.
TEST_F(TwoNodesAndALeaving, counts_also_below_a_change_of_members_that_was_committed_here) {
  const Person eve = arrives("ann", 1);  // the owner, at the node of ben
  ann.says(MemberRemove{room, ben.id()});
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  lose(1);
  world.set_manual(true);
  eve.says(ConversationRename{room, "without him"});
  world.step_apply(1, 1, false, false);
  world.step_outcomes(1);
  ASSERT_EQ(world.reads_waiting(1), 1U);  // the look
  world.advance_ms(kRepairGraceMs);
  const auto all_but_the_look = [&] {
    while (world.step_read_execute(1, 1)) world.step_read_answer(1, 1);
  };
  all_but_the_look();
  ben.says(Sync{{{room, 0}}}, "sync");
  all_but_the_look();
  world.settle();
  expect_told_at(1);
  EXPECT_TRUE(ben.heard<HistoryPage>().empty());
  ASSERT_EQ(ben.heard<SyncDone>().size(), 1U);
  EXPECT_EQ(ben.heard<SyncDone>()[0].refused.size(), 1U);
}

}  // namespace
}  // namespace uproar::chat::testing
