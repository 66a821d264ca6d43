// A sync that names conversations which the session does not hear: one read says in which of them
// its user is.

#include <gmock/gmock.h>

#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

ConversationId nowhere(std::uint64_t n) {
  return ConversationId(Uuid{0xDEAD, (1ULL << 63) | n});
}

class UnknownSyncs : public ChatTest {
 protected:
  static Sync sync_of_nothing(std::uint64_t count) {
    Sync sync;
    for (std::uint64_t n = 0; n < count; ++n) sync.cursors.emplace_back(nowhere(n), 7);
    return sync;
  }
  // Its answer comes when the test lets it.
  void read(const Person& person, Sync sync) {
    world.set_manual(true);
    person.says(std::move(sync), "s");
    ASSERT_TRUE(world.step_read_execute(0, 0));
  }
  void answer() {
    ASSERT_TRUE(world.step_read_answer(0, 0));
    world.set_manual(false);
    world.settle();
  }
};

TEST_F(UnknownSyncs, a_thousand_ids_cost_one_read) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice");
  Sync sync = sync_of_nothing(999);
  sync.cursors.emplace_back(room, 0);
  const std::uint64_t before = world.store_reads;
  alice.says(std::move(sync), "s");
  EXPECT_LE(world.store_reads - before, 3U) << "that, and what the known one takes";
  const auto done = alice.answered<SyncDone>();
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_THAT(done[0].refused, SizeIs(999));
  EXPECT_EQ(done[0].refused[0].second, ErrorCode::kNotMember);
  ASSERT_THAT(done[0].cursors, SizeIs(1));
  EXPECT_EQ(done[0].cursors[0].first, room);
  const Person bob = arrives("bob");
  bob.sends(room, "hi");
  world.commit();
  EXPECT_THAT(alice.seqs(), ElementsAre(1)) << "what it named and is in goes on live";
}

TEST_F(UnknownSyncs, what_is_found_is_paged) {
  const auto room = group({"alice", "bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  bob.sends(room, "before");
  world.commit();
  Sync sync = sync_of_nothing(10);
  sync.cursors.emplace_back(room, 0);
  const std::uint32_t request = world.request(alice.id(), sync);
  const auto& heard = world.requests[request];
  ASSERT_THAT(heard, SizeIs(2)) << "a page and the end";
  EXPECT_THAT(std::get<HistoryPage>(heard[0].event).messages, SizeIs(1));
  EXPECT_THAT(std::get<SyncDone>(heard[1].event).refused, SizeIs(10));
}

TEST_F(UnknownSyncs, a_joining_that_is_told_before_the_answer_is_not_refused) {
  const auto room = group({"bob"});
  const Person alice = arrives("alice"), bob = arrives("bob");
  bob.sends(room, "so that it is in memory");
  world.commit();
  Sync sync = sync_of_nothing(10);
  sync.cursors.emplace_back(room, 0);
  read(alice, std::move(sync));  // before the joining
  bob.says(MemberAdd{.conversation = room, .users = {alice.id()}, .role = Role::kMember});
  ASSERT_TRUE(world.step_apply(0, 1, false, false));
  ASSERT_TRUE(world.step_outcomes(0));
  answer();
  const auto done = alice.answered<SyncDone>();
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_THAT(done[0].refused, SizeIs(10));
  ASSERT_THAT(done[0].cursors, SizeIs(1));
  alice.forgets();
  bob.sends(room, "hi");
  world.commit();
  EXPECT_THAT(alice.heard<MessageNew>(), SizeIs(1)) << "it is live";
}

TEST_F(UnknownSyncs, a_session_that_ends_meanwhile_is_not_answered) {
  const Person alice = arrives("alice");
  read(alice, sync_of_nothing(100));
  world.disconnect(alice.connection());
  answer();
  EXPECT_EQ(world.shard(0).sizes().pullers, 0U);
  EXPECT_EQ(world.shard(0).sizes().topics, 0U);
}

TEST_F(UnknownSyncs, while_the_store_cannot_be_read_they_may_ask_again) {
  const Person alice = arrives("alice");
  world.reads_fail = true;
  alice.says(sync_of_nothing(10), "s");
  const auto done = alice.answered<SyncDone>();
  ASSERT_THAT(done, SizeIs(1));
  ASSERT_THAT(done[0].refused, SizeIs(10));
  EXPECT_EQ(done[0].refused[0].second, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace uproar::chat::testing
