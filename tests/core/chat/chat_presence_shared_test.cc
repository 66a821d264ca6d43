// Who may know who is online: those who share a conversation, as long as they do.
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class SharedPresence : public ChatTest {
 protected:
  explicit SharedPresence(ChatLimits limits = {}) : ChatTest({.shards = 3, .limits = limits}) {}

  void rest() {
    world.settle();
    world.advance_ms(kPresenceTickMs);
    world.settle();
  }
  template <class Ask>
  std::vector<PresenceState> answer_to(const Person& who, Ask ask) {
    who.forgets();
    who.says(std::move(ask));
    world.settle();
    const auto lists = who.answered<PresenceList>();
    EXPECT_THAT(lists, SizeIs(1));
    return lists.empty() ? std::vector<PresenceState>() : lists[0].users;
  }
  // Nothing but the id tells them apart.
  static PresenceState nameless(PresenceState state) {
    state.user = UserId();
    return state;
  }
  // By what `watcher` was told last.
  static bool is_shown_online(const Person& watcher, UserId whom) {
    bool online = false;
    for (const PresenceUpdate& update : watcher.overheard<PresenceUpdate>())
      if (update.state.user == whom) online = update.state.online;
    return online;
  }
  std::uint64_t reads() const { return world.store_reads; }
};

TEST_F(SharedPresence, of_a_stranger_is_answered_as_that_of_nobody) {
  const Person before = arrives("bob", 1);
  world.disconnect(before.connection());  // there is a time at which bob was online last
  const Person bob = arrives("bob", 1);
  const Person mallory = arrives("mallory", 0);
  rest();
  const UserId nobody(Uuid{1, (1ULL << 63) | 7});
  const std::vector<UserId> both{bob.id(), nobody};
  for (const auto& states :
       {answer_to(mallory, PresenceGet{both}), answer_to(mallory, PresenceSubscribe{both}),
        answer_to(mallory, PresenceUnsubscribe{both}),
        answer_to(mallory, PresenceSubscribe{both})}) {
    ASSERT_THAT(states, SizeIs(2));
    EXPECT_EQ(nameless(states[0]), PresenceState());
    EXPECT_EQ(nameless(states[1]), PresenceState());
  }
  world.disconnect(bob.connection());
  rest();
  EXPECT_THAT(mallory.heard<PresenceUpdate>(), IsEmpty());
  const std::uint32_t asked = world.request(mallory.id(), PresenceGet{both}, 2);
  world.settle();
  for (const auto& state : std::get<PresenceList>(world.requests.at(asked).at(0).event).users)
    EXPECT_EQ(nameless(state), PresenceState());
}

TEST_F(SharedPresence, is_told_to_whoever_shares_a_conversation_of_any_kind) {
  (void)channel({"ann", "bob"});
  const Person ann = arrives("ann", 0), bob = arrives("bob", 1);
  rest();
  const auto states = answer_to(ann, PresenceSubscribe{{bob.id(), ann.id()}});
  ASSERT_THAT(states, SizeIs(2));
  EXPECT_TRUE(states[0].online && states[1].online);
  world.disconnect(bob.connection());
  rest();
  ASSERT_THAT(ann.overheard<PresenceUpdate>(), SizeIs(1));
  EXPECT_FALSE(ann.overheard<PresenceUpdate>()[0].state.online);
}

TEST_F(SharedPresence,
       of_somebody_who_is_watched_is_asked_for_without_the_store_knowing_who_shares) {
  (void)group({"ann", "bob"});
  const Person ann = arrives("ann", 0), bob = arrives("bob", 1);
  rest();
  const std::uint64_t before = reads();
  (void)answer_to(ann, PresenceGet{{bob.id()}});
  EXPECT_EQ(reads() - before, 1U) << "when they were last online";
}

TEST_F(SharedPresence, ends_for_both_when_one_leaves_the_last_conversation) {
  const auto room = group({"ann", "bob", "cid"});
  (void)channel({"ann", "cid"});
  const Person ann = arrives("ann", 0), bob = arrives("bob", 1), cid = arrives("cid", 2);
  rest();
  ann.says(MemberRemove{room, bob.id()});
  world.commit();
  rest();
  EXPECT_FALSE(is_shown_online(ann, bob.id()));
  EXPECT_FALSE(is_shown_online(bob, ann.id()));
  EXPECT_FALSE(is_shown_online(bob, cid.id()));
  EXPECT_TRUE(is_shown_online(cid, ann.id()));
  for (const Person* person : {&ann, &bob, &cid}) person->forgets();
  world.disconnect(bob.connection());
  rest();
  EXPECT_THAT(ann.heard<PresenceUpdate>(), IsEmpty());
  EXPECT_THAT(cid.heard<PresenceUpdate>(), IsEmpty());
  world.disconnect(ann.connection());
  rest();
  EXPECT_THAT(cid.heard<PresenceUpdate>(), SizeIs(1)) << "they share the channel";
}

