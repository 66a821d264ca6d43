// Who belongs where, how far everybody has read, and what that makes of each message. Against every backend.

#include "storage/limits.h"
#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using enum chat::ConversationKind;
using enum chat::MarkKind;
using enum OutcomeStatus;

class Members : public ContractTest {
 protected:
  Members() { UPROAR_CHECK(creates(alice, room, kGroup, {bob, carol}).status == kCommitted); }
  static constexpr UserId alice = user(1), bob = user(2), carol = user(3), dave = user(4),
                          nobody = user(99);
  static constexpr ConversationId room = conversation(1);

  chat::Member member(UserId who, ConversationId where = room) {
    const ConversationState state = call->load(where).value();
    for (const chat::Member& one : state.members) {
      if (one.user == who) return one;
    }
    return {};
  }
};
UPROAR_CONTRACT(Members);

TEST_P(Members, AreThereFromTheConversationsFirstMoment) {
  const ConversationState state = call->load(room).value();
  EXPECT_EQ(state.kind, kGroup);
  EXPECT_EQ(state.name, "room");
  EXPECT_EQ(state.last_seq, 0U);
  ASSERT_EQ(state.members.size(), 3U);
  EXPECT_EQ(state.members[0].user, alice);
  EXPECT_EQ(state.members[0].role, chat::Role::kOwner);
  EXPECT_EQ(state.members[2].role, chat::Role::kMember);
  EXPECT_EQ(call->load(conversation(9)).error(), StoreError::kNotFound);
}

TEST_P(Members, AConversationIsMadeOnce) {
  const std::int64_t made_at_us = now_us;
  const Outcome again = creates(bob, room, kChannel, {dave});
  EXPECT_EQ(again.status, kDuplicate);
  EXPECT_EQ(again.at_us, made_at_us);
  EXPECT_EQ(call->load(room).value().members.size(), 3U);
  EXPECT_EQ(creates(alice, conversation(2), kGroup, {nobody}).status, kNotFound);
  EXPECT_EQ(call->load(conversation(2)).error(), StoreError::kNotFound);
}

TEST_P(Members, ADirectConversationKeepsItsTwo) {
  const ConversationId pair = conversation(2);
  creates(alice, pair, kDirect, {bob});
  EXPECT_EQ(creates(bob, pair, kDirect, {alice}).status, kDuplicate);
  EXPECT_EQ(act(pair, alice, AddMember{.user = carol}).status, kConflict);
  EXPECT_EQ(act(pair, alice, RemoveMember{.user = bob}).status, kConflict);
  EXPECT_EQ(sends(bob, pair, "hi").seq, 1U);
}

TEST_P(Members, AConversationAndItsFirstMessageShareABatch) {
  const ConversationId pair = conversation(2);
  CreateConversation create{.kind = kDirect, .members = {{.user = alice}, {.user = bob}}};
  const auto outcomes =
      call->commit({operation(pair, alice, create), operation(pair, alice, message("hi", "k"))});
  EXPECT_EQ(outcomes[0].status, kCommitted);
  EXPECT_EQ(outcomes[0].seq, 0U);
  EXPECT_EQ(outcomes[1].seq, 1U);
}

TEST_P(Members, WhoIsAddedHearsFromTheArrivalOn) {
  sends(alice, room, "before");
  const Outcome added = act(room, alice, AddMember{.user = dave, .role = chat::Role::kAdmin});
  EXPECT_EQ(added.seq, 2U);
  EXPECT_EQ(member(dave).joined_seq, 1U);
  EXPECT_EQ(member(dave).role, chat::Role::kAdmin);
  EXPECT_EQ(unread(dave, room), 0U);
  EXPECT_EQ(call->view(room, dave).value().last_message, std::nullopt);
  EXPECT_EQ(call->view(room, dave).value().joined_seq, 1U);
  EXPECT_EQ(call->list({.user = dave}).value().conversations.at(0).joined_seq, 1U);
  EXPECT_EQ(call->view(room, alice).value().joined_seq, 0U);
  const Page page =
      call->page({.conversation = room, .seq_floor = member(dave).joined_seq}).value();
  ASSERT_EQ(page.messages.size(), 1U);
  EXPECT_EQ(page.messages[0].system, chat::SystemEvent::kMemberAdded);
  EXPECT_EQ(page.messages[0].subject, dave);
  EXPECT_EQ(page.messages[0].role, chat::Role::kAdmin);
  EXPECT_EQ(act(room, alice, AddMember{.user = dave}).status, kDuplicate);
  EXPECT_EQ(act(room, alice, AddMember{.user = nobody}).status, kNotFound);
}

