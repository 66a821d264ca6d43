#include <functional>

#include <gmock/gmock.h>

#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Conversations = ChatTest;

TEST_F(Conversations, a_message_is_acked_and_heard_only_after_its_commit) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.sends(room, "hi");
  EXPECT_THAT(alice.heard<MessageSent>(), IsEmpty());
  EXPECT_THAT(bob.heard<MessageNew>(), IsEmpty());
  world.commit();
  ASSERT_THAT(alice.answered<MessageSent>(), SizeIs(1));
  EXPECT_EQ(alice.answered<MessageSent>()[0].seq, 1U);
  ASSERT_THAT(bob.overheard<MessageNew>(), SizeIs(1));
  EXPECT_EQ(bob.overheard<MessageNew>()[0].message.content, "hi");
  EXPECT_THAT(alice.seqs(), ElementsAre(1));  // the sender's connections hear it, too
}

TEST_F(Conversations, nobody_hears_what_failed_and_a_retry_is_stored_once) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.sends(room, "hi", "k");
  world.fail_commits();
  EXPECT_EQ(alice.refused(), ErrorCode::kUnavailable);
  EXPECT_EQ(alice.heard<Error>()[0].retry_after_ms, 250U);
  EXPECT_THAT(bob.heard<MessageNew>(), IsEmpty());
  world.advance_ms(1);
  alice.sends(room, "hi", "k");
  world.commit();
  alice.sends(room, "hi", "k");
  world.commit();
  ASSERT_THAT(alice.answered<MessageSent>(), SizeIs(2));
  EXPECT_FALSE(alice.answered<MessageSent>()[0].duplicate);
  EXPECT_TRUE(alice.answered<MessageSent>()[1].duplicate);
  EXPECT_EQ(alice.answered<MessageSent>()[1].seq, 1U);
  EXPECT_THAT(bob.seqs(), ElementsAre(1));
  alice.sends(room, "another", "k");
  world.commit();
  EXPECT_EQ(alice.refused(), ErrorCode::kKeyReused);
}

TEST_F(Conversations, a_commit_whose_answer_was_lost_is_heard_as_a_page) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.sends(room, "one");
  world.lose_answers();
  EXPECT_EQ(alice.refused(), ErrorCode::kUnavailable);
  EXPECT_THAT(bob.heard<HistoryPage>(), IsEmpty());
  world.advance_ms(1);
  ASSERT_THAT(bob.overheard<HistoryPage>(), SizeIs(1));
  EXPECT_EQ(bob.overheard<HistoryPage>()[0].upto_seq, 1U);
  EXPECT_EQ(counters().repairs.value(), 1U);
  alice.sends(room, "two");
  world.commit();
  EXPECT_THAT(bob.seqs(), ElementsAre(2));
}

// Something is staged at any time, and the read that would have closed the hole has failed once.
TEST_F(Conversations, a_hole_is_closed_however_busy_the_conversation_is) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.sends(room, "one");
  world.commit();
  storage::AppendMessage unheard_of;
  unheard_of.client_id = "c0";
  unheard_of.content = "unheard of";
  (void)world.model().apply({.ticket = 0,
                             .conversation = room,
                             .actor = alice.id(),
                             .at_us = 1,
                             .body = std::move(unheard_of)});
  alice.sends(room, "heard of");
  world.step_apply(0, 1, false, false);
  alice.sends(room, "staged");
  world.reads_fail = true;
  world.step_outcomes(0);
  world.settle();
  world.reads_fail = false;
  for (int i = 0; i < 20; ++i) {
    alice.sends(room, "more");  // before the outcome of the one before
    world.step_apply(0, 1, false, false);
    world.step_outcomes(0);
    world.advance_ms(kVerifyBackoffMaxMs);
  }
  ASSERT_FALSE(bob.overheard<HistoryPage>().empty());
  EXPECT_EQ(bob.overheard<HistoryPage>()[0].messages[0].content, "unheard of");
  EXPECT_THAT(bob.seqs(), Not(IsEmpty())) << "and then live again";
}

