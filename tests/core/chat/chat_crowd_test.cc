// More comes at once than the log takes in a batch, or the store reads at a time: it waits in its
// order, and the connections that said it are not read meanwhile. Nobody is refused but who has
// waited for long.
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core/chat/command_cost.h"
#include "storage/limits.h"
#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::size_t kCrowd = 1'500;  // more than a batch takes, and than are read at a time
static_assert(kCrowd > storage::kBatchRowsMax && kCrowd > kLoadsInFlightMax);

class Crowd : public ChatTest {
 protected:
  static ConversationCreate new_group() {
    return {.kind = ConversationKind::kGroup, .name = "room", .client_id = {}, .members = {}};
  }
  std::vector<Person> arrive(std::size_t count) {
    std::vector<Person> people;
    world.set_manual(true);  // to settle after each is slow
    for (std::size_t i = 0; i < count; ++i)
      people.push_back(connects("person" + std::to_string(i)));
    world.set_manual(false);
    world.settle();
    world.advance_ms(kHoldMs);
    return people;
  }
  static std::size_t refusals(const std::vector<Person>& people) {
    std::size_t count = 0;
    for (const Person& person : people) count += person.heard<Error>().size();
    return count;
  }
  static std::size_t paused(const std::vector<Person>& people) {
    std::size_t count = 0;
    for (const Person& person : people) count += person.connection().is_paused ? 1 : 0;
    return count;
  }
};

TEST_F(Crowd, who_finds_the_log_full_waits_and_is_answered) {
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) names.push_back("person" + std::to_string(i));
  const auto room = group(names);
  const auto people = arrive(10);
  world.log_rows_max = 4;
  for (const Person& person : people) person.sends(room, "hello");
  EXPECT_GT(paused(people), 0U);
  world.commit();
  for (const Person& person : people) EXPECT_THAT(person.answered<MessageSent>(), SizeIs(1));
  EXPECT_EQ(refusals(people), 0U);
  EXPECT_EQ(paused(people), 0U);
  EXPECT_EQ(world.shard(0).sizes().parked, 0U);
}

TEST_F(Crowd, what_one_connection_says_keeps_its_order) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  const Person bob = arrives("bob");
  world.log_rows_max = 2;
  for (int i = 0; i < 8; ++i) alice.sends(room, std::to_string(i));
  EXPECT_FALSE(alice.connection().unsaid.empty()) << "it is read no further";
  world.commit();
  std::vector<std::string> heard;
  for (const MessageNew& fresh : bob.overheard<MessageNew>())
    heard.push_back(fresh.message.content);
  EXPECT_THAT(heard, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7"));
  EXPECT_THAT(alice.heard<Error>(), IsEmpty());
}

TEST_F(Crowd, who_has_waited_for_long_is_refused_and_read_again) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  const Person bob = arrives("bob");
  world.log_rows_max = 2;
  alice.sends(room, "one");
  bob.sends(room, "two");
  bob.sends(room, "three");
  EXPECT_TRUE(bob.connection().is_paused);
  world.advance_ms(kParkedWaitMs - 1);
  EXPECT_THAT(bob.heard<Error>(), IsEmpty());
  world.advance_ms(1);
  ASSERT_THAT(bob.heard<Error>(), SizeIs(1));
  EXPECT_EQ(bob.refused(), ErrorCode::kOverloaded);
  world.commit();
  EXPECT_THAT(alice.answered<MessageSent>(), SizeIs(1));
  EXPECT_THAT(bob.answered<MessageSent>(), SizeIs(1)) << "the next one, which waited behind it";
  EXPECT_FALSE(bob.connection().is_paused);
}

TEST_F(Crowd, thousands_join_one_channel_at_once) {
  const auto room = channel({"host"});
  const auto people = arrive(kCrowd);
  world.set_manual(true);
  for (const Person& person : people) person.says(ConversationJoin{room});
  world.set_manual(false);
  world.settle();
  world.commit();
  EXPECT_EQ(refusals(people), 0U);
  for (const Person& person : people) ASSERT_THAT(person.heard<ConversationJoined>(), SizeIs(1));
  EXPECT_EQ(paused(people), 0U);
}

