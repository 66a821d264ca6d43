#include <gmock/gmock.h>

#include "core/chat/ownership.h"
#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Sessions = ChatTest;

class ThreeShards : public ChatTest {
 protected:
  ThreeShards() : ChatTest({.shards = 3, .seed = 1, .limits = {}}) {}
};

TEST_F(Sessions, a_session_is_ready_when_it_hears_everything) {
  const auto room = group({"alice", "bob"});
  const Person alice = connects("alice");
  ASSERT_THAT(alice.heard<SessionReady>(), SizeIs(1));
  EXPECT_EQ(alice.heard<SessionReady>()[0].node, "node-1");
  EXPECT_EQ(alice.heard<SessionReady>()[0].limits.content_bytes_max, 16U * 1024);
  world.advance_ms(300);  // no sync came
  const Person bob = arrives("bob");
  bob.sends(room, "hi");
  world.commit();
  EXPECT_THAT(alice.seqs(), ElementsAre(1));
}

TEST_F(Sessions, live_traffic_waits_for_the_first_command_or_a_moment) {
  const auto room = group({"alice", "bob"});
  const Person bob = arrives("bob"), alice = connects("alice");
  bob.sends(room, "hi");
  world.commit();
  EXPECT_THAT(alice.seqs(), IsEmpty());
  world.advance_ms(249);
  EXPECT_THAT(alice.seqs(), IsEmpty());
  world.advance_ms(1);
  EXPECT_THAT(alice.seqs(), ElementsAre(1));
}

TEST_F(Sessions, an_announced_resume_is_waited_for_up_to_ten_seconds) {
  const auto room = group({"alice", "bob"});
  const Person bob = arrives("bob");
  const Person alice = connects("alice", 0, true);
  bob.sends(room, "hi");
  world.commit();
  world.advance_ms(9'900);
  EXPECT_THAT(alice.seqs(), IsEmpty());
  world.advance_ms(100);
  EXPECT_THAT(alice.seqs(), ElementsAre(1));
}

TEST_F(Sessions, a_sync_brings_what_was_missed_and_then_live_traffic) {
  const auto room = group({"alice", "bob"}), other = group({"alice", "bob"});
  const Person bob = arrives("bob");
  for (int i = 0; i < 5; ++i) bob.sends(room, "m" + std::to_string(i));
  world.commit();
  const Person alice = connects("alice", 0, true);
  bob.sends(room, "while held");
  bob.sends(other, "not named");
  world.commit();
  const ConversationId nowhere(Uuid{4, 4});
  alice.says(Sync{{{room, 2}, {nowhere, 1}}}, "s");
  const auto pages = alice.answered<HistoryPage>();
  ASSERT_THAT(pages, SizeIs(1));
  EXPECT_THAT(pages[0].messages, SizeIs(4));
  EXPECT_EQ(pages[0].upto_seq, 6U);
  ASSERT_THAT(alice.answered<SyncDone>(), SizeIs(1));
  EXPECT_THAT(alice.answered<SyncDone>()[0].cursors, ElementsAre(std::pair{room, Seq{6}}));
  EXPECT_THAT(alice.answered<SyncDone>()[0].refused,
              ElementsAre(std::pair{nowhere, ErrorCode::kNotMember}));
  EXPECT_THAT(alice.seqs(), ElementsAre(1));  // of the other room, which was not named
  bob.sends(room, "live");
  world.commit();
  EXPECT_THAT(alice.seqs(), ElementsAre(1, 7));
}

// Those who join by the first message, its sender as well, are shown it: it says how far its sender
// is.
TEST_F(ThreeShards, sending_tells_of_no_mark_but_by_the_message) {
  const Person alice = arrives("alice", 0), desk = arrives("alice", 1), bob = arrives("bob", 2);
  MessageSend send;
  send.to = bob.id();
  send.client_id = "1";
  send.content = "hello";
  alice.says(send);
  world.commit();
  const ConversationId room = direct_conversation_id(alice.id(), bob.id());
  for (const Person& who : {alice, desk, bob}) {
    EXPECT_THAT(who.rows(), ElementsAre(1));
    EXPECT_THAT(who.heard<ReceiptUpdate>(), IsEmpty());
  }
  bob.sends(room, "hello yourself");
  world.commit();
  EXPECT_THAT(alice.heard<ReceiptUpdate>(), IsEmpty());
  bob.says(MarkAdvance{room, 2, MarkKind::kSeen}, {});  // where it stands
  alice.says(MarkAdvance{room, 2, MarkKind::kSeen}, {});
  world.commit();
  for (const Person& who : {alice, desk, bob}) {
    ASSERT_THAT(who.heard<ReceiptUpdate>(), SizeIs(1));
    EXPECT_EQ(who.heard<ReceiptUpdate>()[0].user, alice.id());
    EXPECT_EQ(who.heard<ReceiptUpdate>()[0].read_seq, 2U);
  }
}

TEST_F(ThreeShards, resume_is_exact_from_any_shard) {
  const auto room = group({"alice", "bob"});
  const Person bob = arrives("bob", 1);
  for (int i = 0; i < 250; ++i) bob.sends(room, "m");
  world.commit();
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    const Person alice = connects("alice", shard, true);
    alice.says(Sync{{{room, 3}}}, "s");
    bob.sends(room, "live");
    world.commit();
    Seq cursor = 3;
    for (const HistoryPage& page : alice.answered<HistoryPage>()) {
      for (const Message& row : page.messages) EXPECT_EQ(row.seq, ++cursor);
    }
    EXPECT_EQ(cursor, 250U + shard);
    EXPECT_THAT(alice.seqs(), ElementsAre(cursor + 1));
  }
}