TEST_P(Members, WhoIsRemovedIsGone) {
  EXPECT_EQ(act(room, alice, RemoveMember{.user = bob}).seq, 1U);
  EXPECT_EQ(act(room, alice, RemoveMember{.user = bob}).status, kNotFound);
  EXPECT_EQ(call->view(room, bob).error(), StoreError::kNotFound);
  EXPECT_EQ(act(room, bob, SetMute{.until_us = 9}).status, kForbidden);
  EXPECT_EQ(call->view(room, alice).value().member_count, 2U);
  EXPECT_EQ(row(room, 1).system, chat::SystemEvent::kMemberRemoved);
}

TEST_P(Members, ChangeRolesAndMutes) {
  EXPECT_EQ(act(room, alice, SetRole{.user = bob, .role = chat::Role::kAdmin}).seq, 1U);
  EXPECT_EQ(member(bob).role, chat::Role::kAdmin);
  EXPECT_EQ(row(room, 1).role, chat::Role::kAdmin);
  EXPECT_EQ(act(room, alice, SetRole{.user = dave, .role = chat::Role::kAdmin}).status, kNotFound);
  const Outcome muted = act(room, bob, SetMute{.until_us = 77});
  EXPECT_EQ(muted.status, kCommitted);
  EXPECT_EQ(muted.seq, 0U) << "not an event";
  EXPECT_EQ(call->view(room, bob).value().muted_until_us, 77);
  EXPECT_EQ(call->view(room, alice).value().muted_until_us, 0);
}

TEST_P(Members, MarksOnlyRiseAndNeverPassTheLastEvent) {
  for (int i = 0; i < 4; ++i) sends(alice, room, "x");
  EXPECT_EQ(marks(bob, room, kDelivered, 3).seq, 3U);
  EXPECT_EQ(marks(bob, room, kDelivered, 2).status, kDuplicate);
  EXPECT_EQ(marks(bob, room, kDelivered, 2).seq, 3U);
  const Outcome seen = marks(bob, room, kSeen, 2);
  EXPECT_EQ(seen.status, kCommitted);
  EXPECT_EQ(seen.seq, 2U);
  EXPECT_EQ(seen.no, 2U);
  EXPECT_EQ(member(bob).delivered_seq, 3U) << "seen below it leaves delivered alone";
  EXPECT_EQ(marks(bob, room, kSeen, 1'000'000).seq, 4U);
  EXPECT_EQ(member(bob).delivered_seq, 4U) << "seen raises delivered, too";
  EXPECT_EQ(member(bob).read_no, 4U);
  EXPECT_EQ(marks(dave, room, kSeen, 1).status, kForbidden);
}

TEST_P(Members, UnreadCountsWhatOthersSaidSinceTheMark) {
  sends(alice, room, "1");
  sends(alice, room, "2");
  act(room, alice, Rename{.name = "not a message"});
  EXPECT_EQ(unread(bob, room), 2U);
  EXPECT_EQ(unread(alice, room), 0U) << "own messages count as read";
  marks(bob, room, kSeen, 1);
  EXPECT_EQ(unread(bob, room), 1U);
  sends(bob, room, "sending is reading");
  EXPECT_EQ(unread(bob, room), 0U);
  EXPECT_EQ(unread(alice, room), 1U);
  EXPECT_EQ(unread(carol, room), 3U);
  marks(carol, room, kSeen, 3);
  EXPECT_EQ(unread(carol, room), 1U) << "a mark on a system row covers the messages before it";
  EXPECT_EQ(call->unread(bob).value().size(), 0U);
  ASSERT_EQ(call->unread(alice).value().size(), 1U);
  EXPECT_EQ(call->unread(alice).value()[0].id, room);
}

