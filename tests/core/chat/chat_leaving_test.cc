// Leaving and coming back on a node of three shards, where the session, its conversation and its user have different owners:
// the event goes straight to the session, the news of it by way of the user's owner, and either may be late.
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/chat/ownership.h"
#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Leaving : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kSession = 0, kConversation = 1, kUser = 2;

  explicit Leaving(std::uint32_t page_rows_max = ChatLimits().page_rows_max)
      : world({.shards = 3,
               .seed = 1,
               .limits = {.page_rows_max = page_rows_max},
               .is_manual = true,
               .plant = Plant::kNone}) {
    for (int i = 0; alice.is_nil() || owner_of(alice, 3) != kUser; ++i)
      alice = world.user("alice" + std::to_string(i));
    room = exists(0xABCD,
                  {ConversationKind::kGroup, "n", {{bob, Role::kOwner}, {alice, Role::kMember}}});
  }

  Person arrives(UserId user, std::uint32_t shard) {
    Connection& connection = world.connect(user, shard);
    world.settle();
    world.advance_ms(kHoldMs);
    world.settle();
    return {world, connection};
  }
  void only_between(std::uint32_t from, std::uint32_t to) {
    while (world.step_link(from, to)) {
    }
    for (auto& connection : world.connections) {
      while (world.step_receive(*connection)) {
      }
    }
  }
  void read(std::uint32_t shard) {
    while (world.step_read_execute(shard, 0)) world.step_read_answer(shard, 0);
  }
  // What was said to the conversation's owner is committed, and told to the session's shard alone.
  void stored() {
    read(kConversation);
    while (world.step_apply(kConversation, 10, false, false)) world.step_outcomes(kConversation);
    only_between(kConversation, kSession);
  }
  void news_arrive() {
    only_between(kConversation, kUser);
    only_between(kUser, kConversation);
    only_between(kConversation, kSession);
  }
  void asks_for_a_page() {
    only_between(kSession, kConversation);
    read(kConversation);
    only_between(kConversation, kSession);
  }
  // Of which kConversation is the owner, and the first member the actor.
  ConversationId exists(std::uint64_t high, storage::CreateConversation body) {
    ConversationId id;
    for (std::uint64_t i = 1; id.is_nil() || owner_of(id, 3) != kConversation; ++i)
      id = ConversationId(Uuid{high, i});
    const UserId actor = body.members[0].user;
    (void)world.model().apply(
        {.ticket = 0, .conversation = id, .actor = actor, .at_us = 1, .body = std::move(body)});
    return id;
  }

  World world;
  UserId alice;
  const UserId bob = world.user("bob");
  ConversationId room;
};

TEST_F(Leaving, is_the_last_that_is_heard_however_late_the_news_of_it) {
  const Person she = arrives(alice, kSession), he = arrives(bob, kConversation);
  he.sends(room, "one");
  he.says(MemberRemove{room, alice});
  stored();
  he.sends(room, "behind her back");
  stored();
  EXPECT_THAT(she.seqs(), ElementsAre(1));
  ASSERT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  EXPECT_EQ(she.overheard<MemberRemoved>()[0].seq, 2U);
  world.settle();
  EXPECT_THAT(she.rows(), ElementsAre(1));
}

// What she hears is what the store said when she came; the removal is published before her shard listens.
TEST_F(Leaving, before_a_session_is_ready_leaves_nothing_to_be_heard) {
  const Person he = arrives(bob, kConversation);
  const Person she(world, world.connect(alice, kSession));
  only_between(kSession, kUser);
  only_between(kUser, kSession);
  ASSERT_TRUE(world.step_read_execute(kSession, 0));
  he.says(MemberRemove{room, alice});
  stored();
  ASSERT_TRUE(world.step_read_answer(kSession, 0));
  only_between(kSession, kConversation);
  only_between(kSession, kUser);
  only_between(kUser, kSession);
  he.sends(room, "behind her back");
  stored();
  news_arrive();
  world.advance_ms(kHoldMs);
  world.settle();
  EXPECT_THAT(she.heard<SessionReady>(), SizeIs(1));
  EXPECT_THAT(she.rows(), IsEmpty());
}