TEST_F(Conversations, who_is_removed_by_a_commit_whose_answer_is_lost_is_told_so) {
  const auto room = group({"alice", "bob", "carol"});
  const Person alice = arrives("alice"), bob = arrives("bob"), carol = arrives("carol");
  alice.says(MemberRemove{room, bob.id()});
  world.lose_answers();
  EXPECT_EQ(alice.refused(), ErrorCode::kUnavailable);
  world.advance_ms(1);
  ASSERT_THAT(bob.overheard<MemberRemoved>(), SizeIs(1));
  EXPECT_EQ(bob.overheard<MemberRemoved>()[0].user, bob.id());
  EXPECT_EQ(bob.overheard<MemberRemoved>()[0].seq, 1U);
  EXPECT_THAT(carol.overheard<MemberRemoved>(), SizeIs(1));
  alice.sends(room, "behind his back");
  world.commit();
  EXPECT_THAT(bob.seqs(), IsEmpty());
  EXPECT_THAT(carol.seqs(), ElementsAre(2));
}

TEST_F(Conversations, a_first_direct_message_makes_the_conversation) {
  const Person alice = arrives("alice"), bob = arrives("bob");
  MessageSend send;
  send.to = bob.id();
  send.client_id = "1";
  send.content = "hello";
  alice.says(send);
  EXPECT_EQ(world.staged(), 2U);  // both in one batch
  world.commit();
  ASSERT_THAT(alice.answered<MessageSent>(), SizeIs(1));
  EXPECT_EQ(alice.answered<MessageSent>()[0].conversation,
            direct_conversation_id(alice.id(), bob.id()));
  ASSERT_THAT(bob.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_EQ(bob.overheard<ConversationJoined>()[0].conversation.kind, ConversationKind::kDirect);
  EXPECT_THAT(bob.seqs(), ElementsAre(1));
  bob.sends(alice.answered<MessageSent>()[0].conversation, "hello yourself");
  world.commit();
  EXPECT_THAT(alice.seqs(), ElementsAre(1, 2));
}

TEST_F(Conversations, a_direct_message_needs_another_and_known_user) {
  const Person alice = arrives("alice");
  MessageSend send;
  send.client_id = "1";
  send.content = "x";
  send.to = alice.id();
  alice.says(send);
  EXPECT_EQ(alice.refused(), ErrorCode::kInvalidField);
  send.to = UserId(Uuid{1, 2});
  alice.says(send);
  world.commit();
  EXPECT_EQ(alice.refused(), ErrorCode::kNotFound);
  EXPECT_EQ(world.shard(0).sizes().conversations, 0U);
}

TEST_F(Conversations, a_creation_whose_answer_was_lost_reaches_its_members) {
  const Person alice = arrives("alice"), bob = arrives("bob");
  MessageSend send;
  send.to = bob.id();
  send.client_id = "1";
  send.content = "hello";
  alice.says(send);
  world.lose_answers();
  world.advance_ms(1);
  EXPECT_THAT(bob.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_FALSE(bob.overheard<HistoryPage>().empty() && bob.seqs().empty());
}

TEST_F(Conversations, edits_deletions_and_reactions_are_events_of_their_own) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  bob.sends(room, "helo");
  world.commit();
  bob.says(MessageEdit{room, {.seq = 1, .id = {}}, "hello"});
  alice.says(ReactionChange{room, {.seq = 1, .id = {}}, "+", true});
  world.commit();
  alice.says(ReactionChange{room, {.seq = 1, .id = {}}, "+", true});  // so it was
  alice.says(MessageDelete{room, {.seq = 1, .id = {}}});              // the owner may
  world.commit();
  ASSERT_THAT(alice.overheard<MessageUpdated>(), SizeIs(1));
  EXPECT_EQ(alice.overheard<MessageUpdated>()[0].seq, 2U);
  EXPECT_EQ(alice.overheard<MessageUpdated>()[0].content, "hello");
  EXPECT_EQ(bob.overheard<ReactionUpdated>()[0].seq, 3U);
  EXPECT_THAT(bob.overheard<ReactionUpdated>(), SizeIs(1));
  EXPECT_EQ(alice.answered<ReactionUpdated>()[1].seq, 0U);
  EXPECT_EQ(bob.overheard<MessageDeleted>()[0].seq, 4U);
  EXPECT_EQ(bob.overheard<MessageDeleted>()[0].by, alice.id());
}

// --- each command and each refusal ---------------------------------------------------------------------------------

struct Refusal {
  const char* name;
  ErrorCode code;
  std::function<ClientEvent(ConversationId group, ConversationId channel, ConversationId direct,
                            UserId other)>
      says;
  const char* who = "bob";  // alice: owner; bob: member; eve: a member of nothing
};
const MessageRef kFirst{.seq = 1, .id = {}};
MessageSend message(ConversationId conversation, std::string content = "x") {
  MessageSend send;
  send.conversation = conversation;
  send.client_id = "k";
  send.content = std::move(content);
  return send;
}
// An event by a stand-in for each id: g, c, d are a group, a channel and a direct conversation.
#define SAYS(...)                                                                         \
  [](ConversationId g, ConversationId c, ConversationId d, UserId other) -> ClientEvent { \
    (void)g, (void)c, (void)d, (void)other;                                               \
    return __VA_ARGS__;                                                                   \
  }
const Refusal kRefusals[] = {
    {"send_by_a_stranger", ErrorCode::kNotMember, SAYS(message(g)), "eve"},
    {"send_nowhere", ErrorCode::kNotMember, SAYS(message(ConversationId(Uuid{9, 9})))},
    {"send_to_a_direct_one_by_a_stranger", ErrorCode::kNotMember, SAYS(message(d)), "eve"},
    {"send_in_a_channel_by_a_member", ErrorCode::kForbidden, SAYS(message(c))},
    {"send_too_much", ErrorCode::kTooLarge, SAYS(message(g, std::string(16 * 1024 + 1, 'x')))},
    {"send_as_system", ErrorCode::kInvalidField, SAYS([&] {
       auto m = message(g);
       m.type = MessageType::kSystem;
       return m;
     }())},
    {"reply_to_nothing", ErrorCode::kNotFound, SAYS([&] {
       auto m = message(g);
       m.reply_to = 77;
       return m;
     }())},
    {"edit_of_anothers", ErrorCode::kForbidden, SAYS(MessageEdit{g, kFirst, "y"})},
    {"edit_too_much", ErrorCode::kTooLarge,
     SAYS(MessageEdit{g, kFirst, std::string(16 * 1024 + 1, 'x')}), "alice"},
    {"edit_of_nothing", ErrorCode::kNotFound, SAYS(MessageEdit{g, {.seq = 50, .id = {}}, "y"})},
    {"edit_by_a_stranger", ErrorCode::kNotMember, SAYS(MessageEdit{g, kFirst, "y"}), "eve"},
    {"delete_of_anothers", ErrorCode::kForbidden, SAYS(MessageDelete{g, kFirst})},
    {"delete_by_a_stranger", ErrorCode::kNotMember, SAYS(MessageDelete{g, kFirst}), "eve"},
    {"react_to_nothing", ErrorCode::kNotFound,
     SAYS(ReactionChange{g, {.seq = 50, .id = {}}, "+", true})},
    {"react_by_a_stranger", ErrorCode::kNotMember, SAYS(ReactionChange{g, kFirst, "+", true}),
     "eve"},
    {"mark_by_a_stranger", ErrorCode::kNotMember, SAYS(MarkAdvance{g, 1, MarkKind::kSeen}), "eve"},
    {"event_by_a_stranger", ErrorCode::kNotMember, SAYS(EventPublish{g, "n", "1"}), "eve"},
    {"event_too_large", ErrorCode::kTooLarge, SAYS(EventPublish{g, "n", std::string(8193, '1')})},
    {"typing_by_a_stranger", ErrorCode::kNotMember, SAYS(TypingChange{g, true}), "eve"},
    {"typing_in_a_channel_by_a_member", ErrorCode::kForbidden, SAYS(TypingChange{c, true})},
    {"history_by_a_stranger", ErrorCode::kNotMember,
     SAYS(History{.conversation = g, .before_seq = {}, .after_seq = {}}), "eve"},
    {"history_both_ways", ErrorCode::kInvalidField,
     SAYS(History{.conversation = g, .before_seq = 3, .after_seq = 1})},
    {"get_by_a_stranger", ErrorCode::kNotFound, SAYS(ConversationGet{g}), "eve"},
    {"join_a_direct_one", ErrorCode::kNotFound, SAYS(ConversationJoin{d}), "eve"},
    {"join_nowhere", ErrorCode::kNotFound, SAYS(ConversationJoin{ConversationId(Uuid{9, 9})}),
     "eve"},
    {"join_a_group", ErrorCode::kForbidden, SAYS(ConversationJoin{g}), "eve"},
    {"leave_by_a_stranger", ErrorCode::kNotMember, SAYS(ConversationLeave{g}), "eve"},
    {"leave_a_direct_one", ErrorCode::kConflict, SAYS(ConversationLeave{d})},
    {"add_by_a_member", ErrorCode::kForbidden, SAYS(MemberAdd{g, {other}, Role::kMember})},
    {"add_to_a_direct_one", ErrorCode::kConflict, SAYS(MemberAdd{d, {other}, Role::kMember})},
    {"add_nobody_known", ErrorCode::kNotFound,
     SAYS(MemberAdd{g, {UserId(Uuid{1, 2})}, Role::kMember}), "alice"},
    {"remove_by_a_member", ErrorCode::kForbidden, SAYS(MemberRemove{g, other})},
    {"remove_nobody", ErrorCode::kNotFound, SAYS(MemberRemove{g, UserId(Uuid{1, 2})}), "alice"},
    {"rename_by_a_member", ErrorCode::kForbidden, SAYS(ConversationRename{g, "n"})},
    {"rename_a_direct_one", ErrorCode::kConflict, SAYS(ConversationRename{d, "n"})},
    {"role_by_a_member", ErrorCode::kForbidden, SAYS(MemberRole{g, other, Role::kAdmin})},
    {"role_of_nobody", ErrorCode::kNotFound, SAYS(MemberRole{g, UserId(Uuid{1, 2}), Role::kAdmin}),
     "alice"},
    {"last_owner_steps_down", ErrorCode::kConflict, SAYS(MemberRole{g, other, Role::kMember}),
     "alice"},
    {"mute_by_a_stranger", ErrorCode::kNotMember, SAYS(ConversationMute{g, 5}), "eve"},
    {"create_a_direct_one_alone", ErrorCode::kInvalidField,
     SAYS(ConversationCreate{
         .kind = ConversationKind::kDirect, .name = {}, .client_id = {}, .members = {}})},
    {"create_with_nobody_known", ErrorCode::kNotFound,
     SAYS(ConversationCreate{.kind = ConversationKind::kGroup,
                             .name = "n",
                             .client_id = {},
                             .members = {UserId(Uuid{1, 2})}})},
    {"sync_of_too_many", ErrorCode::kTooLarge,
     SAYS(Sync{std::vector<std::pair<ConversationId, Seq>>(1001)})},
    {"presence_of_too_many", ErrorCode::kTooLarge, SAYS(PresenceGet{std::vector<UserId>(257)})},
    {"open_again", ErrorCode::kAlreadyOpen, SAYS(SessionOpen{"t"})},
};
#undef SAYS

class Refused : public ChatTest, public ::testing::WithParamInterface<Refusal> {};
TEST_P(Refused, has_its_code_and_stores_nothing) {
  const auto g = group({"alice", "bob"});
  const auto c = channel({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob"), eve = arrives("eve");
  alice.sends(g, "first");
  MessageSend to_bob;
  to_bob.to = bob.id();
  to_bob.client_id = "d";
  to_bob.content = "x";
  alice.says(to_bob);
  world.commit();
  const auto d = direct_conversation_id(alice.id(), bob.id());
  const std::string who = GetParam().who;
  const Person& speaker = who == "alice" ? alice : who == "bob" ? bob : eve;
  speaker.forgets();
  const auto before = world.model().load_conversation(g)->last_seq;
  speaker.says(GetParam().says(g, c, d, alice.id()), "7");
  world.commit();
  ASSERT_THAT(speaker.heard<Error>(), SizeIs(1));
  EXPECT_EQ(speaker.refused(), GetParam().code);
  EXPECT_EQ(speaker.connection().inbox.front().id, "7");
  EXPECT_EQ(world.model().load_conversation(g)->last_seq, before);
  EXPECT_FALSE(speaker.connection().is_closing);
}
INSTANTIATE_TEST_SUITE_P(Each, Refused, ::testing::ValuesIn(kRefusals),
                         [](const auto& param) { return std::string(param.param.name); });

// Without an id the answer would look just like the event: one of them is enough.
TEST_F(Conversations, a_change_said_without_an_id_is_heard_once_by_who_said_it) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.sends(room, "hi");
  world.commit();
  const MessageRef first{.seq = 1, .id = {}};
  alice.says(MessageEdit{room, first, "hello"}, "");
  alice.says(ReactionChange{room, first, "x", true}, "");
  world.commit();
  alice.says(ConversationRename{room, "lions"}, "");
  alice.says(MemberAdd{room, {world.user("carl")}, Role::kMember}, "");
  world.commit();
  alice.says(MemberRole{room, bob.id(), Role::kAdmin}, "");
  world.commit();
  alice.says(MemberRemove{room, bob.id()}, "");
  world.commit();
  alice.says(MessageDelete{room, first}, "");
  world.commit();
  EXPECT_THAT(alice.heard<MessageUpdated>(), SizeIs(1));
  EXPECT_THAT(alice.heard<ReactionUpdated>(), SizeIs(1));
  EXPECT_THAT(alice.heard<ConversationUpdated>(), SizeIs(2));
  EXPECT_THAT(alice.heard<MemberAdded>(), SizeIs(1));
  EXPECT_THAT(alice.heard<MemberRemoved>(), SizeIs(1));
  EXPECT_THAT(alice.heard<MessageDeleted>(), SizeIs(1));
  alice.says(MessageDelete{room, first}, "");
  world.commit();
  EXPECT_THAT(alice.heard<MessageDeleted>(), SizeIs(2)) << "nothing changed: only the answer says";
}

TEST_F(Conversations, a_store_that_is_down_refuses_with_a_time_to_come_back) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  world.log_is_down = true;
  alice.sends(room, "x");
  EXPECT_EQ(alice.refused(), ErrorCode::kUnavailable);
  EXPECT_EQ(alice.heard<Error>()[0].retry_after_ms, 250U);
}

TEST_F(Conversations, history_comes_from_memory_and_says_so_while_the_store_is_down) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  alice.sends(room, "one");
  world.commit();
  const History history{.conversation = room, .before_seq = {}, .after_seq = {}};
  alice.says(history);
  EXPECT_FALSE(alice.answered<HistoryPage>()[0].stale);
  world.reads_fail = true;
  alice.says(history);
  ASSERT_THAT(alice.answered<HistoryPage>(), SizeIs(2));
  EXPECT_TRUE(alice.answered<HistoryPage>()[1].stale);
  EXPECT_EQ(alice.answered<HistoryPage>()[1].messages, alice.answered<HistoryPage>()[0].messages);
}