TEST_P(Members, AMessageIsDeliveredAndSeenByTheFirstOtherMember) {
  sends(alice, room, "a");
  sends(bob, room, "b");  // bob has seen a
  const std::int64_t bob_saw_us = now_us;
  EXPECT_EQ(row(room, 1).seen_at_us, bob_saw_us);
  EXPECT_EQ(row(room, 2).delivered_at_us, 0);
  marks(bob, room, kSeen, 2);
  EXPECT_EQ(row(room, 2).seen_at_us, 0) << "one's own mark says nothing about one's own message";
  marks(carol, room, kDelivered, 2);
  const std::int64_t carol_got_us = now_us;
  EXPECT_EQ(row(room, 2).delivered_at_us, carol_got_us);
  EXPECT_EQ(row(room, 2).seen_at_us, 0);
  EXPECT_EQ(row(room, 1).delivered_at_us, bob_saw_us) << "the first one counts";
  marks(alice, room, kSeen, 2);
  EXPECT_EQ(row(room, 2).delivered_at_us, carol_got_us);
  EXPECT_EQ(row(room, 2).seen_at_us, now_us);
}

TEST_P(Members, ANewcomersMarkDoesNotSpeakForThePast) {
  sends(alice, room, "before dave");
  act(room, alice, AddMember{.user = dave});
  sends(alice, room, "after");
  marks(dave, room, kSeen, 3);
  EXPECT_EQ(row(room, 1).seen_at_us, 0);
  EXPECT_EQ(row(room, 3).seen_at_us, now_us);
  marks(bob, room, kSeen, 1);
  EXPECT_EQ(row(room, 1).seen_at_us, now_us);
}

TEST_P(Members, MarksOfAThousandReadersAgreeWithTheFirstTwo) {
  for (std::uint64_t n = 100; n < 160; ++n) {
    ASSERT_TRUE(call->ensure_user(user(n), "", 5).ok());
    act(room, alice, AddMember{.user = user(n)});
  }
  const Seq seq = sends(user(100), room, "to all").seq;
  marks(user(100), room, kSeen, seq);
  marks(user(101), room, kSeen, seq);
  const std::int64_t first_us = now_us;
  for (std::uint64_t n = 102; n < 160; ++n) marks(user(n), room, kSeen, seq);
  EXPECT_EQ(row(room, seq).seen_at_us, first_us);
}

TEST_P(Members, AudienceNamesConversationsByActivityAndTheirClosePeers) {
  const ConversationId pair = conversation(2), channel = conversation(3), crowd = conversation(4);
  creates(alice, pair, kDirect, {dave});
  creates(alice, channel, kChannel, {user(5)});
  creates(alice, crowd, kGroup, {bob, carol, dave, user(5)});
  sends(bob, room, "newest");
  const Audience all = call->audience(alice).value();
  std::vector<ConversationId> order;
  for (const Membership& one : all.conversations) order.push_back(one.conversation);
  EXPECT_THAT(order, ElementsAre(room, crowd, channel, pair));
  EXPECT_EQ(all.conversations[0].last_seq, 1U);
  EXPECT_THAT(all.peers, ElementsAre(bob, carol, dave))
      << "not those of channels and of groups above four";
  EXPECT_THAT(call->audience(alice, 1).value().conversations.size(), 1U);
  EXPECT_THAT(call->audience(alice, 100, 2).value().peers, ElementsAre(bob, carol));
  EXPECT_THAT(call->audience(nobody).value().conversations, IsEmpty());
}

TEST_P(Members, CompanionsAreThoseWhoShareAConversation) {
  creates(dave, conversation(2), kDirect, {user(5)});
  EXPECT_THAT(call->find_companions(alice, {user(5), carol, nobody, dave, bob, carol}).value(),
              ElementsAre(bob, carol));
  EXPECT_THAT(call->find_companions(dave, {alice, user(5)}).value(), ElementsAre(user(5)));
  EXPECT_THAT(call->find_companions(nobody, {alice}).value(), IsEmpty());
  EXPECT_THAT(call->find_companions(alice, {}).value(), IsEmpty());
  act(room, alice, RemoveMember{.user = bob});
  EXPECT_THAT(call->find_companions(alice, {bob, carol}).value(), ElementsAre(carol));
  EXPECT_THAT(call->find_companions(bob, {alice, carol}).value(), IsEmpty());
  EXPECT_EQ(call->find_companions(alice, std::vector<UserId>(kFindUsersMax + 1)).error(),
            StoreError::kOverloaded);
}

