// Who is read when the presence store does not answer: reads are answered by hand, the deadline runs when the test says so.
#include "core/chat/presence_watch.h"

#include <deque>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/chat/limits.h"
#include "storage/limits.h"
#include "tests/core/chat/world.h"
#include "tests/core/chat/world_shard.h"

namespace uproar::chat::testing {
namespace {

struct HandPresence final : PresenceExchange {
  struct Read {
    std::vector<UserId> users;
    storage::PresenceStore::Found found;
  };
  void put(UserId, const storage::PresenceDelta&) override {}
  void read(std::vector<UserId> users, storage::PresenceStore::Found found) override {
    reads.push_back({std::move(users), std::move(found)});
  }
  void watch(UserId) override {}
  void unwatch(UserId) override {}

  void fail() {
    const Read read = take();
    read.found(Err{storage::PresenceError::kUnavailable});
  }
  void answer() {  // they are nowhere
    const Read read = take();
    std::vector<storage::UserPresence> nobody;
    for (const UserId user : read.users) nobody.push_back({.user = user, .nodes = {}});
    read.found(std::move(nobody));
  }
  Read take() {
    Read read = std::move(reads.front());
    reads.pop_front();
    return read;
  }

  std::deque<Read> reads;
};

class PresenceWatchTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kWatched = storage::kPresenceReadUsersMax + 100;

  // The first is read alone, since nobody else waits yet; after it as many as one read may have are under way.
  void watch_many() {
    for (std::uint64_t i = 1; i <= kWatched; ++i) {
      users.push_back(UserId(Uuid{i << 32, (1ULL << 63) | i}));
      watch.begin(users.back());
      watch.on_listening(users.back());
    }
    ASSERT_EQ(presence.reads.size(), 1U);
    presence.answer();
    ASSERT_EQ(presence.reads.size(), 1U);
    ASSERT_EQ(presence.reads.front().users.size(), storage::kPresenceReadUsersMax);
  }
  // As the shard does when time has come; false: nothing was armed.
  bool retries() {
    context.now.monotonic_us += std::int64_t{kPresenceReadRetryMs} * 1000;
    const auto due = context.deadlines.pop_due(context.now.monotonic_us);
    if (!due) return false;
    EXPECT_EQ(due->kind, Deadline::Kind::kPresenceRead);
    watch.retry_read();
    return true;
  }
  void answer_all() {
    while (!presence.reads.empty()) presence.answer();
  }
  [[nodiscard]] std::size_t known() const {
    std::size_t count = 0;
    for (const UserId user : users) count += watch.knows(user) ? 1 : 0;
    return count;
  }

  World world{World::Options{.limits = {}}};
  World::Shard ports{world, 0};
  HandPresence presence;
  ShardContext context{.outbox = ports,
                       .router = ports,
                       .log = ports,
                       .history = ports,
                       .directory = ports,
                       .ids = ports,
                       .nodes = nullptr,
                       .presence = &presence,
                       .limits = {},
                       .self = 0,
                       .shard_count = 1,
                       .now = {},
                       .deadlines = {},
                       .counters = {},
                       .interests = {}};
  PresenceWatch watch{context, [](UserId) {}};
  std::vector<UserId> users;
};

TEST_F(PresenceWatchTest, AFullReadThatFailsIsTriedAgainWithAllWhoWait) {
  watch_many();
  presence.fail();
  EXPECT_TRUE(presence.reads.empty()) << "the store is away: the others need not be tried";
  ASSERT_TRUE(retries());
  answer_all();
  EXPECT_EQ(known(), kWatched);
}

TEST_F(PresenceWatchTest, WhoWaitsAgainAlreadyWhenTheirReadFailsIsReadAgain) {
  watch_many();
  watch.on_gap();  // whoever is being read now waits for the next read as well
  presence.fail();
  ASSERT_TRUE(retries()) << "all wait, and nothing wakes them";
  answer_all();
  EXPECT_EQ(known(), kWatched);
}

TEST_F(PresenceWatchTest, OthersAreReadThoughNobodyOfTheReadThatFailedIsWatchedAnyMore) {
  watch_many();
  for (const UserId user : std::vector<UserId>(presence.reads.front().users))
    watch.end(topic_of(user));
  presence.fail();
  ASSERT_TRUE(retries()) << "those who waited were put aside for good";
  answer_all();
  EXPECT_EQ(known(), kWatched - storage::kPresenceReadUsersMax);
}

TEST_F(PresenceWatchTest, OneDeadlineIsArmedHoweverManyReadsFail) {
  watch_many();
  presence.fail();
  watch.begin(UserId(Uuid{7, (1ULL << 63) | 7}));
  watch.on_listening(UserId(Uuid{7, (1ULL << 63) | 7}));
  presence.fail();
  EXPECT_EQ(context.deadlines.size(), 1U);
  ASSERT_TRUE(retries());
  presence.fail();
  EXPECT_EQ(context.deadlines.size(), 1U) << "armed anew";
}

}  // namespace
}  // namespace uproar::chat::testing