// --- who is here ---------------------------------------------------------------------------------------------------

TEST_F(Conversations, creating_names_a_retry_by_its_client_id) {
  const Person alice = arrives("alice"), bob = arrives("bob");
  const ConversationCreate create{
      .kind = ConversationKind::kGroup, .name = "n", .client_id = "k", .members = {bob.id()}};
  alice.says(create);
  EXPECT_THAT(alice.heard<ConversationCreated>(), IsEmpty());
  world.commit();
  alice.says(create);
  ASSERT_THAT(alice.answered<ConversationCreated>(), SizeIs(2));
  const auto first = alice.answered<ConversationCreated>()[0];
  EXPECT_FALSE(first.duplicate);
  EXPECT_EQ(first.conversation.role, Role::kOwner);
  EXPECT_EQ(first.conversation.member_count, 2U);
  EXPECT_TRUE(alice.answered<ConversationCreated>()[1].duplicate);
  EXPECT_EQ(alice.answered<ConversationCreated>()[1].conversation.id, first.conversation.id);
  EXPECT_THAT(bob.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_THAT(alice.overheard<ConversationJoined>(), IsEmpty());  // she has her answer
  alice.sends(first.conversation.id, "hi");
  world.commit();
  EXPECT_THAT(alice.seqs(), ElementsAre(1));
  EXPECT_THAT(bob.seqs(), ElementsAre(1));
}

TEST_F(Conversations, who_is_added_hears_from_there_on_and_who_is_removed_no_more) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), carol = arrives("carol");
  alice.sends(room, "before");
  world.commit();
  alice.says(MemberAdd{room, {carol.id()}, Role::kMember});
  alice.sends(room, "welcome");  // waits for the membership
  EXPECT_EQ(world.staged(), 1U);
  world.commit();
  ASSERT_THAT(carol.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_EQ(carol.overheard<ConversationJoined>()[0].conversation.last_seq, 2U);
  EXPECT_THAT(carol.seqs(), ElementsAre(3));
  EXPECT_THAT(alice.answered<MemberAdded>(), SizeIs(1));
  carol.says(History{.conversation = room, .before_seq = {}, .after_seq = {}});
  EXPECT_THAT(carol.answered<HistoryPage>()[0].messages, SizeIs(2));  // its arrival and the welcome
  alice.says(MemberRemove{room, carol.id()});
  world.commit();
  EXPECT_THAT(carol.overheard<MemberRemoved>(), SizeIs(1));
  alice.sends(room, "she is gone");
  world.commit();
  EXPECT_THAT(carol.seqs(), ElementsAre(3));
  carol.sends(room, "no");
  world.commit();
  EXPECT_EQ(carol.refused(), ErrorCode::kNotMember);
}