// The bounds of limits.h leave in doubt only pairs that are both in very many.
TEST_P(Members, CompanionsAreFoundThoughOneOfThemIsInVeryMany) {
  const UserId busy = dave, other = user(5), one = carol;
  std::uint64_t next = 10'000;
  const auto joins = [&](UserId who, std::uint32_t count) {
    std::vector<Operation> batch;
    for (std::uint32_t n = 0; n < count; ++n) {
      CreateConversation create{.kind = kGroup, .name = "own"};
      create.members.push_back({.user = who, .role = chat::Role::kOwner});
      batch.push_back(operation(conversation(++next), who, std::move(create)));
    }
    for (const Outcome& outcome : call->commit(std::move(batch)))
      ASSERT_EQ(outcome.status, kCommitted);
  };
  joins(busy, kCompanionProbesMax + 10);
  creates(one, conversation(++next), kGroup, {busy, other});
  EXPECT_THAT(call->find_companions(busy, {one, other, bob}).value(), ElementsAre(one, other));
  EXPECT_THAT(call->find_companions(one, {busy, alice}).value(), ElementsAre(alice, busy));
  joins(busy, kCompanionScanMax);
  EXPECT_THAT(call->find_companions(one, {busy, alice}).value(), ElementsAre(alice, busy));
  EXPECT_THAT(call->find_companions(busy, {one, other, bob}).value(), ElementsAre(one, other));
  joins(one, kCompanionScanMax);
  joins(one, kCompanionProbesMax);
  EXPECT_THAT(call->find_companions(busy, {one, other, bob}, InDoubt::kCompanion).value(),
              ElementsAre(one, other))
      << "those two are in doubt, or known";
  EXPECT_THAT(call->find_companions(one, {busy, other, alice}, InDoubt::kCompanion).value(),
              ElementsAre(alice, busy, other));
  EXPECT_THAT(call->find_companions(busy, {bob, alice}, InDoubt::kCompanion).value(), IsEmpty());
}

// Whatever strangers put somebody into stands behind what they have sent or read in.
TEST_P(Members, AudienceBeginsWithWhatItsUserHasActedIn) {
  for (std::uint64_t n = 2; n <= 5; ++n) creates(dave, conversation(n), kGroup, {bob});
  creates(alice, conversation(6), kDirect, {bob});
  sends(bob, conversation(6), "hi");
  sends(alice, room, "one");
  marks(bob, room, kSeen, 1);
  for (std::uint64_t n = 2; n <= 5; ++n) sends(dave, conversation(n), "buy");
  const Audience audience = call->audience(bob, 4, 2).value();
  std::vector<ConversationId> ids;
  for (const Membership& one : audience.conversations) ids.push_back(one.conversation);
  EXPECT_THAT(ids, ElementsAre(room, conversation(6), conversation(5), conversation(4)));
  EXPECT_THAT(audience.peers, ElementsAre(alice, carol));
}

TEST_P(Members, AudiencesOfManyAreThoseOfEachInTheOrderAsked) {
  creates(alice, conversation(2), kDirect, {dave});
  creates(bob, conversation(3), kGroup, {carol, user(5)});
  sends(bob, room, "newest");
  // One twice, one unknown, and not in the order of their ids.
  const std::vector<UserId> users{dave, nobody, alice, bob, dave, user(5)};
  const AudienceBounds bounds{.conversations_max = 2, .peers_max = 2, .small_group_max = 4};
  const auto together = call->audiences(users, bounds);
  ASSERT_TRUE(together.ok());
  ASSERT_EQ(together->size(), users.size());
  const auto text = [](const Audience& audience) {
    std::string out;
    for (const Membership& one : audience.conversations) {
      out += one.conversation.text() + " " + std::to_string(one.last_seq) + " " +
             std::to_string(one.joined_seq) + "\n";
    }
    for (const UserId& peer : audience.peers) out += peer.text() + "\n";
    return out;
  };
  for (std::size_t i = 0; i < users.size(); ++i)
    EXPECT_EQ(text((*together)[i]), text(call->audience(users[i], 2, 2, 4).value())) << i;
  EXPECT_FALSE(text((*together)[3]).empty());
  EXPECT_EQ(call->audiences({}, bounds)->size(), 0U);
  const std::vector<UserId> too_many(kAudienceUsersMax + 1, alice);
  const auto refused = call->audiences(too_many, bounds);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), StoreError::kOverloaded);
}

