// What others put somebody into: it never ends or hinders their sessions, and what finds no room is told as not live.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "core/chat/ownership.h"
#include "tests/core/chat/two_nodes.h"

namespace uproar::chat::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class Joinings : public ChatTest {
 protected:
  explicit Joinings(ChatLimits limits = few()) : ChatTest({.limits = limits}) {}
  static ChatLimits few() {
    ChatLimits limits;
    limits.joined_live_max = 3;
    limits.commands_burst = 5'000;
    return limits;
  }

  static ConversationCreate created_by_name(std::string client_id, std::vector<UserId> members) {
    ConversationCreate create;
    create.name = "buy";
    create.members = std::move(members);
    create.client_id = std::move(client_id);
    return create;
  }
  // By somebody else; all is committed.
  std::vector<ConversationId> flood(const Person& by, UserId victim, int count) {
    const std::size_t before = by.answered<ConversationCreated>().size();
    for (int i = 0; i < count; ++i)
      by.says(created_by_name("g" + std::to_string(made_++), {victim}));
    world.commit();
    std::vector<ConversationId> rooms;
    for (const auto& created : by.answered<ConversationCreated>())
      rooms.push_back(created.conversation.id);
    rooms.erase(rooms.begin(), rooms.begin() + static_cast<std::ptrdiff_t>(before));
    return rooms;
  }
  static std::vector<ConversationId> told_joined(const Person& person) {
    std::vector<ConversationId> out;
    for (const auto& joined : person.overheard<ConversationJoined>())
      out.push_back(joined.conversation.id);
    return out;
  }
  static std::vector<ConversationId> told_not_live(const Person& person) {
    std::vector<ConversationId> out;
    for (const auto& told : person.overheard<ConversationNotLive>())
      out.insert(out.end(), told.conversations.begin(), told.conversations.end());
    return out;
  }
  void passes_a_second() {
    world.advance_ms(kNotLiveMs);
    world.settle();
  }
  std::vector<ConversationId> listed_not_live(const Person& person) {
    person.forgets();
    person.says(ConversationList{.limit = 200, .after = {}});
    world.settle();
    std::vector<ConversationId> out;
    for (const ConversationPage& page : person.heard<ConversationPage>()) {
      for (const ConversationView& view : page.conversations)
        if (!view.is_live) out.push_back(view.id);
    }
    return out;
  }

 private:
  int made_ = 0;
};

class ManyJoinings : public Joinings {
 protected:
  ManyJoinings() : Joinings(many()) {}
  static ChatLimits many() {
    ChatLimits limits;
    limits.commands_burst = 5'000;
    limits.connections_per_user_max = 64;
    return limits;
  }
};

// 64 of them ended it once.
TEST_F(ManyJoinings, before_a_session_is_released_do_not_end_it) {
  const auto own = group({"victim", "friend"});
  const Person mallory = arrives("mallory"), friendly = arrives("friend");
  const Person victim = connects("victim");
  const auto rooms = flood(mallory, victim.id(), 200);
  EXPECT_THAT(told_joined(victim), IsEmpty());
  world.advance_ms(kHoldMs);
  world.settle();
  EXPECT_FALSE(victim.connection().closed_with);
  EXPECT_THAT(told_joined(victim), ::testing::UnorderedElementsAreArray(rooms));
  EXPECT_EQ(counters().audience_loads.value(), 4U) << "three beginnings, and one look at all";
  friendly.sends(own, "are you there?");
  mallory.sends(rooms[150], "buy");
  world.commit();
  EXPECT_THAT(victim.seqs(), SizeIs(2));
  EXPECT_THAT(victim.overheard<ConversationNotLive>(), IsEmpty());
}

TEST_F(ManyJoinings, that_follow_too_fast_are_told_as_not_live_and_do_not_end_a_session) {
  const Person mallory = arrives("mallory"), victim = arrives("victim");
  const auto rooms = flood(mallory, victim.id(), kJoiningsBurst + 100);
  EXPECT_THAT(told_joined(victim), SizeIs(kJoiningsBurst));
  passes_a_second();
  ASSERT_THAT(victim.overheard<ConversationNotLive>(), SizeIs(1));
  EXPECT_THAT(victim.overheard<ConversationNotLive>()[0].conversations, SizeIs(kNotLiveNamedMax));
  EXPECT_TRUE(victim.overheard<ConversationNotLive>()[0].more);
  const auto later = flood(mallory, victim.id(), 1);
  EXPECT_THAT(told_joined(victim), Contains(later[0])) << "the flood is over";
  EXPECT_FALSE(victim.connection().closed_with);
}