TEST_F(SharedPresence, ends_when_it_can_be_asked_who_shares_one) {
  const auto room = group({"ann", "bob"});
  const Person ann = arrives("ann", 0), bob = arrives("bob", 1);
  rest();
  ann.says(MemberRemove{room, bob.id()});
  world.reads_fail = true;
  world.commit();
  rest();
  EXPECT_TRUE(is_shown_online(ann, bob.id())) << "nobody knows";
  world.reads_fail = false;
  world.advance_ms(kPresenceReviewRetryMs);
  world.settle();
  EXPECT_FALSE(is_shown_online(ann, bob.id()));
  EXPECT_FALSE(is_shown_online(bob, ann.id()));
}

TEST_F(SharedPresence, costs_by_how_many_the_store_is_asked_about) {
  std::vector<UserId> peers, strangers;
  for (int i = 0; i < 30; ++i) {
    const std::string number = std::to_string(i);
    exists(ConversationKind::kDirect, {"ann", "peer" + number});
    peers.push_back(world.user("peer" + number));
    strangers.push_back(world.user("stranger" + number));
  }
  const Person ann = arrives("ann"), ben = arrives("ben");
  rest();
  const auto answers_of = [&](const Person& who, const std::vector<UserId>& users) {
    for (int i = 0; i < 20; ++i) who.says(PresenceGet{users});
    world.settle();
    return who.answered<PresenceList>().size();
  };
  EXPECT_EQ(answers_of(ann, peers), 20U) << "of two units: it hears them anyway";
  EXPECT_EQ(answers_of(ben, strangers), ChatLimits().commands_burst / 31);
}

class PresenceOfFewLive : public SharedPresence {
 protected:
  PresenceOfFewLive() : SharedPresence(ChatLimits{.joined_live_max = 0}) {}
};

TEST_F(PresenceOfFewLive, ends_also_where_the_conversation_was_not_live) {
  const Person ann = arrives("ann", 0), bob = arrives("bob", 1), cid = arrives("cid", 2);
  cid.says(ConversationCreate{.kind = ConversationKind::kGroup,
                              .name = "g",
                              .client_id = {},
                              .members = {ann.id(), bob.id()}});
  world.commit();
  rest();
  EXPECT_TRUE(answer_to(ann, PresenceSubscribe{{bob.id()}}).at(0).online);
  const ConversationId room = cid.answered<ConversationCreated>().at(0).conversation.id;
  cid.says(MemberRemove{room, bob.id()});
  world.commit();
  rest();
  ASSERT_THAT(ann.overheard<PresenceUpdate>(), SizeIs(1));
  EXPECT_FALSE(ann.overheard<PresenceUpdate>()[0].state.online);
  world.disconnect(bob.connection());
  rest();
  EXPECT_THAT(ann.overheard<PresenceUpdate>(), SizeIs(1));
}

TEST_F(SharedPresence, is_refused_while_the_store_cannot_say_who_shares) {
  (void)channel({"ann", "bob"});
  const Person ann = arrives("ann", 0);
  (void)arrives("bob", 1);
  rest();
  world.reads_fail = true;
  ann.says(PresenceGet{{world.user("bob")}});
  world.settle();
  EXPECT_EQ(ann.refused(), ErrorCode::kUnavailable);
}

class PublicPresence : public SharedPresence {
 protected:
  PublicPresence() : SharedPresence(ChatLimits{.presence_is_public = true}) {}
};

TEST_F(PublicPresence, is_told_to_strangers_too) {
  const Person bob = arrives("bob", 1), mallory = arrives("mallory", 0);
  rest();
  EXPECT_TRUE(answer_to(mallory, PresenceSubscribe{{bob.id()}}).at(0).online);
  world.disconnect(bob.connection());
  rest();
  EXPECT_THAT(mallory.overheard<PresenceUpdate>(), SizeIs(1));
}

}  // namespace
}  // namespace uproar::chat::testing