TEST_P(Members, ListsComeInPagesByIdWithTheLastMessage) {
  for (std::uint64_t n = 2; n <= 7; ++n) creates(alice, conversation(n), kGroup, {});
  sends(alice, room, "hello");
  act(room, alice, Rename{.name = "later"});
  for (std::uint32_t limit = 1; limit <= 8; ++limit) {
    std::vector<ConversationId> seen;
    ListQuery query{.user = alice, .limit = limit};
    while (true) {
      const ConversationList list = call->list(query).value();
      ASSERT_LE(list.conversations.size(), limit);
      for (const auto& view : list.conversations) seen.push_back(view.id);
      if (!list.has_more) break;
      query.after = seen.back();
    }
    ASSERT_EQ(seen.size(), 7U) << limit;
    ASSERT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  }
  const chat::ConversationView view = call->list({.user = alice}).value().conversations[0];
  EXPECT_EQ(view.last_message->content, "hello") << "system rows are not shown as the last message";
  EXPECT_EQ(view.name, "later");
  ASSERT_EQ(view.members.size(), 3U);
  EXPECT_EQ(view.members[1].name, "user2");
  EXPECT_THAT(call->view(room, alice, 2).value().members, IsEmpty()) << "larger than asked for";
  EXPECT_EQ(call->view(room, dave).error(), StoreError::kNotFound);
}

// Whoever judged a demotion or a leaving before the commit may not have known of the other.
TEST_P(Members, TheLastOwnerStaysOneWhileThereAreOthers) {
  const auto demote = [&](UserId who) {
    return act(room, alice, SetRole{.user = who, .role = chat::Role::kMember});
  };
  EXPECT_EQ(demote(alice).status, kConflict);
  EXPECT_EQ(act(room, alice, RemoveMember{.user = alice}).status, kConflict);
  EXPECT_EQ(member(alice).role, chat::Role::kOwner);
  EXPECT_EQ(act(room, alice, SetRole{.user = alice, .role = chat::Role::kOwner}).status,
            kCommitted);

  act(room, alice, SetRole{.user = bob, .role = chat::Role::kOwner});
  EXPECT_EQ(demote(alice).status, kCommitted);
  EXPECT_EQ(demote(bob).status, kConflict) << "who was promoted counts";
  act(room, bob, AddMember{.user = dave, .role = chat::Role::kOwner});
  EXPECT_EQ(act(room, bob, RemoveMember{.user = bob}).status, kCommitted);
  EXPECT_EQ(demote(dave).status, kConflict) << "who was added as one counts, who left does not";
}

TEST_P(Members, OfTwoOwnersWhoGoInOneCommitTheSecondStays) {
  act(room, alice, SetRole{.user = bob, .role = chat::Role::kOwner});
  const std::vector<Outcome> ends =
      call->commit({operation(room, alice, SetRole{.user = alice, .role = chat::Role::kMember}),
                    operation(room, bob, RemoveMember{.user = bob}),
                    operation(room, bob, SetRole{.user = carol, .role = chat::Role::kOwner}),
                    operation(room, bob, RemoveMember{.user = bob})});
  ASSERT_EQ(ends.size(), 4U);
  EXPECT_EQ(ends[0].status, kCommitted);
  EXPECT_EQ(ends[1].status, kConflict);
  EXPECT_EQ(ends[3].status, kCommitted);
  EXPECT_EQ(member(carol).role, chat::Role::kOwner);
}

TEST_P(Members, WhoIsAloneMayLeaveAsAnOwner) {
  act(room, alice, RemoveMember{.user = bob});
  act(room, alice, RemoveMember{.user = carol});
  EXPECT_EQ(act(room, alice, SetRole{.user = alice, .role = chat::Role::kMember}).status,
            kConflict);
  EXPECT_EQ(act(room, alice, RemoveMember{.user = alice}).status, kCommitted);
  EXPECT_THAT(call->load(room).value().members, IsEmpty());
  // Whoever comes to what nobody owns may go again.
  act(room, bob, AddMember{.user = bob});
  EXPECT_EQ(act(room, bob, RemoveMember{.user = bob}).status, kCommitted);
}

}  // namespace
}  // namespace uproar::storage