TEST_F(Joinings, that_find_no_room_are_told_as_not_live_and_shown_so) {
  const Person mallory = arrives("mallory"), victim = arrives("victim");
  const auto rooms = flood(mallory, victim.id(), 5);
  EXPECT_THAT(told_joined(victim), ElementsAre(rooms[0], rooms[1], rooms[2]));
  EXPECT_THAT(told_not_live(victim), IsEmpty()) << "once a second";
  passes_a_second();
  EXPECT_THAT(told_not_live(victim), ElementsAre(rooms[3], rooms[4]));
  EXPECT_FALSE(victim.overheard<ConversationNotLive>()[0].more);
  EXPECT_THAT(listed_not_live(victim), ::testing::UnorderedElementsAre(rooms[3], rooms[4]));
  victim.says(ConversationGet{rooms[4]});
  world.settle();
  EXPECT_FALSE(victim.heard<ConversationInfo>().back().conversation.is_live);
  mallory.sends(rooms[4], "buy");
  mallory.sends(rooms[0], "buy");
  world.commit();
  EXPECT_THAT(victim.seqs(), SizeIs(1));
  EXPECT_FALSE(victim.connection().closed_with);
}

TEST_F(Joinings, that_are_not_live_become_so_by_a_sync) {
  const Person mallory = arrives("mallory"), victim = arrives("victim");
  const auto rooms = flood(mallory, victim.id(), 5);
  mallory.sends(rooms[4], "one");
  world.commit();
  victim.says(Sync{{{rooms[4], 0}}}, "s");
  ASSERT_THAT(victim.answered<HistoryPage>(), SizeIs(1));
  EXPECT_THAT(victim.answered<HistoryPage>()[0].messages, SizeIs(1));
  passes_a_second();
  EXPECT_THAT(told_not_live(victim), ElementsAre(rooms[3])) << "the other is live by now";
  mallory.sends(rooms[4], "two");
  world.commit();
  EXPECT_THAT(victim.seqs(), ElementsAre(2));
  // What was asked for is in nobody's share: a flood takes no more room by it.
  const auto more = flood(mallory, victim.id(), 1);
  EXPECT_THAT(told_joined(victim), Not(Contains(more[0])));
}

TEST_F(Joinings, in_which_the_user_acts_or_which_end_make_room_for_others) {
  const Person mallory = arrives("mallory"), victim = arrives("victim");
  const auto rooms = flood(mallory, victim.id(), 3);
  victim.sends(rooms[0], "thanks");
  mallory.says(MemberRemove{rooms[1], victim.id()});
  world.commit();
  const auto more = flood(mallory, victim.id(), 3);
  EXPECT_THAT(told_joined(victim), ElementsAre(rooms[0], rooms[1], rooms[2], more[0], more[1]));
}

TEST_F(Joinings, of_ones_own_compete_with_nobody) {
  const Person mallory = arrives("mallory"), victim = arrives("victim");
  (void)flood(mallory, victim.id(), 5);
  const auto lobby = channel({"mallory"});
  victim.says(ConversationJoin{lobby});
  world.commit();
  EXPECT_THAT(victim.answered<ConversationJoined>(), SizeIs(1));
  victim.says(created_by_name("m", {mallory.id()}));
  world.commit();
  const ConversationId mine = victim.answered<ConversationCreated>().at(0).conversation.id;
  mallory.sends(lobby, "hi");
  mallory.sends(mine, "hi");
  world.commit();
  EXPECT_THAT(victim.seqs(), SizeIs(2));
}

class JoiningsOutOfMemory : public Joinings {
 protected:
  JoiningsOutOfMemory() : Joinings(without_recent_rows()) {}
  static ChatLimits without_recent_rows() {
    ChatLimits limits = few();
    limits.recent_rows_max = 0;  // every page is read
    return limits;
  }
};

TEST_F(JoiningsOutOfMemory, whose_pages_cannot_be_read_are_told_as_not_live) {
  const auto room = group({"mallory", "friend"});
  const Person mallory = arrives("mallory"), victim = connects("victim");
  mallory.says(MemberAdd{room, {victim.id()}, Role::kMember});
  world.commit();
  mallory.sends(room, "behind");
  world.commit();
  world.set_manual(true);
  world.advance_ms(kHoldMs);
  ASSERT_EQ(world.reads_waiting(0), 1U) << "is she in?";
  ASSERT_TRUE(world.step_read_execute(0, 0));
  ASSERT_TRUE(world.step_read_answer(0, 0));
  ASSERT_EQ(world.reads_waiting(0), 1U) << "what was said since";
  world.reads_fail = true;
  world.settle();
  world.reads_fail = false;
  EXPECT_THAT(told_joined(victim), ElementsAre(room));
  EXPECT_FALSE(victim.connection().closed_with);
  world.set_manual(false);
  passes_a_second();
  EXPECT_THAT(told_not_live(victim), ElementsAre(room));
  EXPECT_THAT(victim.seqs(), IsEmpty());
  victim.says(Sync{{{room, 1}}}, "s");
  ASSERT_THAT(victim.answered<HistoryPage>(), SizeIs(1));
  mallory.sends(room, "live");
  world.commit();
  EXPECT_THAT(victim.seqs(), ElementsAre(3U));
}