TEST_F(Sessions, a_slow_reader_pauses_its_sync_and_goes_on_when_drained) {
  const auto room = group({"alice", "bob"});
  const Person bob = arrives("bob");
  for (int i = 0; i < 250; ++i) bob.sends(room, "m");
  world.commit();
  const Person alice = connects("alice", 0, true);
  alice.connection().extra_egress_bytes = kSyncEgressBytesMax + 1;
  alice.says(Sync{{{room, 0}}}, "s");
  EXPECT_THAT(alice.answered<HistoryPage>(), IsEmpty());
  alice.connection().extra_egress_bytes = 0;
  world.shard(0).on_drained(alice.connection().endpoint, world.now);
  world.settle();
  EXPECT_THAT(alice.answered<HistoryPage>(), SizeIs(3));
  EXPECT_THAT(alice.answered<SyncDone>(), SizeIs(1));
}

TEST_F(Sessions, a_request_syncs_in_one_bounded_answer) {
  const auto room = group({"alice", "bob"});
  const Person bob = arrives("bob");
  for (int i = 0; i < 700; ++i) {
    bob.sends(room, "m");
    world.advance_ms(10);  // as fast as one may
  }
  world.commit();
  const auto slot = world.request(world.user("alice"), Sync{{{room, 0}}});
  std::size_t rows = 0;
  bool has_more = false;
  for (const Heard& heard : world.requests[slot]) {
    if (const auto* page = std::get_if<HistoryPage>(&heard.event)) {
      rows += page->messages.size();
      has_more = page->has_more;
    }
  }
  EXPECT_EQ(rows, kRequestSyncRowsMax);
  EXPECT_TRUE(has_more);
  const auto* done = std::get_if<SyncDone>(&world.requests[slot].back().event);
  ASSERT_NE(done, nullptr);
  EXPECT_THAT(done->cursors, ElementsAre(std::pair{room, Seq{kRequestSyncRowsMax}}));
  EXPECT_TRUE(done->has_more);
  EXPECT_EQ(world.shard(0).sizes().pullers + world.shard(0).sizes().attaches, 0U);
}