TEST_F(Leaving, while_live_traffic_is_held_is_told_when_it_is_released) {
  const Person he = arrives(bob, kConversation);
  const Person she(world, world.connect(alice, kSession));
  world.settle();
  he.sends(room, "one");
  he.says(MemberRemove{room, alice});
  stored();
  he.sends(room, "behind her back");
  stored();
  EXPECT_THAT(she.rows(), IsEmpty());
  world.advance_ms(kHoldMs);
  world.settle();
  EXPECT_THAT(she.rows(), ElementsAre(1));
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
}

// What was held begins above her cursor.
TEST_F(Leaving, while_live_traffic_is_held_is_told_by_the_sync_that_ends_it) {
  const Person he = arrives(bob, kConversation);
  he.sends(room, "missed");
  stored();
  const Person she(world, world.connect(alice, kSession, true));
  world.settle();
  he.sends(room, "held");
  he.says(MemberRemove{room, alice});
  stored();
  world.settle();
  she.says(Sync{{{room, 0}}}, "sync");
  world.settle();
  EXPECT_THAT(she.rows(), IsEmpty());
  EXPECT_THAT(she.overheard<MemberRemoved>(), IsEmpty());
  ASSERT_THAT(she.answered<SyncDone>(), SizeIs(1));
  EXPECT_THAT(she.answered<SyncDone>()[0].refused,
              ElementsAre(std::pair(room, ErrorCode::kNotMember)));
}

TEST_F(Leaving, and_coming_back_begins_again_at_the_joining_and_skips_nothing) {
  const Person she = arrives(alice, kSession), he = arrives(bob, kConversation);
  he.says(MemberRemove{room, alice});
  stored();
  he.sends(room, "behind her back");
  he.says(MemberAdd{room, {alice}, Role::kMember});
  stored();
  for (int i = 0; i < 3; ++i) he.sends(room, "m");
  stored();
  EXPECT_THAT(she.rows(), IsEmpty());
  news_arrive();  // removed, and joined at 3
  ASSERT_THAT(she.overheard<ConversationJoined>(), SizeIs(1));
  she.forgets();
  she.says(Sync{{{room, 6}}},
           "sync");  // with what another of her devices has heard, and before this one knew
  world.settle();
  EXPECT_THAT(she.rows(), ElementsAre(4, 5, 6));
}

// Her sync has found that she is no member, and is not done: another conversation waits for the store.
TEST_F(Leaving, and_coming_back_during_a_sync_is_part_of_it) {
  const ConversationId other =
      exists(0xABCF, {ConversationKind::kGroup, "other", {{alice, Role::kOwner}}});
  const Person she = arrives(alice, kSession), he = arrives(bob, kConversation);
  he.sends(room, "one");
  he.says(MemberRemove{room, alice});
  stored();
  world.settle();
  she.forgets();
  she.says(Sync{{{other, 0}, {room, 1}}}, "sync");
  only_between(kSession, kConversation);
  only_between(kConversation, kSession);
  he.says(MemberAdd{room, {alice}, Role::kMember});
  he.sends(room, "four");
  while (world.step_apply(kConversation, 10, false, false)) world.step_outcomes(kConversation);
  news_arrive();
  EXPECT_THAT(she.answered<SyncDone>(), IsEmpty());
  world.settle();
  ASSERT_THAT(she.answered<SyncDone>(), SizeIs(1));
  EXPECT_THAT(she.answered<SyncDone>()[0].refused, IsEmpty());
  EXPECT_THAT(she.answered<SyncDone>()[0].cursors,
              ElementsAre(std::pair(room, 4), std::pair(other, 0)));
  EXPECT_THAT(she.overheard<ConversationJoined>(), IsEmpty());
  EXPECT_THAT(she.rows(), ElementsAre(3, 4)) << "what was said since she came back";
  he.sends(room, "five");
  stored();
  EXPECT_THAT(she.seqs(), ElementsAre(5));
}

