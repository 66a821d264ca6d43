// Two nodes of one shard each on one store: what is committed on one is heard on the other, once and in order, whatever
// the bus between them does.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/core/chat/two_nodes.h"

namespace uproar::chat::testing {
namespace {

TEST_F(TwoNodes, hear_each_other_in_one_order) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ann.sends(room, "one");
  world.commit();
  ben.sends(room, "two");
  world.commit();
  ann.sends(room, "three");
  world.commit();
  EXPECT_EQ(ann.seqs(), (std::vector<Seq>{1, 2, 3}));
  EXPECT_EQ(ben.seqs(), (std::vector<Seq>{1, 2, 3}));
  EXPECT_EQ(ben.overheard<MessageNew>()[0].message.content, "one");
  EXPECT_EQ(at(0).repairs.value() + at(1).repairs.value(), 0U);
  EXPECT_EQ(at(1).node_events.value(), 2U);
}

TEST_F(TwoNodes, hold_what_comes_too_early_and_drop_what_comes_twice) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.step_apply(0, 3, false, false);
  world.step_outcomes(0);  // on the bus, not arrived
  ASSERT_TRUE(world.bus().swap(1, 0));
  ASSERT_TRUE(world.bus().swap(1, 1));  // 2, 3, 1
  ASSERT_TRUE(world.bus().repeat(1, 0));
  world.settle();
  EXPECT_EQ(ben.seqs(), (std::vector<Seq>{1, 2, 3}));
  EXPECT_EQ(at(1).node_events_held.value(), 2U);
  EXPECT_EQ(at(1).node_events_old.value(), 1U);
  EXPECT_EQ(at(1).repairs.value(), 0U);
}

TEST_F(TwoNodes, repair_a_hole_from_the_store) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ann.sends(room, "one");
  ann.sends(room, "two");
  world.step_apply(0, 2, false, false);
  world.step_outcomes(0);
  ASSERT_TRUE(world.bus().lose(1, 0, false));  // nobody says so
  world.settle();
  EXPECT_TRUE(ben.seqs().empty());
  rest();
  const auto pages = ben.overheard<HistoryPage>();
  ASSERT_EQ(pages.size(), 1U);
  EXPECT_EQ(pages[0].upto_seq, 2U);
  EXPECT_EQ(pages[0].messages.size(), 2U);
  EXPECT_EQ(at(1).repairs.value(), 1U);
  ann.sends(room, "three");
  world.commit();
  EXPECT_EQ(ben.seqs(), (std::vector<Seq>{3}));
}

TEST_F(TwoNodes, ask_the_store_again_when_it_could_not_answer) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ann.sends(room, "one");
  ann.sends(room, "two");
  world.step_apply(0, 2, false, false);
  world.step_outcomes(0);
  ASSERT_TRUE(world.bus().lose(1, 0, false));
  world.reads_fail = true;
  rest();
  rest();
  EXPECT_TRUE(ben.overheard<HistoryPage>().empty());
  world.reads_fail = false;
  world.advance_ms(kVerifyBackoffMaxMs);
  ASSERT_EQ(ben.overheard<HistoryPage>().size(), 1U);
}

TEST_F(TwoNodes, look_once_for_all_that_may_have_been_missed_while_the_store_was_away) {
  const ConversationId room = group({"ann", "ben"});
  const Person ben = arrives("ben", 1);
  world.reads_fail = true;
  for (int i = 0; i < 50; ++i) {
    world.say_gap(1);
    world.settle();
    world.bus().publish(0, joined_hint(ben.id(), room));
    world.settle();
  }
  const std::uint64_t before = at(1).audience_looks.value();
  world.reads_fail = false;
  for (int i = 0; i < 20; ++i) world.advance_ms(kAudienceLookRetryMs / 10);
  EXPECT_EQ(at(1).audience_looks.value() - before, 2U) << "all of ben's, and this one";
}