TEST_F(Crowd, who_joins_one_channel_at_once_shares_a_commit) {
  const auto room = channel({"host"});
  const auto people = arrive(5);
  for (const Person& person : people) person.says(ConversationJoin{room});
  world.step_apply(0, 1'000, false, false);
  while (world.step_outcomes(0)) {
  }
  world.settle();
  for (const Person& person : people) ASSERT_THAT(person.heard<ConversationJoined>(), SizeIs(1));
}

TEST_F(Crowd, a_channel_is_not_overfilled_by_those_who_join_at_once) {
  ChatLimits limits;
  limits.members_max = 3;
  World small({.shards = 1, .seed = 1, .limits = limits});
  const ConversationId room(Uuid{0xABCD, (1ULL << 63) | 99});
  const UserId host = small.user("host");
  (void)small.model().apply({.ticket = 0,
                             .conversation = room,
                             .actor = host,
                             .at_us = 1,
                             .body = storage::CreateConversation{
                                 ConversationKind::kChannel, "n", {{host, Role::kOwner}}}});
  std::vector<Person> people;
  for (int i = 0; i < 4; ++i)
    people.emplace_back(small, small.connect(small.user("guest" + std::to_string(i))));
  small.advance_ms(kHoldMs);
  for (const Person& person : people) person.says(ConversationJoin{room});
  small.commit();
  std::size_t joined = 0;
  for (const Person& person : people) joined += person.heard<ConversationJoined>().size();
  EXPECT_EQ(joined, 2U);
  EXPECT_EQ(people[3].refused(), ErrorCode::kConflict);
}

TEST_F(Crowd, thousands_join_a_cold_channel_each) {
  const auto people = arrive(kCrowd);
  std::vector<ConversationId> rooms;
  for (std::size_t i = 0; i < people.size(); ++i) rooms.push_back(channel({"host"}));
  world.log_rows_max = storage::kBatchRowsMax;
  world.set_manual(true);  // nothing is read and nothing is committed before all have said it
  for (std::size_t i = 0; i < people.size(); ++i) people[i].says(ConversationJoin{rooms[i]});
  world.set_manual(false);
  world.settle();
  world.commit();
  EXPECT_EQ(refusals(people), 0U);
  for (const Person& person : people) ASSERT_THAT(person.heard<ConversationJoined>(), SizeIs(1));
  EXPECT_EQ(paused(people), 0U);
  EXPECT_GT(counters().commands_held_up.value(), 0U);
}

TEST_F(Crowd, creations_wait_too) {
  const auto people = arrive(6);
  const auto peers = arrive(1);
  world.log_rows_max = 2;
  for (std::size_t i = 0; i < 3; ++i) people[i].says(new_group());
  for (std::size_t i = 3; i < 6; ++i) {
    MessageSend send;
    send.to = world.user("peer");
    send.client_id = "c";
    send.content = "hello";
    people[i].says(send);
  }
  EXPECT_EQ(paused(people), 5U);
  world.commit();
  EXPECT_EQ(refusals(people), 0U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_THAT(people[i].answered<ConversationCreated>(), SizeIs(1));
  for (std::size_t i = 3; i < 6; ++i) EXPECT_THAT(people[i].answered<MessageSent>(), SizeIs(1));
}

TEST_F(Crowd, a_creation_that_waited_for_long_leaves_nothing) {
  const auto people = arrive(2);
  world.log_rows_max = 1;
  for (const Person& person : people) person.says(new_group());
  world.advance_ms(kParkedWaitMs);
  EXPECT_EQ(people[1].refused(), ErrorCode::kOverloaded);
  EXPECT_EQ(world.shard(0).sizes().conversations, 1U);
  world.commit();
  EXPECT_THAT(people[0].answered<ConversationCreated>(), SizeIs(1));
}

TEST_F(Crowd, a_command_of_many_rows_waits_for_all_of_them) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  const Person bob = arrives("bob");
  world.log_rows_max = 8;
  for (int i = 0; i < 4; ++i) bob.sends(room, "x");
  MemberAdd add{.conversation = room, .users = {}, .role = Role::kMember};
  for (int i = 0; i < 8; ++i) add.users.push_back(world.user("new" + std::to_string(i)));
  alice.says(add);
  bob.sends(room, "and behind it");
  world.commit();
  EXPECT_THAT(alice.heard<Error>(), IsEmpty());
  EXPECT_THAT(bob.overheard<MemberAdded>(), SizeIs(8));
  EXPECT_THAT(bob.answered<MessageSent>(), SizeIs(5));
}

TEST_F(Crowd, one_conversation_does_not_keep_the_others_from_their_turn) {
  const auto busy = group({"alice", "bob"});
  const auto quiet = group({"carol", "dave"});
  const Person alice = arrives("alice");
  const Person carol = arrives("carol");
  world.log_rows_max = 4;
  MessageSend send;
  send.conversation = busy;
  for (int i = 0; i < 40; ++i) {
    send.client_id = "r" + std::to_string(i);
    (void)world.request(alice.id(), send);
  }
  carol.sends(quiet, "hello");
  EXPECT_TRUE(carol.connection().is_paused);
  for (int batch = 0; batch < 3; ++batch) {  // of this one, of the busy one once more, of carol
    world.step_apply(0, 1'000, false, false);
    while (world.step_outcomes(0)) {
    }
    world.settle();
  }
  EXPECT_THAT(carol.answered<MessageSent>(), SizeIs(1));
  EXPECT_GT(world.shard(0).sizes().parked, 20U);
  world.commit();
  EXPECT_EQ(world.shard(0).sizes().parked, 0U);
}

TEST_F(Crowd, who_waited_for_the_conversation_and_then_for_room_is_held_up_too) {
  const auto room = group({"alice", "bob"});
  const auto other = group({"alice", "carol"});
  const Person bob = arrives("bob");
  const Person carol = arrives("carol");
  carol.sends(other, "one");
  world.set_manual(true);  // the conversation is not read yet
  bob.sends(room, "two");
  EXPECT_FALSE(bob.connection().is_paused);
  world.log_rows_max = 1;
  world.set_manual(false);
  world.settle();
  EXPECT_TRUE(bob.connection().is_paused);
  world.advance_ms(kParkedWaitMs);
  EXPECT_EQ(bob.refused(), ErrorCode::kOverloaded);
  EXPECT_FALSE(bob.connection().is_paused);
}

TEST_F(Crowd, requests_wait_like_sessions) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  world.log_rows_max = 2;
  MessageSend send;
  send.conversation = room;
  send.content = "x";
  std::vector<std::uint32_t> slots;
  for (int i = 0; i < 5; ++i) {
    send.client_id = "r" + std::to_string(i);
    slots.push_back(world.request(alice.id(), send));
  }
  world.commit();
  for (const std::uint32_t slot : slots) {
    ASSERT_THAT(world.requests[slot], SizeIs(1));
    EXPECT_TRUE(std::holds_alternative<MessageSent>(world.requests[slot][0].event));
  }
}

TEST_F(Crowd, what_waits_is_bounded_in_bytes) {
  const auto room = group({"alice", "bob"});
  const auto other = group({"alice", "bob"});
  world.set_manual(true);  // the conversations are not read yet
  const auto fill = [&](const ClientEvent& event, std::size_t bytes, const std::string& names) {
    const std::size_t most = kParkedBytesMax / bytes;
    const std::size_t refused_before = counters().overloaded.value();
    std::size_t said = 0;
    for (int user = 0; said <= most; ++user) {
      for (std::uint32_t i = 0; i < world.options().limits.commands_burst / cost_of(event);
           ++i, ++said)
        (void)world.request(world.user(names + std::to_string(user)), event);
    }
    const std::size_t parked = world.shard(0).sizes().parked;
    EXPECT_LT(parked, most) << names;
    EXPECT_GT(parked, most * 9 / 10) << names;
    EXPECT_EQ(counters().overloaded.value() - refused_before, said - parked) << names;
    world.set_manual(false);
    world.settle();
    world.commit();
    EXPECT_EQ(world.shard(0).sizes().parked, 0U);
    world.set_manual(true);
  };
  MessageSend send;
  send.conversation = room;
  send.content = std::string(kContentBytesMax, 'x');
  fill(send, kContentBytesMax, "sender");
  fill(EventPublish{other, "x", std::string(kEventDataBytesMax, '1')}, kEventDataBytesMax,
       "publisher");
}

TEST_F(Crowd, a_store_that_fails_refuses_who_waits_at_once) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  const Person bob = arrives("bob");
  world.log_rows_max = 2;
  alice.sends(room, "x");
  bob.sends(room, "x");
  EXPECT_TRUE(bob.connection().is_paused);
  world.log_is_down = true;
  world.reads_fail = true;
  world.fail_commits();
  world.advance_ms(1);
  EXPECT_EQ(alice.refused(), ErrorCode::kUnavailable);
  EXPECT_EQ(bob.refused(), ErrorCode::kUnavailable);
  EXPECT_FALSE(bob.connection().is_paused);
}