// She fetches what was said since she was added, a row at a time, and hears nothing live so far.
class LeavingWhileFetching : public Leaving {
 protected:
  LeavingWhileFetching() : Leaving(1) {
    he.says(MemberRemove{room, alice});
    stored();
    he.says(MemberAdd{room, {alice}, Role::kMember});
    stored();
    he.sends(room, "three");
    he.sends(room, "four");
    stored();
    news_arrive();
    EXPECT_THAT(she.overheard<ConversationJoined>(), SizeIs(1));
    she.forgets();
  }
  void she_is_removed_and_more_is_said() {
    he.says(MemberRemove{room, alice});
    he.sends(room, "behind her back");
    stored();
  }
  // Of the room, in the order in which it came.
  [[nodiscard]] static std::vector<Seq> events(const Person& person) {
    std::vector<Seq> out;
    for (const Heard& heard : person.connection().inbox) {
      if (!heard.id.empty()) continue;
      if (const auto* page = std::get_if<HistoryPage>(&heard.event)) {
        for (const Message& row : page->messages) out.push_back(row.seq);
      } else if (const Seq seq = seq_of(heard.event); seq != 0) {
        out.push_back(seq);
      }
    }
    return out;
  }

  const Person she = arrives(alice, kSession), he = arrives(bob, kConversation);
};

TEST_F(LeavingWhileFetching, between_two_pages_is_the_last_that_is_heard) {
  asks_for_a_page();
  EXPECT_THAT(events(she), ElementsAre(3));  // the next one is not asked for
  she_is_removed_and_more_is_said();
  world.settle();
  EXPECT_THAT(events(she), ElementsAre(3, 4, 5));
  ASSERT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  EXPECT_EQ(she.overheard<MemberRemoved>()[0].user, alice);
  EXPECT_EQ(she.overheard<MemberRemoved>()[0].by, bob);
}

// A look and the news both tell of one joining, and name the seq before it or its own. She has been refused before she
// hears that she was removed.
class LeavingWhileFetchingWhatWasToldTwice : public LeavingWhileFetching {
 protected:
  void she_is_told_again(Seq seq) {
    SessionNotice again;
    again.session = she.connection().endpoint;
    again.change.added = true;
    again.change.seq = seq;
    again.change.conversation.id = room;
    world.shard(kSession).on_parcel(std::move(again), world.now);
  }
  void she_is_refused() {
    she_is_removed_and_more_is_said();
    only_between(kSession, kConversation);
    only_between(kConversation, kSession);
    world.settle();
  }
};

TEST_F(LeavingWhileFetchingWhatWasToldTwice, shows_nothing_twice) {
  asks_for_a_page();
  she_is_told_again(2);
  she_is_refused();
  EXPECT_THAT(events(she), ElementsAre(3, 4, 5));
}

TEST_F(LeavingWhileFetchingWhatWasToldTwice, skips_nothing) {
  she_is_told_again(3);
  she_is_refused();
  EXPECT_THAT(events(she), ElementsAre(3, 4, 5));
}

// The removal that came before this joining is found late, by a node that had to read it.
TEST_F(LeavingWhileFetching, is_not_what_an_older_leaving_says) {
  asks_for_a_page();
  SessionNotice late;
  late.session = she.connection().endpoint;
  late.change.seq = 1;
  late.change.conversation.id = room;
  world.shard(kSession).on_parcel(std::move(late), world.now);
  world.settle();
  he.sends(room, "five");
  stored();
  world.settle();
  EXPECT_THAT(events(she), ElementsAre(3, 4, 5));
  EXPECT_THAT(she.overheard<ConversationJoined>(), IsEmpty());
}