// D3: the ack was lost, and whoever retries may not post any more.
TEST_F(Conversations, a_retry_is_answered_with_its_first_result_also_when_its_sender_was_removed) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  bob.sends(room, "hello", "k");
  world.commit();
  alice.says(MemberRemove{room, bob.id()});
  world.commit();
  bob.sends(room, "hello", "k");
  world.commit();
  ASSERT_THAT(bob.answered<MessageSent>(), SizeIs(2));
  EXPECT_TRUE(bob.answered<MessageSent>()[1].duplicate);
  EXPECT_EQ(bob.answered<MessageSent>()[1].seq, bob.answered<MessageSent>()[0].seq);
  EXPECT_EQ(bob.answered<MessageSent>()[1].message, bob.answered<MessageSent>()[0].message);
  EXPECT_THAT(bob.heard<Error>(), IsEmpty());
  bob.sends(room, "something else", "k");
  world.commit();
  EXPECT_EQ(bob.refused(), ErrorCode::kKeyReused);
  bob.sends(room, "more", "k2");
  world.commit();
  EXPECT_EQ(bob.refused(), ErrorCode::kNotMember);
  EXPECT_EQ(world.model().load_conversation(room)->last_seq, 2U);
}

TEST_F(Conversations,
       a_retry_is_answered_with_its_first_result_also_when_its_sender_lost_the_role) {
  const auto room = channel({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.says(MemberRole{room, bob.id(), Role::kAdmin});
  world.commit();
  bob.sends(room, "hello", "k");
  world.commit();
  alice.says(MemberRole{room, bob.id(), Role::kMember});
  world.commit();
  bob.sends(room, "hello", "k");
  world.commit();
  ASSERT_THAT(bob.answered<MessageSent>(), SizeIs(2));
  EXPECT_TRUE(bob.answered<MessageSent>()[1].duplicate);
  bob.sends(room, "more", "k2");
  world.commit();
  EXPECT_EQ(bob.refused(), ErrorCode::kForbidden);  // a member still
  EXPECT_EQ(world.model().load_conversation(room)->last_seq, 3U);
}

TEST_F(Conversations, a_send_without_a_key_by_a_stranger_does_not_reach_the_store) {
  const auto room = group({"alice"});
  const Person eve = arrives("eve");
  MessageSend send;
  send.conversation = room;
  send.content = "x";
  eve.says(send);
  EXPECT_EQ(eve.refused(), ErrorCode::kNotMember);
  EXPECT_EQ(world.staged(), 0U);
}

TEST_F(Conversations, the_last_owner_who_leaves_is_followed_by_the_longest_standing_admin) {
  const auto room = group({"alice", "bob", "carol"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.says(MemberRole{room, world.user("carol"), Role::kAdmin});
  world.commit();
  alice.says(ConversationLeave{room});
  world.commit();
  ASSERT_THAT(alice.answered<MemberRemoved>(), SizeIs(1));
  const auto updates = bob.overheard<ConversationUpdated>();
  ASSERT_THAT(updates, SizeIs(2));
  EXPECT_EQ(updates[1].user, world.user("carol"));
  EXPECT_EQ(updates[1].role, Role::kOwner);
}

TEST_F(Conversations, a_channel_is_open_to_all_and_written_by_its_admins) {
  const auto room = channel({"alice"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  bob.says(ConversationJoin{room});
  world.commit();
  ASSERT_THAT(bob.answered<ConversationJoined>(), SizeIs(1));
  bob.says(ConversationJoin{room});
  EXPECT_THAT(bob.answered<ConversationInfo>(), SizeIs(1));
  alice.sends(room, "news");
  world.commit();
  EXPECT_THAT(bob.seqs(), ElementsAre(2));
  bob.says(EventPublish{room, "wave", "{}"}, "");
  EXPECT_THAT(alice.overheard<Event>(), SizeIs(1));
}

// --- marks, typing, ephemeral --------------------------------------------------------------------------------------

// Steps are taken one by one.
class SlowConversations : public ChatTest {
 protected:
  SlowConversations()
      : ChatTest({.shards = 1, .seed = 1, .limits = {}, .is_manual = true, .plant = Plant::kNone}) {
  }
};

TEST_F(SlowConversations, a_mark_that_is_heard_while_the_store_is_read_again_stays) {
  const auto room = group({"alice", "bob"});
  const Person alice = connects("alice"), bob = connects("bob");
  world.settle();
  for (int i = 0; i < 3; ++i) alice.sends(room, "m");
  world.settle();
  world.commit();
  bob.says(MarkAdvance{room, 1, MarkKind::kSeen});
  bob.says(MarkAdvance{room, 2, MarkKind::kSeen});  // waits for the first
  world.step_apply(0, 1, true, false);
  world.step_outcomes(0);  // failed: the conversation is to be read again
  world.advance_ms(0);
  ASSERT_TRUE(world.step_read_execute(0, 0));  // what is read now knows no mark
  ASSERT_TRUE(world.step_apply(0, 1, false, false));
  world.step_outcomes(0);
  ASSERT_TRUE(world.step_read_answer(0, 0));
  bob.says(ConversationJoin{room}, "how does it stand");
  world.settle();
  ASSERT_THAT(bob.answered<ConversationInfo>(), SizeIs(1));
  EXPECT_EQ(bob.answered<ConversationInfo>()[0].conversation.unread, 1U);
  EXPECT_EQ(bob.answered<ConversationInfo>()[0].conversation.read_seq, 2U);
}

TEST_F(Conversations, a_newer_mark_replaces_the_one_that_waits) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  for (int i = 0; i < 4; ++i) alice.sends(room, "x");
  world.commit();
  for (Seq seq = 1; seq <= 4; ++seq) bob.says(MarkAdvance{room, seq, MarkKind::kSeen});
  EXPECT_EQ(world.staged(), 1U);
  world.commit();
  const auto updates = alice.overheard<ReceiptUpdate>();
  ASSERT_THAT(updates, SizeIs(2));
  EXPECT_EQ(updates[0].read_seq, 1U);
  EXPECT_EQ(updates[1].read_seq, 4U);
  EXPECT_THAT(bob.answered<ReceiptUpdate>(), SizeIs(4));
  EXPECT_EQ(counters().receipts_coalesced.value(), 2U);
  bob.says(MarkAdvance{room, 2, MarkKind::kSeen});  // it stands higher
  EXPECT_EQ(bob.answered<ReceiptUpdate>().back().read_seq, 4U);
  EXPECT_EQ(world.staged(), 0U);
}

TEST_F(Conversations, typing_is_heard_by_others_and_ends_by_itself) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.says(TypingChange{room, true}, "");
  alice.says(TypingChange{room, true}, "");
  ASSERT_THAT(bob.overheard<TypingUpdate>(), SizeIs(1));
  EXPECT_THAT(alice.heard<TypingUpdate>(), IsEmpty());
  world.advance_ms(5'900);
  EXPECT_THAT(bob.overheard<TypingUpdate>(), SizeIs(1));
  world.advance_ms(200);
  ASSERT_THAT(bob.overheard<TypingUpdate>(), SizeIs(2));
  EXPECT_FALSE(bob.overheard<TypingUpdate>()[1].typing);
  alice.says(TypingChange{room, true}, "9");
  EXPECT_THAT(alice.answered<Ok>(), SizeIs(1));
  alice.sends(room, "done");
  world.commit();
  EXPECT_FALSE(bob.overheard<TypingUpdate>().back().typing);
}

TEST_F(Conversations, an_event_is_heard_by_all_and_answered_only_when_asked) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  alice.says(EventPublish{room, "cursor", "[1,2]"}, "");
  ASSERT_THAT(bob.overheard<Event>(), SizeIs(1));
  EXPECT_EQ(bob.overheard<Event>()[0].data, "[1,2]");
  EXPECT_THAT(alice.overheard<Event>(), SizeIs(1));
  EXPECT_THAT(alice.heard<Ok>(), IsEmpty());
  alice.says(EventPublish{room, "cursor", "[1,2]"}, "5");
  EXPECT_THAT(alice.answered<Ok>(), SizeIs(1));
  const auto slot =
      world.request(alice.id(), EventPublish{room, "x", "1"});  // a request waits for an answer
  EXPECT_THAT(world.requests[slot], SizeIs(1));
}

}  // namespace
}  // namespace uproar::chat::testing