TEST_F(Crowd, a_long_list_of_people_is_staged_in_slices_and_answered_once) {
  const auto room = group({"alice"}), other = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  MemberAdd add{.conversation = room, .users = {}, .role = Role::kMember};
  for (int i = 0; i < 150; ++i) add.users.push_back(world.user("m" + std::to_string(i)));
  world.log_rows_max = kChangeSliceRows + 2;  // a message may be the first of two
  alice.says(add, "a");
  EXPECT_EQ(world.staged(), kChangeSliceRows);
  bob.sends(other, "between");
  EXPECT_EQ(world.staged(), kChangeSliceRows + 1) << "there is room for others";
  ASSERT_TRUE(world.step_apply(0, 1'000, false, false));
  ASSERT_TRUE(world.step_outcomes(0));
  world.settle();
  EXPECT_THAT(bob.seqs(), SizeIs(1));
  EXPECT_TRUE(alice.answered<MemberAdded>().empty()) << "it is not done";
  EXPECT_EQ(world.staged(), kChangeSliceRows) << "the next slice";
  world.commit();
  EXPECT_THAT(alice.answered<MemberAdded>(), SizeIs(1));
  EXPECT_EQ(world.model().load_conversation(room).value().members.size(), 151U);
}

TEST_F(Crowd, a_slice_that_fails_ends_the_list_with_an_error) {
  const auto room = group({"alice"});
  const Person alice = arrives("alice");
  MemberAdd add{.conversation = room, .users = {}, .role = Role::kMember};
  for (int i = 0; i < 150; ++i) add.users.push_back(world.user("m" + std::to_string(i)));
  alice.says(add, "a");
  ASSERT_TRUE(world.step_apply(0, 1'000, false, false));
  ASSERT_TRUE(world.step_outcomes(0));
  world.fail_commits();
  world.settle();
  EXPECT_EQ(alice.refused(), ErrorCode::kUnavailable);
  EXPECT_EQ(world.staged(), 0U) << "no third slice";
  world.advance_ms(5'000);
  world.commit();
  EXPECT_EQ(world.model().load_conversation(room).value().members.size(), 1 + kChangeSliceRows);
  alice.says(add, "again");
  world.commit();
  EXPECT_EQ(world.model().load_conversation(room).value().members.size(), 151U);
}

}  // namespace
}  // namespace uproar::chat::testing