TEST_F(LeavingWhileFetching, before_the_first_page_is_the_last_that_is_heard) {
  she_is_removed_and_more_is_said();
  world.settle();
  EXPECT_THAT(events(she), ElementsAre(3, 4, 5));
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
}

TEST_F(LeavingWhileFetching, shows_no_message_as_it_was_changed_afterwards) {
  she_is_removed_and_more_is_said();
  he.says(MessageEdit{room, {4, {}}, "of what she does not know"});
  stored();
  world.settle();
  EXPECT_THAT(events(she), ElementsAre(3, 5));
  ASSERT_THAT(she.overheard<HistoryPage>(), SizeIs(1)) << "the fourth is there, and not shown";
  EXPECT_EQ(she.overheard<HistoryPage>()[0].upto_seq, 4U);
  EXPECT_THAT(she.overheard<MessageUpdated>(), IsEmpty());
}

TEST_F(LeavingWhileFetching, and_coming_back_is_told_as_both) {
  she_is_removed_and_more_is_said();
  he.says(MemberAdd{room, {alice}, Role::kMember});
  he.sends(room, "eight");
  stored();
  world.settle();
  world.advance_ms(1000);
  world.settle();
  ASSERT_THAT(she.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_EQ(she.overheard<ConversationJoined>()[0].conversation.last_seq, 6U)
      << "what is above she hears";
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  EXPECT_EQ(events(she).back(), 8U);
  he.sends(room, "nine");
  stored();
  world.settle();
  EXPECT_EQ(events(she).back(), 9U);
}

// She looks, with several nodes, whether she is in; before the answer is there she has heard that she is in no more.
TEST_F(Leaving, is_believed_more_than_a_look_that_was_under_way) {
  const Person she = arrives(alice, kSession), he = arrives(bob, kConversation);
  world.shard(kSession).on_parcel(AudienceCheck{she.connection().endpoint, room}, world.now);
  ASSERT_EQ(world.reads_waiting(kSession), 1U);
  ASSERT_TRUE(world.step_read_execute(kSession, 0));
  he.says(MemberRemove{room, alice});
  stored();
  ASSERT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  world.settle();
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  EXPECT_THAT(she.overheard<ConversationJoined>(), IsEmpty());
}

// Answers come in the order of the commands, however far it is to her user's owner.
TEST_F(Leaving, that_was_asked_for_right_behind_a_joining_is_answered_behind_it) {
  const ConversationId open =
      exists(0xABCE, {ConversationKind::kChannel, "open", {{bob, Role::kOwner}}});
  const Person she = arrives(alice, kSession);
  she.forgets();
  she.says(ConversationJoin{open}, "join");
  she.says(ConversationLeave{open}, "leave");
  // Both are paid for by the share of the user, one behind the other.
  do {
    only_between(kSession, kUser);
    only_between(kUser, kSession);
  } while (world.step_say(she.connection()));
  only_between(kSession, kConversation);
  stored();
  stored();
  world.settle();
  ASSERT_THAT(she.connection().inbox, SizeIs(3));
  EXPECT_TRUE(std::holds_alternative<ConversationJoined>(she.connection().inbox[0].event));
  EXPECT_THAT(she.answered<MemberRemoved>(), SizeIs(1));
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
}

// What is fetched since a joining is of that membership alone: the next one has a joining of its own.
TEST_F(LeavingWhileFetching, and_coming_back_before_the_news_of_it_is_told_as_both) {
  asks_for_a_page();
  EXPECT_THAT(events(she), ElementsAre(3));
  she_is_removed_and_more_is_said();
  he.says(MemberAdd{room, {alice}, Role::kMember});
  stored();
  he.sends(room, "eight");
  stored();
  for (int i = 0; i < 6; ++i) asks_for_a_page();
  world.settle();
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  EXPECT_THAT(she.overheard<ConversationJoined>(), SizeIs(1));
  EXPECT_THAT(events(she), ElementsAre(3, 4, 5, 8));  // 7 is the joining that she was told of
}

// Who asks is shown what is theirs to see when it is read: as if they had asked behind the new joining.
class LeavingWhileSyncing : public Leaving {
 protected:
  LeavingWhileSyncing() : Leaving(1) {}
  const Person she = arrives(alice, kSession);
  const Person he = arrives(bob, kConversation);
};

TEST_F(LeavingWhileSyncing, and_coming_back_goes_on_from_the_new_joining) {
  for (const char* text : {"one", "two", "three"}) he.sends(room, text);
  stored();
  world.settle();
  she.forgets();
  she.says(Sync{{{room, 1}}});
  asks_for_a_page();
  EXPECT_THAT(she.rows(), ElementsAre(2));
  he.says(MemberRemove{room, alice});  // 4
  stored();
  he.sends(room, "behind her back");
  stored();
  he.says(MemberAdd{room, {alice}, Role::kMember});  // 6
  stored();
  for (int i = 0; i < 6; ++i) asks_for_a_page();
  world.settle();
  ASSERT_THAT(she.answered<SyncDone>(), SizeIs(1));
  EXPECT_THAT(she.answered<SyncDone>()[0].cursors, ElementsAre(std::pair(room, Seq{6})));
  EXPECT_THAT(she.rows(), ElementsAre(2, 6));
  EXPECT_TRUE(she.overheard<MemberRemoved>().empty());
  EXPECT_TRUE(she.overheard<ConversationJoined>().empty());
}

// A sync finds that she is in before the news of her joining (2) arrive, which are then of a membership that has ended.
class LeavingBeforeTheNewsOfJoining : public Leaving {
 protected:
  LeavingBeforeTheNewsOfJoining() {
    he.sends(square, "one");
    he.says(MemberAdd{square, {alice}, Role::kMember});
    stored();
    she.says(Sync{{{square, 1}}});
    for (int i = 0; i < 4; ++i) asks_for_a_page();
    EXPECT_THAT(she.answered<SyncDone>(), SizeIs(1));
    he.sends(square, "three");
    stored();
  }

  const ConversationId square =
      exists(0xBEEF, {ConversationKind::kGroup, "n", {{bob, Role::kOwner}}});
  const Person she = arrives(alice, kSession);
  const Person he = arrives(bob, kConversation);
};

TEST_F(LeavingBeforeTheNewsOfJoining, is_not_followed_by_late_news_of_the_joining) {
  he.says(MemberRemove{square, alice});  // 4
  stored();
  ASSERT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  world.settle();
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(1));
  EXPECT_THAT(she.overheard<ConversationJoined>(), IsEmpty());
  EXPECT_THAT(she.seqs(), ElementsAre(3));
  he.says(MemberAdd{square, {alice}, Role::kMember});  // 5: the next one is told
  stored();
  world.settle();
  EXPECT_THAT(she.overheard<ConversationJoined>(), SizeIs(1));
}

// A second sync tells of the leaving by refusing.
TEST_F(LeavingBeforeTheNewsOfJoining,
       that_a_sync_has_told_is_not_followed_by_late_news_of_the_joining) {
  EXPECT_THAT(she.seqs(), ElementsAre(3));
  she.says(Sync{{{square, 3}}});
  he.says(MemberRemove{square, alice});  // 4
  stored();
  for (int i = 0; i < 4; ++i) asks_for_a_page();
  ASSERT_THAT(she.answered<SyncDone>(), SizeIs(2));
  EXPECT_THAT(she.answered<SyncDone>()[1].refused,
              ElementsAre(std::pair(square, ErrorCode::kNotMember)));
  world.settle();
  EXPECT_THAT(she.overheard<MemberRemoved>(), SizeIs(0));
  EXPECT_THAT(she.overheard<ConversationJoined>(), IsEmpty());
  EXPECT_THAT(she.seqs(), ElementsAre(3));
}

}  // namespace
}  // namespace uproar::chat::testing
