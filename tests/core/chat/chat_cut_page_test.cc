// Ben was cut off between two pages: the end of the first is his cursor, and it is above a message that he was not shown,
// because its change stands behind the cut. Where he comes back that change is not published so far.
#include <string>
#include <utility>
#include <vector>

#include "tests/core/chat/scene.h"

namespace uproar::chat::testing {
namespace {

class CutPage : public ChatTest {
 protected:
  explicit CutPage(std::uint32_t nodes)
      : ChatTest({.limits = {}, .nodes = nodes}),
        cid(arrives("cid", nodes - 1)),
        ben(connects("ben", nodes - 1, true)) {
    ann.sends(room, "one");
    ann.sends(room, "two");
    ann.sends(room, "three");
    world.commit();
    ann.says(MessageEdit{.conversation = room, .message = {.seq = 1, .id = {}}, .content = "ONE"},
             "edit");
    world.step_apply(0, 1, false, false);
  }
  void ben_syncs(Seq cursor = 3) const { ben.says(Sync{.cursors = {{room, cursor}}}); }
  void expect_refused() const {
    ASSERT_EQ(ben.answered<SyncDone>().size(), 1U);
    EXPECT_EQ(ben.answered<SyncDone>()[0].refused,
              (std::vector<std::pair<ConversationId, ErrorCode>>{{room, ErrorCode::kUnavailable}}));
  }
  // The reads of his node fail for as long as that takes.
  void ben_is_refused() {
    world.reads_fail = true;
    ben_syncs();
    expect_refused();
    world.reads_fail = false;
  }
  using Rows = std::vector<std::pair<Seq, std::string>>;
  void expect_a_row_and_no_event() const { expect_rows_and_no_event({{1, "ONE"}}); }
  void expect_rows_and_no_event(const Rows& expected) const {
    Rows rows;
    for (const HistoryPage& page : ben.heard<HistoryPage>()) {
      for (const Message& row : page.messages) rows.emplace_back(row.seq, row.content);
    }
    EXPECT_EQ(rows, expected);
    EXPECT_TRUE(ben.heard<MessageUpdated>().empty());
  }