TEST_F(TwoNodes, believe_the_store_when_it_never_has_what_another_node_said) {
  const ConversationId room = group({"ann", "ben"});
  const Person ben = arrives("ben", 1);
  FakeBus::Item wrong;
  wrong.topic = topic_of(room);
  wrong.seq = 1;
  JsonWriter json;
  encode(ServerEvent(MemberAdded{.conversation = room,
                                 .seq = 1,
                                 .user = world.user("eve"),
                                 .role = Role::kMember,
                                 .by = world.user("ann"),
                                 .at_us = 1}),
         {}, json);
  wrong.payload = std::string(json.text());
  world.bus().publish(0, wrong);
  world.settle();
  ASSERT_EQ(ben.overheard<MemberAdded>().size(), 1U);
  const std::uint64_t loaded = at(1).conversations_loaded.value();
  world.set_manual(true);
  world.say_gap(1);
  const auto read = [&](std::uint32_t times) {
    std::uint32_t done = 0;
    for (; done < times && world.reads_waiting(1) > 0; ++done) {
      world.step_read_execute(1, 0);
      world.step_read_answer(1, 0);
    }
    return done;
  };
  EXPECT_LT(read(100), 10U) << "again, but not at once";
  std::uint32_t later = 0;
  for (int i = 0; i < 100; ++i) {
    world.advance_ms(100);
    later += read(100);
  }
  EXPECT_LE(later, kOldLoadsMax + 2);
  EXPECT_LE(at(1).conversations_loaded.value() - loaded, kOldLoadsMax);
  EXPECT_EQ(world.reads_waiting(1), 0U);
}

TEST_F(TwoNodes, find_what_a_dead_node_committed_and_did_not_publish) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ann.sends(room, "last words");
  world.step_apply(0, 1, false, false);
  world.kill_node(0);
  world.settle();
  rest();
  EXPECT_TRUE(ben.overheard<HistoryPage>().empty());
  world.say_gap(1);
  world.settle();
  rest();
  ASSERT_EQ(ben.overheard<HistoryPage>().size(), 1U);
  EXPECT_EQ(ben.overheard<HistoryPage>()[0].messages[0].content, "last words");
}

TEST_F(TwoNodes, find_what_was_said_while_a_node_had_no_bus) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  world.bus().disconnect(1);
  ann.sends(room, "one");
  world.commit();
  ben.sends(room, "two");
  world.commit();
  EXPECT_EQ(ann.seqs(), (std::vector<Seq>{1}));
  world.reconnect_bus(1);
  world.settle();
  rest();
  world.settle();
  ASSERT_EQ(ann.overheard<HistoryPage>().size(), 1U);  // told that something was lost, and looked
  EXPECT_EQ(ann.overheard<HistoryPage>()[0].upto_seq, 2U);
  ASSERT_EQ(ben.overheard<HistoryPage>().size(), 1U);
  EXPECT_EQ(ben.overheard<HistoryPage>()[0].upto_seq, 2U);
}

TEST_F(TwoNodes, owe_each_other_word_of_a_commit_until_its_end_is_known) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ann.sends(room, "one");
  world.step_apply(0, 1, false, true);  // it is there, and its answer is lost
  world.step_outcomes(0);
  EXPECT_TRUE(world.shard(0).owes_nodes());
  EXPECT_FALSE(world.shard(1).owes_nodes());
  world.settle();
  rest();
  EXPECT_FALSE(world.shard(0).owes_nodes());
  rest();  // ben's node has looked, and reads the hole
  EXPECT_EQ(ben.overheard<HistoryPage>().size(), 1U);
}