TEST_F(Sessions, what_a_full_answer_has_no_room_for_keeps_the_cursor_it_was_asked_with) {
  // More conversations than are paged at a time, each with rows enough to fill the answer.
  const Person bob = arrives("bob");
  std::vector<std::pair<ConversationId, Seq>> asked;
  for (std::size_t i = 0; i < kSyncWindow + 3; ++i) {
    asked.emplace_back(group({"alice", "bob"}), i);
    for (std::uint32_t row = 0; row < kRequestSyncRowsMax + 1; ++row) {
      bob.sends(asked.back().first, "m");
      world.advance_ms(10);
    }
  }
  world.commit();
  const auto slot = world.request(world.user("alice"), Sync{asked});
  const auto* done = std::get_if<SyncDone>(&world.requests[slot].back().event);
  ASSERT_NE(done, nullptr);
  EXPECT_TRUE(done->has_more);
  ASSERT_THAT(done->cursors, SizeIs(asked.size()));
  std::sort(asked.begin(), asked.end());
  std::size_t untouched = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(done->cursors[i].first, asked[i].first);
    EXPECT_GE(done->cursors[i].second, asked[i].second);
    if (done->cursors[i] == asked[i]) ++untouched;
  }
  EXPECT_GE(untouched, 3U);
  EXPECT_EQ(world.shard(0).sizes().pullers + world.shard(0).sizes().attaches, 0U);
}

TEST_F(Sessions, unread_messages_are_fetched_by_conversation) {
  const auto room = group({"alice", "bob"});
  const Person bob = arrives("bob");
  for (int i = 0; i < 3; ++i) bob.sends(room, "m");
  world.commit();
  const Person alice = arrives("alice");
  alice.says(UnreadFetch{2}, "u");
  ASSERT_THAT(alice.answered<HistoryPage>(), SizeIs(1));
  EXPECT_THAT(alice.answered<HistoryPage>()[0].messages, SizeIs(2));
  EXPECT_TRUE(alice.answered<HistoryPage>()[0].has_more) << "an older one is unread, too";
  EXPECT_THAT(alice.answered<SyncDone>(), SizeIs(1));
  alice.forgets();
  alice.says(UnreadFetch{3}, "u");
  ASSERT_THAT(alice.answered<HistoryPage>(), SizeIs(1));
  EXPECT_FALSE(alice.answered<HistoryPage>()[0].has_more);
  alice.says(MarkAdvance{room, 3, MarkKind::kSeen});
  world.commit();
  alice.forgets();
  alice.says(UnreadFetch{2}, "u");
  EXPECT_THAT(alice.answered<HistoryPage>(), IsEmpty());
  EXPECT_THAT(alice.answered<SyncDone>(), SizeIs(1));
}

TEST_F(Sessions, a_second_sync_or_unread_fetch_meanwhile_is_a_conflict_and_piles_nothing_up) {
  ChatLimits limits;
  limits.commands_burst = 10'000;
  World slow({.shards = 1, .seed = 1, .limits = limits, .is_manual = true, .plant = Plant::kNone});
  const UserId alice = slow.user("alice"), bob = slow.user("bob");
  const ConversationId room(Uuid{0xABCD, 1});
  (void)slow.model().apply(
      {.ticket = 0,
       .conversation = room,
       .actor = alice,
       .at_us = 1,
       .body = storage::CreateConversation{
           ConversationKind::kGroup, "n", {{alice, Role::kOwner}, {bob, Role::kMember}}}});
  const Person she(slow, slow.connect(alice));
  slow.settle();
  for (int i = 0; i < 50; ++i) {
    she.says(UnreadFetch{5}, "unread");  // the store has not answered the first
    she.says(Sync{{{room, 0}}}, "sync");
  }
  EXPECT_EQ(slow.shard(0).sizes().pullers, 1U) << "the sync; the unread.fetch waits for the store";
  slow.settle();
  EXPECT_THAT(she.answered<SyncDone>(), SizeIs(2));
  const std::vector<Error> refused = she.heard<Error>();
  EXPECT_THAT(refused, SizeIs(98));
  for (const Error& error : refused) EXPECT_EQ(error.code, ErrorCode::kConflict);
  she.forgets();
  she.says(UnreadFetch{5}, "unread");
  she.says(Sync{{{room, 0}}}, "sync");
  slow.settle();
  EXPECT_THAT(she.answered<SyncDone>(), SizeIs(2)) << "afterwards each is good for another one";
}

