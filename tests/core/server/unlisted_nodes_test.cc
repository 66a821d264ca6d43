// Nodes that work on the store and are not in the list: when the store is looked at, and when once more. Time is a
// reactor that the test turns; the store answers when the test says so.
#include "core/server/unlisted_nodes.h"

#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/server/limits.h"
#include "tests/core/server/hand_store.h"
#include "tests/storage/manual_reactor.h"

namespace uproar::server {
namespace {

using storage::NodeDigest;
using storage::NodeRecord;

constexpr std::uint32_t kIntervalMs = 10'000;

class UnlistedNodesTest : public testing::Test {
 protected:
  void list(const std::vector<std::uint64_t>& nodes) {
    listed.clear();
    for (const std::uint64_t n : nodes) listed.push_back(record_of(n));
  }
  void answer(const std::vector<std::uint64_t>& at_work) { store.answer(at_work); }
  void fail() { store.fail(); }
  void dies(std::uint64_t n) {
    std::erase_if(listed, [n](const NodeRecord& x) { return x.id == node_of(n); });
    unlisted->died(record_of(n));
  }
  [[nodiscard]] int looks_since() { return std::exchange(looks, 0); }
  [[nodiscard]] std::uint64_t second_looks() const {
    return unlisted->counters().second_looks.value();
  }

  storage::ManualReactor reactor;
  HandStore store;
  std::vector<NodeRecord> listed = {record_of(1), record_of(2)};
  int looks = 0;
  std::unique_ptr<UnlistedNodes> unlisted = std::make_unique<UnlistedNodes>(
      UnlistedNodes::Ports{.reactor = reactor,
                           .store = store,
                           .listed = [this]() -> const std::vector<NodeRecord>& { return listed; },
                           .look = [this] { ++looks; }},
      node_of(1), kIntervalMs);
};

TEST_F(UnlistedNodesTest, AskOnceInAnIntervalAndLookForNobodyWhoIsListed) {
  answer({1, 2});
  EXPECT_TRUE(store.asked.empty());
  reactor.advance(kIntervalMs - 1);
  EXPECT_TRUE(store.asked.empty());
  reactor.advance(1);
  ASSERT_EQ(store.asked.size(), 1U);
  answer({1});  // its sessions are broken; it is listed all the same
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(unlisted->counters().unlisted.value(), 0);
}

TEST_F(UnlistedNodesTest, LookOnceForOneThatIsDeadAndNoLongerAtWork) {
  answer({1, 2});
  dies(2);
  EXPECT_EQ(looks, 0) << "a look before the store has said so may come too early";
  answer({1});
  EXPECT_EQ(looks_since(), 1);
  for (int i = 0; i < 3; ++i) {
    reactor.advance(kIntervalMs);
    answer({1});
  }
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(second_looks(), 0U);
}

TEST_F(UnlistedNodesTest, LookAgainWhenOneThatIsDeadByTheListNoLongerWorks) {
  answer({1, 2});
  dies(2);
  answer({1, 2});
  EXPECT_EQ(looks_since(), 1);
  EXPECT_EQ(unlisted->counters().unlisted.value(), 1);
  reactor.advance(kIntervalMs);
  answer({1, 2});
  EXPECT_EQ(looks, 0);
  reactor.advance(kIntervalMs);
  answer({1});
  EXPECT_EQ(looks_since(), 1);
  EXPECT_EQ(unlisted->counters().unlisted.value(), 0);
  reactor.advance(kIntervalMs);
  answer({1});
  EXPECT_EQ(looks_since(), 1) << "it may have come back for less than an interval";
  reactor.advance(kIntervalMs);
  answer({1});
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(second_looks(), 2U);
}

TEST_F(UnlistedNodesTest, DoNotTakeARestartOfTheStoreForAnEnd) {
  answer({1, 2});
  dies(2);
  answer({1, 2});
  EXPECT_EQ(looks_since(), 1);
  reactor.advance(kIntervalMs);
  answer({});  // nobody is back yet
  EXPECT_EQ(looks_since(), 1);
  reactor.advance(kIntervalMs);
  answer({1, 2});
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(unlisted->counters().unlisted.value(), 1);
  reactor.advance(kIntervalMs);
  answer({1});
  EXPECT_EQ(looks_since(), 1) << "it is its end that is looked for";
}

TEST_F(UnlistedNodesTest, ForgetOneThatIsBackInTheList) {
  answer({1, 2});
  dies(2);
  answer({1, 2});
  EXPECT_EQ(looks_since(), 1);
  list({1, 2});
  reactor.advance(kIntervalMs);
  answer({1, 2});
  reactor.advance(kIntervalMs);
  answer({1});
  EXPECT_EQ(looks, 0) << "what it has not told it tells, and its next death is another one";
}

TEST_F(UnlistedNodesTest, LookForOneThatNeverWasInTheList) {
  answer({1, 2, 3});  // this node started while the third was cut off
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(unlisted->counters().unlisted.value(), 1);
  reactor.advance(kIntervalMs);
  answer({1, 2});
  EXPECT_EQ(looks_since(), 1);
}

TEST_F(UnlistedNodesTest, AskAgainForOneThatDiesWhileTheStoreAnswers) {
  dies(2);  // the first question is not answered yet
  EXPECT_EQ(store.asked.size(), 1U);
  answer({1});  // from before
  EXPECT_EQ(looks, 0);
  ASSERT_EQ(store.asked.size(), 1U) << "at once";
  answer({1, 2});
  EXPECT_EQ(looks_since(), 1);
  reactor.advance(kIntervalMs);
  answer({1});
  EXPECT_EQ(looks_since(), 1);
}

TEST_F(UnlistedNodesTest, ALateDeathOfAnotherDoesNotShortenTheWaitForOneThatIsMissing) {
  list({1, 2, 3});
  answer({1, 2, 3});
  dies(2);
  answer({1, 2, 3});
  reactor.advance(kIntervalMs);
  answer({1, 3});
  EXPECT_EQ(looks_since(), 2);
  dies(3);
  answer({1});
  EXPECT_EQ(looks_since(), 1);
  EXPECT_EQ(second_looks(), 1U) << "no interval has passed for the second";
  reactor.advance(kIntervalMs);
  answer({1});
  EXPECT_EQ(looks_since(), 1);
  EXPECT_EQ(second_looks(), 2U);
}

TEST_F(UnlistedNodesTest, AStoreThatDoesNotAnswerIsAskedAgainAndTheDeadAreLookedForAtOnce) {
  answer({1, 2});
  dies(2);
  fail();
  EXPECT_EQ(looks_since(), 1);
  reactor.advance(kAskNodesAtWorkAgainMs);
  fail();
  EXPECT_EQ(looks, 0);
  reactor.advance(kAskNodesAtWorkAgainMs);
  answer({1});
  EXPECT_EQ(looks_since(), 1) << "until now it may have been at work";
  EXPECT_EQ(unlisted->counters().failures.value(), 2U);
}

TEST_F(UnlistedNodesTest, AreNotToldWhatComesAfterTheirEnd) {
  auto late = store.take();
  unlisted.reset();
  late(std::vector<NodeDigest>{});
  EXPECT_EQ(reactor.armed_timers(), 0U);
  EXPECT_EQ(looks, 0);
}

}  // namespace
}  // namespace uproar::server