// Whoever is in more than a session hears from its start is told so.
TEST_F(Joinings, beyond_what_a_session_hears_from_its_start_are_told) {
  storage::CreateConversation body{
      .kind = ConversationKind::kGroup,
      .name = "buy",
      .members = {{.user = world.user("mallory"), .role = Role::kOwner},
                  {.user = world.user("victim"), .role = Role::kMember}}};
  for (std::uint64_t i = 1; i <= kAudienceConversationsMax + 1; ++i) {
    (void)world.model().apply({.ticket = 0,
                               .conversation = ConversationId(Uuid{7, (1ULL << 63) | i}),
                               .actor = world.user("mallory"),
                               .at_us = static_cast<std::int64_t>(i),
                               .body = body});
  }
  const auto own = group({"victim", "friend"});
  (void)world.model().apply({.ticket = 0,
                             .conversation = own,
                             .actor = world.user("victim"),
                             .at_us = 2,
                             .body = storage::AppendMessage{
                                 .id = MessageId(Uuid{9, 9}), .client_id = "a", .content = "x"}});
  const Person victim = arrives("victim"), friendly = arrives("friend");
  passes_a_second();
  ASSERT_THAT(victim.overheard<ConversationNotLive>(), SizeIs(1));
  EXPECT_TRUE(victim.overheard<ConversationNotLive>()[0].more);
  friendly.sends(own, "hi");
  world.commit();
  EXPECT_THAT(victim.seqs(), SizeIs(1)) << "the oldest of all, but victim has spoken there";
  // A request has no connection on which it could be live.
  const std::uint32_t asked = world.request(victim.id(), ConversationList{.limit = 5, .after = {}});
  world.settle();
  const auto& page = std::get<ConversationPage>(world.requests.at(asked).at(0).event);
  EXPECT_TRUE(page.conversations.at(0).is_live);
}

// A sync that finds no room is refused, and its session goes on.
TEST_F(Joinings, and_syncs_share_what_a_connection_may_hear) {
  const Person victim = arrives("victim");
  storage::CreateConversation body{
      .kind = ConversationKind::kGroup,
      .name = "n",
      .members = {{.user = world.user("mallory"), .role = Role::kOwner},
                  {.user = victim.id(), .role = Role::kMember}}};
  std::vector<ConversationId> rooms;
  for (std::uint64_t i = 1; i <= 5'000; ++i) {
    rooms.emplace_back(Uuid{7, (1ULL << 63) | i});
    (void)world.model().apply({.ticket = 0,
                               .conversation = rooms.back(),
                               .actor = world.user("mallory"),
                               .at_us = 1,
                               .body = body});
  }
  std::size_t refused = 0;
  for (std::size_t from = 0; from < rooms.size(); from += 1'000) {
    Sync sync;
    for (std::size_t i = from; i < from + 1'000; ++i) sync.cursors.emplace_back(rooms[i], 0);
    victim.forgets();
    victim.says(std::move(sync), "s");
    world.settle();
    ASSERT_THAT(victim.answered<SyncDone>(), SizeIs(1));
    const SyncDone done = victim.answered<SyncDone>()[0];
    for (const auto& [conversation, code] : done.refused) {
      EXPECT_EQ(code, ErrorCode::kOverloaded);
      ++refused;
    }
  }
  EXPECT_FALSE(victim.connection().closed_with);
  EXPECT_EQ(refused, rooms.size() - (kSessionTopicsMax - kPresenceListMax));
}

class TwoNodesAndAFlood : public TwoNodes {};

TEST_F(TwoNodesAndAFlood, is_looked_up_by_its_own_share_alone) {
  const auto own = group({"victim", "friend"});
  const Person victim = arrives("victim", 1), friendly = arrives("friend", 0);
  for (std::uint64_t i = 1; i <= 2 * kJoiningsBurst; ++i)
    world.bus().publish(0, joined_hint(victim.id(), ConversationId(Uuid{5, (1ULL << 63) | i})));
  world.settle();
  EXPECT_EQ(at(1).audience_looks.value(), kJoiningsBurst + 1U) << "one when listening began";
  friendly.sends(own, "hi");
  world.commit();
  world.settle();
  EXPECT_THAT(victim.seqs(), ElementsAre(1));
  world.advance_ms(kNotLiveMs);
  world.settle();
  EXPECT_THAT(victim.overheard<ConversationNotLive>(), SizeIs(1));
}

}  // namespace
}  // namespace uproar::chat::testing