TEST_F(TwoNodes, tell_who_is_added_and_removed_wherever_they_are) {
  const ConversationId room = group({"ann"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ann.says(MemberAdd{room, {ben.id()}, Role::kMember});
  world.commit();
  ASSERT_EQ(ben.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(ben.overheard<ConversationJoined>()[0].conversation.id, room);
  ann.sends(room, "welcome");
  world.commit();
  EXPECT_EQ(ben.overheard<MessageNew>().size(), 1U);
  ann.says(MemberRemove{room, ben.id()});
  world.commit();
  EXPECT_EQ(ben.overheard<MemberRemoved>().size(), 1U);
  ann.sends(room, "alone");
  world.commit();
  EXPECT_EQ(ben.overheard<MessageNew>().size(), 1U);
}

TEST_F(TwoNodes, find_a_joining_that_nobody_could_tell) {
  const ConversationId room = group({"ann"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  world.bus().disconnect(1);
  ann.says(MemberAdd{room, {ben.id()}, Role::kMember});
  world.commit();
  EXPECT_TRUE(ben.overheard<ConversationJoined>().empty());
  world.reconnect_bus(1);
  world.settle();
  EXPECT_EQ(ben.overheard<ConversationJoined>().size(), 1U);
}

TEST_F(TwoNodes, refuse_no_member_who_joined_on_the_other_node) {
  const ConversationId room = channel({"ann"});
  (void)arrives("ann", 1);  // so that node 1 knows the room without ben
  const Person ben = arrives("ben", 1);
  world.advance_ms(kMembersTrustedMs + 1);
  world.bus().disconnect(1);
  world.request(ben.id(), ConversationJoin{room}, 0);
  world.commit();
  ben.sends(room, "hello");
  world.commit();
  EXPECT_EQ(ben.refused(), ErrorCode::kForbidden);  // a member, who may not post in a channel
}

TEST_F(TwoNodes, call_whoever_was_removed_no_member_whichever_of_them_knew_first) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ben.sends(room, "hello", "k");
  world.commit();
  world.bus().disconnect(1);  // so that node 1 does not hear of it
  ann.says(MemberRemove{room, ben.id()});
  world.commit();
  ben.sends(room, "more", "k2");
  ben.says(ReactionChange{room, {.seq = 1, .id = {}}, "+", true}, "2");
  ben.says(MarkAdvance{room, 2, MarkKind::kSeen}, "3");
  ben.sends(room, "hello", "k");
  world.commit();
  std::vector<ErrorCode> codes;
  for (const Error& error : ben.heard<Error>()) codes.push_back(error.code);
  EXPECT_EQ(codes, std::vector(3, ErrorCode::kNotMember));
  ASSERT_EQ(ben.answered<MessageSent>().size(), 2U);
  EXPECT_TRUE(ben.answered<MessageSent>()[1].duplicate);
}

TEST_F(TwoNodes, call_whoever_left_by_another_device_no_member) {
  const ConversationId room = group({"ann", "ben"});
  const Person here = arrives("ben", 0);
  const Person there = arrives("ben", 1);
  here.says(ConversationLeave{room});
  there.says(ConversationLeave{room});
  world.commit(0);
  world.commit(1);
  EXPECT_EQ(here.answered<MemberRemoved>().size(), 1U);
  EXPECT_EQ(there.refused(), ErrorCode::kNotMember);
}

TEST_F(TwoNodes, end_a_session_that_was_revoked_elsewhere) {
  const Person ann = arrives("ann", 0);
  const Person same = arrives("ann", 1);
  world.shard(0).revoke_session(ann.id(), same.connection().session);
  world.settle();
  EXPECT_FALSE(same.connection().is_open);
  EXPECT_TRUE(ann.connection().is_open);
}

TEST_F(TwoNodes, hear_typing_events_and_receipts_of_each_other) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  ann.says(TypingChange{room, true});
  ann.says(EventPublish{room, "cursor", "7"});
  ann.sends(room, "one");
  world.commit();
  ben.says(MarkAdvance{room, 1, MarkKind::kSeen});
  world.commit();
  EXPECT_EQ(ben.overheard<Event>().size(), 1U);
  EXPECT_EQ(ben.overheard<TypingUpdate>().size(), 2U);  // and that it ended with the message
  ASSERT_EQ(ann.overheard<ReceiptUpdate>().size(), 1U);
  EXPECT_EQ(ann.overheard<ReceiptUpdate>()[0].read_seq, 1U);
}

// Whether the node that said it knows that it was lost, or the one that was to hear it.
TEST_F(TwoNodes, announce_a_mark_whose_announcement_was_lost) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  const Person ben_at_node_0 = arrives("ben", 0);
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.commit();
  const auto is_lost = [&](Seq seq, MarkKind kind, bool is_told) {
    ben.says(MarkAdvance{room, seq, kind});
    world.set_manual(true);
    world.step_apply(1, 1, false, false);
    world.step_outcomes(1);
    ASSERT_TRUE(world.bus().lose(0, 0, is_told));
    world.set_manual(false);
    world.settle();
  };
  is_lost(1, MarkKind::kDelivered, true);
  ASSERT_EQ(ann.overheard<ReceiptUpdate>().size(), 1U);
  EXPECT_EQ(ann.overheard<ReceiptUpdate>()[0].delivered_seq, 1U);
  EXPECT_EQ(ann.overheard<ReceiptUpdate>()[0].read_seq, 0U);
  is_lost(2, MarkKind::kSeen, false);
  ASSERT_EQ(ann.overheard<ReceiptUpdate>().size(), 1U);
  world.say_gap(0);
  world.settle();
  ASSERT_EQ(ann.overheard<ReceiptUpdate>().size(), 2U);
  EXPECT_EQ(ann.overheard<ReceiptUpdate>()[1].read_seq, 2U);
  EXPECT_EQ(ann.overheard<ReceiptUpdate>()[1].user, ben.id());
  EXPECT_EQ(ben_at_node_0.overheard<ReceiptUpdate>().size(), 2U);
  world.say_gap(0);
  world.settle();
  EXPECT_EQ(ann.overheard<ReceiptUpdate>().size(), 2U) << "it says nothing that is known";
  const Person comes = connects("ann", 0, true);
  comes.says(Sync{{{room, 0}}});
  world.settle();
  ASSERT_EQ(comes.answered<HistoryPage>().size(), 1U);
  ASSERT_EQ(comes.answered<HistoryPage>()[0].messages.size(), 3U);
  EXPECT_NE(comes.answered<HistoryPage>()[0].messages[1].seen_at_us, 0);
}

// The node of whoever joins by a message reads of it in the store, and of the mark that it moved.
TEST_F(TwoNodes, tell_of_no_mark_that_the_message_tells_of) {
  const Person ann = arrives("ann", 0), desk = arrives("ann", 1), ben = arrives("ben", 1);
  MessageSend first;
  first.client_id = "c";
  first.to = ben.id();
  first.content = "hello";
  ann.says(std::move(first));
  world.commit();
  rest();
  for (const Person& who : {ann, desk, ben}) {
    EXPECT_EQ(who.rows(), (std::vector<Seq>{1}));
    EXPECT_TRUE(who.heard<ReceiptUpdate>().empty());
  }
}

// Of so many nobody is told how far they have read.
TEST_F(TwoNodes, show_nothing_as_unread_that_was_read_on_the_other_node) {
  std::vector<std::string> names = {"ann", "ben"};
  while (names.size() <= kReceiptFanoutMembersMax) names.push_back(std::to_string(names.size()));
  const ConversationId room = group(names);
  const Person ann = arrives("ann", 0);
  const Person phone = arrives("ben", 1);
  const Person desk = arrives("ben", 0);
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.commit();
  phone.says(MarkAdvance{room, 2, MarkKind::kSeen});
  world.commit();
  desk.says(UnreadFetch{5});
  const auto pages = desk.answered<HistoryPage>();
  ASSERT_EQ(pages.size(), 1U);
  ASSERT_EQ(pages[0].messages.size(), 1U);
  EXPECT_EQ(pages[0].messages[0].content, "three");
}

TEST_F(TwoNodes, know_what_was_read_before_a_creation_had_its_outcome) {
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 1);
  MessageSend first;
  first.client_id = "c";
  first.to = ben.id();
  first.content = "hello";
  world.set_manual(true);
  ann.says(std::move(first));
  while (world.bus().take_effect(0, 0) || world.step_bus(0)) {
  }
  world.set_manual(false);
  world.settle();  // listening had begun before it was created
  world.step_apply(0, 2, false, false);
  ben.says(MarkAdvance{direct_conversation_id(ann.id(), ben.id()), 1, MarkKind::kSeen});
  world.commit(1);
  world.set_manual(true);
  while (world.step_outcomes(0)) {
  }
  while (world.step_link(0, 0)) {
  }
  ConversationCreate the_same;
  the_same.kind = ConversationKind::kDirect;
  the_same.members = {ann.id()};
  const std::uint32_t asked = world.request(ben.id(), std::move(the_same), 0);
  world.set_manual(false);
  world.settle();
  ASSERT_EQ(world.requests[asked].size(), 1U);
  const auto* created = std::get_if<ConversationCreated>(&world.requests[asked][0].event);
  ASSERT_NE(created, nullptr);
  EXPECT_TRUE(created->duplicate);
  EXPECT_EQ(created->conversation.last_no, 1U);
  EXPECT_EQ(created->conversation.unread, 0U);
}

TEST_F(TwoNodes, keep_what_is_heard_and_refuse_what_does_not_fit) {
  group({"ann"});
  group({"ann"});
  const Person ann = arrives("ann", 0);
  EXPECT_TRUE(ann.connection().is_open);
  group({"ben"});
  const Person ben = connects("ben", 0);
  EXPECT_FALSE(ben.connection().is_open);
  ASSERT_TRUE(ben.connection().closed_with.has_value());
  EXPECT_EQ(ben.connection().closed_with->code, ErrorCode::kOverloaded);
  world.disconnect(ann.connection());
  const Person again = connects("ben", 0);
  EXPECT_TRUE(again.connection().is_open);
}

TEST_F(TwoNodes, resume_on_the_other_node_with_the_same_cursor) {
  const ConversationId room = group({"ann", "ben"});
  const Person ann = arrives("ann", 0);
  const Person ben = arrives("ben", 0);
  ann.sends(room, "one");
  world.commit();
  world.disconnect(ben.connection(), false);
  ann.sends(room, "two");
  world.commit();
  const Person back = connects("ben", 1, true);
  back.says(Sync{.cursors = {{room, 1}}});
  ann.sends(room, "three");
  world.commit();
  const auto pages = back.answered<HistoryPage>();
  ASSERT_EQ(pages.size(), 1U);
  ASSERT_EQ(pages[0].messages.size(), 1U);
  EXPECT_EQ(pages[0].messages[0].content, "two");
  EXPECT_EQ(back.seqs(), (std::vector<Seq>{3}));
}

}  // namespace
}  // namespace uproar::chat::testing