TEST_F(ThreeShards, a_device_that_joins_learns_the_marks_it_was_too_late_to_hear) {
  const Person alice = arrives("alice"), ben = arrives("ben", 1);
  const Person held = connects("ben", 2);  // its hold delays the news of memberships
  alice.says(ConversationCreate{ConversationKind::kGroup, "g", "", {ben.id()}});
  world.commit();
  ASSERT_THAT(alice.answered<ConversationCreated>(), SizeIs(1));
  const ConversationId room = alice.answered<ConversationCreated>()[0].conversation.id;
  for (int i = 0; i < 4; ++i) alice.sends(room, "m");
  world.commit();
  ben.says(MarkAdvance{room, 3, MarkKind::kSeen});
  world.commit();
  EXPECT_THAT(held.overheard<ConversationJoined>(), IsEmpty());
  world.advance_ms(kHoldMs);
  EXPECT_THAT(held.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_THAT(held.seqs(), ElementsAre(1, 2, 3, 4));
  Seq read = 0;
  for (const ReceiptUpdate& update : held.overheard<ReceiptUpdate>()) {
    if (update.user == ben.id()) read = update.read_seq;
  }
  EXPECT_EQ(read, 3U);
  held.forgets();
  ben.says(MarkAdvance{room, 4, MarkKind::kSeen});
  world.commit();
  ASSERT_THAT(held.overheard<ReceiptUpdate>(), SizeIs(1)) << "from here on they are live";
  EXPECT_EQ(held.overheard<ReceiptUpdate>()[0].read_seq, 4U);
}

TEST_F(Sessions, commands_before_ready_wait) {
  World slow({.shards = 1, .seed = 1, .limits = {}, .is_manual = true});
  Connection& connection = slow.connect(slow.user("alice"));
  for (std::size_t i = 0; i < kEarlyCommandsMax + 2; ++i)
    slow.say(connection, Ping{}, std::to_string(i));
  slow.settle();
  ASSERT_THAT(connection.inbox, SizeIs(1 + kEarlyCommandsMax + 2));
  EXPECT_TRUE(std::holds_alternative<SessionReady>(connection.inbox[0].event));
  for (std::size_t i = 0; i < kEarlyCommandsMax + 2; ++i) {
    const Heard& heard = connection.inbox[1 + i];
    EXPECT_EQ(heard.id, std::to_string(i));
    EXPECT_EQ(std::holds_alternative<Pong>(heard.event), i < kEarlyCommandsMax) << i;
  }
}

TEST_F(Sessions, a_refusal_before_ready_waits_in_line) {
  World slow({.shards = 1, .seed = 1, .limits = {}, .is_manual = true});
  Connection& connection = slow.connect(slow.user("alice"));
  slow.say(connection, Ping{}, "0");
  slow.shard(0).refuse(connection.endpoint, "1",
                       {.code = ErrorCode::kUnknownType, .detail = {}, .retry_after_ms = 0},
                       slow.now, 10);
  slow.say(connection, Ping{}, "2");
  slow.settle();
  ASSERT_THAT(connection.inbox, SizeIs(4));
  EXPECT_TRUE(std::holds_alternative<SessionReady>(connection.inbox[0].event));
  EXPECT_EQ(connection.inbox[1].id, "0");
  EXPECT_EQ(connection.inbox[2].id, "1");
  EXPECT_EQ(connection.inbox[3].id, "2");
}

TEST_F(Sessions, a_store_that_cannot_be_read_turns_a_session_away) {
  world.reads_fail = true;
  const Person alice = arrives("alice");
  ASSERT_TRUE(alice.connection().closed_with.has_value());
  EXPECT_EQ(alice.connection().closed_with->code, ErrorCode::kOverloaded);
  EXPECT_EQ(world.shard(0).sizes().sessions, 0U);
}

TEST_F(Sessions, too_fast_is_refused_with_a_time_and_too_stubborn_is_closed) {
  const Person alice = arrives("alice");
  for (int i = 0; i < 400; ++i) alice.says(Ping{}, "p");
  EXPECT_THAT(alice.heard<Error>(), IsEmpty());
  alice.says(Ping{}, "p");
  EXPECT_EQ(alice.refused(), ErrorCode::kRateLimited);
  EXPECT_EQ(alice.heard<Error>()[0].retry_after_ms, 10U);
  world.advance_ms(10);
  alice.says(Ping{}, "p");
  EXPECT_THAT(alice.heard<Error>(), SizeIs(1));
  for (std::uint32_t i = 0; i < kRateStrikesMax; ++i) alice.says(Ping{}, "p");
  ASSERT_TRUE(alice.connection().closed_with.has_value());
  EXPECT_EQ(alice.connection().closed_with->code, ErrorCode::kRateLimited);
}

TEST_F(Sessions, silence_of_two_minutes_ends_a_session) {
  const Person alice = arrives("alice"), bob = arrives("bob");
  for (int s = 0; s < 114; s += 6) {
    world.advance_ms(6'000);
    world.shard(0).on_heartbeat(bob.connection().endpoint, world.now);
  }
  EXPECT_TRUE(alice.connection().is_open);
  world.advance_ms(6'000);
  EXPECT_FALSE(alice.connection().is_open);
  EXPECT_EQ(alice.connection().closed_with->code, ErrorCode::kHeartbeatTimeout);
  EXPECT_TRUE(bob.connection().is_open);
}

TEST_F(ThreeShards, connections_per_user_are_bounded_over_all_shards) {
  std::vector<Person> devices;
  for (std::uint32_t i = 0; i < 20; ++i) devices.push_back(arrives("alice", i % 3));
  for (const Person& device : devices) EXPECT_TRUE(device.connection().is_open);
  const Person newest = arrives("alice", 1);
  ASSERT_TRUE(newest.connection().closed_with.has_value());
  EXPECT_EQ(newest.connection().closed_with->code, ErrorCode::kTooManyConnections);
  world.disconnect(devices[0].connection());
  EXPECT_TRUE(arrives("alice", 2).connection().is_open);
}

TEST_F(ThreeShards, a_revoked_session_is_closed_wherever_it_is) {
  const Person one = arrives("alice", 0), two = arrives("alice", 1);
  world.shard(2).revoke_session(one.id(), one.connection().session);
  world.settle();
  ASSERT_TRUE(one.connection().closed_with.has_value());
  EXPECT_EQ(one.connection().closed_with->code, ErrorCode::kTokenRevoked);
  EXPECT_TRUE(two.connection().is_open);
}

TEST_F(ThreeShards, sessions_that_the_store_says_have_ended_are_closed_where_they_are) {
  const Person one = arrives("alice", 0), two = arrives("bob", 0), other = arrives("carol", 1);
  world.shard(0).end_revoked({one.connection().session, other.connection().session}, world.now);
  world.settle();
  ASSERT_TRUE(one.connection().closed_with.has_value());
  EXPECT_EQ(one.connection().closed_with->code, ErrorCode::kTokenRevoked);
  EXPECT_TRUE(two.connection().is_open);
  EXPECT_TRUE(other.connection().is_open) << "that shard is told by itself";
  // One that ends twice, or has left by itself, harms nobody.
  world.disconnect(one.connection());
  world.shard(0).end_revoked({one.connection().session}, world.now);
  world.settle();
  EXPECT_TRUE(two.connection().is_open);
}

// --- presence ------------------------------------------------------------------------------------------------------

TEST_F(ThreeShards, peers_see_each_other_come_and_go) {
  (void)group({"alice", "bob"});
  const Person alice = arrives("alice", 0);
  const Person bob = arrives("bob", 1);
  world.advance_ms(100);
  ASSERT_FALSE(alice.heard<PresenceUpdate>().empty());
  EXPECT_TRUE(alice.heard<PresenceUpdate>().back().state.online);
  EXPECT_TRUE(bob.heard<PresenceUpdate>().front().state.online);  // she was there already
  world.disconnect(bob.connection(), true);
  world.advance_ms(100);
  EXPECT_FALSE(alice.heard<PresenceUpdate>().back().state.online);
  EXPECT_NE(alice.heard<PresenceUpdate>().back().state.last_online_us, 0);
}

TEST_F(Sessions, an_unclean_end_waits_for_a_reconnect) {
  (void)group({"alice", "bob"});
  const Person alice = arrives("alice");
  const Person bob = arrives("bob");
  world.advance_ms(100);
  alice.forgets();
  world.disconnect(bob.connection(), false);
  world.advance_ms(9'000);
  EXPECT_THAT(alice.heard<PresenceUpdate>(), IsEmpty());
  const Person again = connects("bob");
  world.advance_ms(9'000);
  EXPECT_THAT(alice.heard<PresenceUpdate>(), IsEmpty());  // nothing flickered
  world.disconnect(again.connection(), false);
  world.advance_ms(10'000);
  world.advance_ms(100);
  ASSERT_THAT(alice.heard<PresenceUpdate>(), SizeIs(1));
  EXPECT_FALSE(alice.heard<PresenceUpdate>()[0].state.online);
}

TEST_F(Sessions, a_user_who_flaps_within_a_tick_is_one_update) {
  (void)group({"alice", "bob"});
  const Person alice = arrives("alice");
  world.advance_ms(200);
  alice.forgets();
  for (int i = 0; i < 5; ++i) world.disconnect(connects("bob").connection(), true);
  (void)connects("bob");
  world.advance_ms(100);
  ASSERT_THAT(alice.heard<PresenceUpdate>(), SizeIs(1));
  EXPECT_TRUE(alice.heard<PresenceUpdate>()[0].state.online);
}

TEST_F(ThreeShards, presence_is_asked_and_watched) {
  (void)channel({"alice", "bob", "carol"});  // whose members are no peers
  const Person alice = arrives("alice", 0);
  const UserId bob = world.user("bob"), carol = world.user("carol");
  (void)arrives("bob", 2);
  alice.says(PresenceGet{{bob, carol}});
  ASSERT_THAT(alice.answered<PresenceList>(), SizeIs(1));
  EXPECT_THAT(alice.answered<PresenceList>()[0].users, SizeIs(2));
  alice.says(PresenceSubscribe{{carol}});
  alice.forgets();
  const Person carols = arrives("carol", 1);
  world.advance_ms(100);
  ASSERT_THAT(alice.heard<PresenceUpdate>(), SizeIs(1));
  EXPECT_EQ(alice.heard<PresenceUpdate>()[0].state.user, carol);
  alice.says(PresenceUnsubscribe{{carol}});
  alice.forgets();
  world.disconnect(carols.connection(), true);
  world.advance_ms(100);
  EXPECT_THAT(alice.heard<PresenceUpdate>(), IsEmpty());
}

class TwoWatches : public ChatTest {
 protected:
  TwoWatches()
      : ChatTest({.shards = 1,
                  .seed = 1,
                  .limits = {.presence_watch_max = 2, .presence_is_public = true}}) {}
};

TEST_F(TwoWatches, a_peer_who_is_no_longer_watched_makes_no_room_for_a_stranger) {
  (void)group({"alice", "bob"});  // watched without asking, so not counted
  const Person alice = arrives("alice");
  const UserId bob = world.user("bob"), carol = world.user("carol");
  alice.says(PresenceSubscribe{{carol, world.user("dave")}});
  ASSERT_THAT(alice.answered<PresenceList>(), SizeIs(1));
  const auto erin_is_refused = [&] {
    alice.forgets();
    alice.says(PresenceSubscribe{{world.user("erin")}});
    return alice.heard<Error>();
  };
  ASSERT_THAT(erin_is_refused(), SizeIs(1));
  alice.says(PresenceUnsubscribe{{bob}});
  EXPECT_THAT(erin_is_refused(), SizeIs(1)) << "carol and dave are still watched";
  alice.says(PresenceUnsubscribe{{bob, carol, carol}});
  EXPECT_THAT(erin_is_refused(), IsEmpty());
  EXPECT_THAT(alice.answered<PresenceList>(), SizeIs(1));
}

TEST_F(ThreeShards, a_stranger_who_watches_a_conversation_as_if_it_were_a_user_hears_nothing) {
  const ConversationId room = group({"alice", "bob"});
  const Person alice = arrives("alice", 0);
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    const Person mallory = arrives("mallory", shard);
    mallory.says(PresenceSubscribe{{UserId(room.uuid())}});
    alice.sends(room, "between us " + std::to_string(shard));
    alice.says(EventPublish{room, "cursor", "1"});
    world.commit();
    world.advance_ms(100);
    EXPECT_THAT(mallory.heard<MessageNew>(), IsEmpty());
    EXPECT_THAT(mallory.heard<Event>(), IsEmpty());
  }
  EXPECT_THAT(alice.heard<MessageNew>(), SizeIs(3));  // it was said
}

// The store alone tells of the joining until its outcome comes.
TEST_F(Sessions, who_begins_while_the_outcome_of_their_joining_is_late_are_told_of_it_once) {
  const auto room = group({"alice"});
  const Person alice = arrives("alice");
  alice.sends(room, "before bob");
  world.commit();
  alice.says(MemberAdd{room, {world.user("bob")}, Role::kMember});
  world.set_manual(true);
  ASSERT_TRUE(world.step_apply(0, 1, false, false));
  const auto all_but_the_outcome = [&] {
    for (bool moves = true; moves;) {
      moves = world.step_read_execute(0, 0);
      moves = world.step_read_answer(0, 0) || moves;
      moves = world.step_link(0, 0) || moves;
    }
  };
  const Person bob = connects("bob");
  all_but_the_outcome();
  world.advance_ms(kHoldMs);
  all_but_the_outcome();
  world.settle();
  alice.sends(room, "with bob");
  world.commit();
  world.settle();
  EXPECT_THAT(bob.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_THAT(bob.overheard<MemberAdded>(), SizeIs(1));
  EXPECT_THAT(bob.seqs(), ElementsAre(3));
}

TEST_F(ThreeShards, nothing_is_left_behind_by_those_who_left) {
  const auto room = group({"alice", "bob"});
  for (std::uint32_t i = 0; i < 6; ++i) {
    const Person alice = arrives("alice", i % 3), bob = arrives("bob", (i + 1) % 3);
    alice.sends(room, "x");
    world.commit();
    world.disconnect(alice.connection(), true);
    world.disconnect(bob.connection(), true);
  }
  world.advance_ms(100);
  for (std::uint32_t s = 0; s < 3; ++s) {
    const ChatSizes sizes = world.shard(s).sizes();
    EXPECT_EQ(sizes.sessions + sizes.topics + sizes.interests + sizes.users_online + sizes.attaches,
              0U)
        << s;
  }
}

}  // namespace
}  // namespace uproar::chat::testing