  const ConversationId room = group({"ann", "ben", "cid"});
  const Person ann = arrives("ann", 0);
  const Person cid;
  const Person ben;  // at the node where he comes back
};

// The commit has no outcome yet.
class CutPageOfOneNode : public CutPage {
 protected:
  CutPageOfOneNode() : CutPage(1) {}
};

TEST_F(CutPageOfOneNode, is_followed_by_the_row_when_the_outcome_is_there) {
  ben_syncs();
  EXPECT_TRUE(ben.answered<SyncDone>().empty());
  world.step_outcomes(0);
  world.settle();
  ASSERT_EQ(ben.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(ben.answered<SyncDone>()[0].cursors,
            (std::vector<std::pair<ConversationId, Seq>>{{room, 4}}));
  expect_a_row_and_no_event();
}

TEST_F(CutPageOfOneNode, is_refused_while_the_store_cannot_be_asked) {
  ben_is_refused();
  world.step_outcomes(0);
  world.settle();
  EXPECT_EQ(cid.overheard<MessageUpdated>().size(), 1U) << "nobody else is concerned";
  ben.forgets();
  ben_syncs();
  expect_a_row_and_no_event();
}

// The question is answered, and then nothing more is: neither the commit nor reads.
TEST_F(CutPageOfOneNode, is_refused_when_the_store_goes_away_after_it_was_asked) {
  world.step_outcomes(0);
  world.settle();
  ann.says(MessageEdit{.conversation = room, .message = {.seq = 1, .id = {}}, .content = "O"},
           "edit");
  world.step_apply(0, 1, false, true);
  ben_syncs(4);
  EXPECT_TRUE(ben.answered<SyncDone>().empty());
  world.reads_fail = true;
  world.step_outcomes(0);
  world.settle();
  world.advance_ms(1);
  expect_refused();
}

TEST_F(CutPageOfOneNode, costs_nothing_where_no_outcome_is_due) {
  world.step_outcomes(0);
  world.settle();
  const std::uint64_t before = world.seq_reads;
  ben_syncs();
  EXPECT_EQ(ben.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(world.seq_reads, before);
}

// The outcome is there, and what it says is on its way to node 1.
class CutPageOfTwoNodes : public CutPage {
 protected:
  CutPageOfTwoNodes() : CutPage(2) { world.step_outcomes(0); }
};

TEST_F(CutPageOfTwoNodes, is_followed_by_the_row_when_the_change_is_heard) {
  ben_syncs();
  ASSERT_EQ(ben.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(ben.answered<SyncDone>()[0].cursors,
            (std::vector<std::pair<ConversationId, Seq>>{{room, 4}}));
  expect_a_row_and_no_event();
  EXPECT_EQ(cid.overheard<MessageUpdated>().size(), 1U) << "who was there hears the event";
}

TEST_F(CutPageOfTwoNodes, is_followed_by_the_row_when_nobody_says_the_change) {
  ASSERT_TRUE(world.bus().lose(1, 0, false));
  ben_syncs();
  EXPECT_TRUE(ben.answered<SyncDone>().empty());
  world.advance_ms(kRepairGraceMs + 1);
  EXPECT_EQ(ben.answered<SyncDone>().size(), 1U);
  expect_a_row_and_no_event();
}

// The reads of ben's node fail; commits and the bus go on.
TEST_F(CutPageOfTwoNodes, is_refused_while_the_store_cannot_be_asked) {
  world.reads_fail = true;
  ben_syncs();
  expect_refused();
  for (int i = 0; i < 20; ++i) {
    ann.sends(room, "live");
    world.commit(0);
  }
  EXPECT_EQ(cid.seqs().size(), 23U) << "nobody else is concerned";
}

// Whoever was refused asks again with the cursor that they have: a look at all that they are in finds nothing to tell.
TEST_F(CutPageOfTwoNodes, that_is_refused_stays_silent_until_it_is_asked_for_again) {
  ben_is_refused();
  const std::uint64_t before = world.shard(1).counters().audience_looks.value();
  world.say_gap(1);
  for (int i = 0; i < 4; ++i) {
    world.advance_ms(kAudienceLookRetryMs);
    world.settle();
  }
  ASSERT_GT(world.shard(1).counters().audience_looks.value(), before);
  EXPECT_TRUE(ben.heard<ConversationJoined>().empty());
  EXPECT_TRUE(ben.heard<HistoryPage>().empty());
  ann.sends(room, "live");
  world.commit();
  EXPECT_TRUE(ben.seqs().empty());
  ben.forgets();
  ben_syncs();
  expect_rows_and_no_event({{1, "ONE"}, {5, "live"}});
  ann.sends(room, "heard");
  world.commit();
  EXPECT_EQ(ben.seqs(), std::vector<Seq>{6});
}

TEST_F(CutPageOfTwoNodes, that_is_refused_does_not_hide_that_they_left_and_came_back) {
  ben_is_refused();
  ann.says(MemberRemove{room, ben.id()}, "remove");
  world.commit();
  ann.says(MemberAdd{room, {ben.id()}, Role::kMember}, "add");
  world.commit();
  ASSERT_EQ(ben.overheard<ConversationJoined>().size(), 1U);
  ann.sends(room, "heard");
  world.commit();
  EXPECT_EQ(ben.seqs(), std::vector<Seq>{7});
}

// A look tells ben that he is in again, while his node knows him as the member that he was and is about to hear that he left.
TEST_F(CutPageOfTwoNodes, that_is_refused_is_followed_by_one_joining_of_whoever_came_back) {
  ben_is_refused();
  world.settle();
  world.set_manual(true);
  ann.says(MemberRemove{room, ben.id()}, "remove");
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  ann.says(MemberAdd{room, {ben.id()}, Role::kMember}, "add");
  world.step_apply(0, 1, false, false);
  world.shard(1).on_parcel(AudienceCheck{ben.connection().endpoint, room}, world.now);
  ASSERT_TRUE(world.step_read_execute(1, 0));
  ASSERT_TRUE(world.step_read_answer(1, 0));
  while (world.step_bus(1)) {
  }
  world.step_outcomes(0);
  world.settle();
  ann.sends(room, "heard");
  world.commit();
  world.settle();
  EXPECT_EQ(ben.overheard<ConversationJoined>().size(), 1U);
  EXPECT_EQ(ben.seqs(), std::vector<Seq>{7});
}

TEST_F(CutPageOfTwoNodes, is_refused_when_the_store_goes_away_after_it_was_asked) {
  ASSERT_TRUE(world.bus().lose(1, 0, false));
  ben_syncs();
  EXPECT_TRUE(ben.answered<SyncDone>().empty());
  world.reads_fail = true;
  world.advance_ms(kRepairGraceMs + 1);
  expect_refused();
}

// What was refused for now is remembered until it is asked for again, and that has an end.
TEST_F(CutPageOfOneNode, of_more_conversations_than_a_session_may_be_silent_about_ends_it) {
  const Person eve = connects("eve", 0, true);
  world.reads_fail = true;
  std::uint64_t ids = 0;
  const auto syncs = [&](std::size_t count) {
    Sync sync;
    for (std::size_t i = 0; i < count; ++i)
      sync.cursors.emplace_back(ConversationId(Uuid{0xFEED, (1ULL << 63) | ++ids}), 1);
    eve.says(std::move(sync));
    world.settle();
    world.advance_ms(5'000);  // so many cost as much as that
  };
  for (std::size_t left = kSilentMax; left > 0; left -= std::min<std::size_t>(left, 500))
    syncs(std::min<std::size_t>(left, 500));
  EXPECT_FALSE(eve.connection().is_closing);
  syncs(1);
  ASSERT_TRUE(eve.connection().closed_with.has_value());
  EXPECT_EQ(eve.connection().closed_with->code, ErrorCode::kOverloaded);
}

// Nothing is kept in memory, so the store has shown what is not published there.
class HeldPageOfTwoNodes : public ChatTest {
 protected:
  HeldPageOfTwoNodes() : ChatTest({.limits = {.recent_rows_max = 0}, .nodes = 2}) {}
  const ConversationId room = group({"ann", "ben", "cid"});
  const Person ann = arrives("ann", 0);
  const Person cid = arrives("cid", 1);
  const Person ben = connects("ben", 1, true);

  // Of four events his node has heard three, the store shows him the fourth.
  void ben_is_held() {
    ann.says(MessageEdit{.conversation = room, .message = {.seq = 1, .id = {}}, .content = "ONE"});
    world.step_apply(0, 1, false, false);
    world.step_outcomes(0);
    ASSERT_TRUE(world.bus().lose(1, 0, false));
    ben.says(Sync{.cursors = {{room, 2}}});
    EXPECT_TRUE(ben.answered<SyncDone>().empty());
  }
};

TEST_F(HeldPageOfTwoNodes, is_refused_when_the_store_goes_away) {
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.commit();
  ben_is_held();
  world.reads_fail = true;
  world.advance_ms(kRepairGraceMs + 1);
  world.settle();
  ASSERT_EQ(ben.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(ben.answered<SyncDone>()[0].refused,
            (std::vector<std::pair<ConversationId, ErrorCode>>{{room, ErrorCode::kUnavailable}}));
}

// A standby that is promoted may have less: what was read of the old one's never comes.
TEST_F(HeldPageOfTwoNodes, is_read_again_when_the_store_has_lost_what_it_shows) {
  for (const char* text : {"one", "two", "three"}) ann.sends(room, text);
  world.commit();
  const storage::MemoryModel standby = world.model();
  ben_is_held();
  world.model() = standby;
  for (int i = 0; i < 3; ++i) {
    world.advance_ms(kRepairGraceMs + 1);
    world.settle();
  }
  ASSERT_EQ(ben.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(ben.answered<SyncDone>()[0].cursors,
            (std::vector<std::pair<ConversationId, Seq>>{{room, 3}}));
  EXPECT_EQ(ben.rows(), std::vector<Seq>{3});
}

class SecondPageOfTwoNodes : public ChatTest {
 protected:
  SecondPageOfTwoNodes()
      : ChatTest({.limits = {.page_rows_max = 2, .recent_rows_max = 0}, .nodes = 2}) {}
};

// The first page left out row 1, whose change stood behind its cut. With the change lost, no later page would show the row.
TEST_F(SecondPageOfTwoNodes, leaves_out_no_row_whose_change_a_failover_has_lost) {
  const ConversationId square = group({"ann", "ben", "cid"});
  const Person writer = arrives("ann", 0);
  (void)arrives("cid", 1);
  const Person reader = connects("ben", 1, true);
  for (const char* text : {"one", "two", "three"}) writer.sends(square, text);
  world.commit();
  const storage::MemoryModel standby = world.model();
  writer.says(
      MessageEdit{.conversation = square, .message = {.seq = 1, .id = {}}, .content = "ONE"});
  world.step_apply(0, 1, false, false);
  world.step_outcomes(0);
  ASSERT_TRUE(world.bus().lose(1, 0, false));
  reader.says(Sync{.cursors = {{square, 0}}});
  world.settle();
  EXPECT_EQ(reader.rows(), (std::vector<Seq>{2, 3}));
  world.model() = standby;
  for (int i = 0; i < 3; ++i) {
    world.advance_ms(kRepairGraceMs + 1);
    world.settle();
  }
  ASSERT_EQ(reader.answered<SyncDone>().size(), 1U);
  EXPECT_EQ(reader.rows(), (std::vector<Seq>{2, 3, 1, 2, 3}));
}

}  // namespace
}  // namespace uproar::chat::testing
