// TopicTable against a naive model: for each member the list of frames it is owed.

#include "core/net/topic_table.h"

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/core/net/topic_model.h"

namespace uproar::net {
namespace {

TEST(TopicTable, AgreesWithTheNaiveModelOnRandomTraffic) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    std::mt19937_64 random(seed);
    std::string bytes(4000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_EQ(TopicModel::run(bytes), "") << "seed " << seed;
  }
}

TEST(TopicTable, AMemberAddedInTheMiddleOfARoundHearsOnlyWhatComesLater) {
  TopicTable table;
  TopicLinks a;
  TopicLinks b;
  const TopicId id{.high = 1, .low = 2};
  EXPECT_EQ(table.subscribe(a, 0, Variant::kPlain, id), SubscribeOutcome::kFirst);
  table.publish(id, {.plain = SharedBytes::copy_of("1"), .deflated = {}}, DeliveryClass::kMessage);
  EXPECT_EQ(table.subscribe(b, 1, Variant::kPlain, id), SubscribeOutcome::kAdded);
  table.publish(id, {.plain = SharedBytes::copy_of("2"), .deflated = {}}, DeliveryClass::kMessage);
  std::map<std::uint32_t, std::string> got;
  const auto deliver = [&](std::uint32_t slot, const TopicTable::Window& window) {
    got[slot] += as_text(table.bytes(window, Variant::kPlain));
    return true;
  };
  table.serve(10, deliver, [](std::uint32_t) {});
  EXPECT_EQ(got[0], "12");
  EXPECT_EQ(got[1], "2");
  EXPECT_FALSE(table.active());
}

// Rooms that were at rest, published to in this order; what was sent to whom. A room's members are numbered on from its
// number times 10,000.
class Turns : public ::testing::Test {
 protected:
  void room(std::uint32_t number, std::uint32_t members) {
    for (std::uint32_t i = 0; i < members; ++i) {
      links_.emplace_back();
      table_.subscribe(links_.back(), number * 10'000 + i, Variant::kPlain, id(number));
    }
  }
  void publish(std::uint32_t number) {
    table_.publish(id(number), {.plain = SharedBytes::copy_of("x"), .deflated = {}},
                   DeliveryClass::kMessage);
  }
  // The rooms that were sent to, one for each send.
  std::vector<std::uint32_t> serve(std::uint32_t sends) {
    std::vector<std::uint32_t> rooms;
    const auto deliver = [&](std::uint32_t slot, const TopicTable::Window&) {
      rooms.push_back(slot / 10'000);
      return true;
    };
    table_.serve(sends, deliver, [](std::uint32_t) {});
    return rooms;
  }
  static TopicId id(std::uint32_t number) { return {.high = 1, .low = number}; }

  TopicTable table_;
  std::deque<TopicLinks> links_;
};

TEST_F(Turns, AreTakenFirstComeFirstServed) {
  for (std::uint32_t number = 1; number <= 5; ++number) room(number, 2);
  for (std::uint32_t number = 1; number <= 5; ++number) publish(number);
  EXPECT_EQ(serve(6), (std::vector<std::uint32_t>{1, 1, 2, 2, 3, 3}));
  publish(1);
  EXPECT_EQ(serve(100), (std::vector<std::uint32_t>{4, 4, 5, 5, 1, 1}));
}

TEST_F(Turns, ALargeRoomIsNewForItsFirstSendsOnly) {
  room(1, kNewTopicSends + 100);
  room(2, 2);
  publish(1);
  publish(2);
  const std::vector<std::uint32_t> sends = serve(100'000);
  ASSERT_EQ(sends.size(), kNewTopicSends + 102U);
  EXPECT_EQ(sends[kNewTopicSends], 2U);
}

TEST_F(Turns, ALargeRoomWhoseMembersAreBlockedIsNewForNoLonger) {
  room(1, kNewTopicSends + 100);
  room(2, 2);
  publish(1);
  publish(2);
  std::vector<std::uint32_t> rooms;
  const auto deliver = [&](std::uint32_t slot, const TopicTable::Window&) {
    rooms.push_back(slot / 10'000);
    return slot / 10'000 != 1;
  };
  table_.serve(100'000, deliver, [](std::uint32_t) {});
  ASSERT_EQ(rooms.size(), kNewTopicSends + 102U);
  EXPECT_EQ(rooms[kNewTopicSends], 2U);
}

TEST_F(Turns, OldRoomsTakeTurnsByTheQuantum) {
  for (const std::uint32_t number : {1, 2}) {
    room(number, kNewTopicSends + kTopicQuantumSends + 10);
    publish(number);
  }
  const std::vector<std::uint32_t> sends = serve(100'000);
  const std::uint32_t old = 2 * kNewTopicSends;
  EXPECT_EQ(sends[old], 1U);
  EXPECT_EQ(sends[old + kTopicQuantumSends - 1], 1U);
  EXPECT_EQ(sends[old + kTopicQuantumSends], 2U);
  EXPECT_EQ(sends[old + 2 * kTopicQuantumSends], 1U) << "and then its rest";
}

TEST_F(Turns, NewRoomsGoFirstAndNeverStarveAnOldOne) {
  room(1, 1000);
  publish(1);
  (void)serve(kNewTopicSends);
  for (std::uint32_t number = 2; number <= 100; ++number) room(number, 2);
  std::size_t old_sends = 0;
  for (int batch = 0; batch < 20; ++batch) {
    for (std::uint32_t number = 2; number <= 100; ++number) publish(number);
    const std::vector<std::uint32_t> sends = serve(16);
    EXPECT_NE(sends.front(), 1U);
    old_sends += static_cast<std::size_t>(std::count(sends.begin(), sends.end(), 1U));
  }
  EXPECT_EQ(old_sends, 20 * 16 / kOldTopicsPart);
}

// A busy topic is never at rest: what everybody was served must go all the same.
TEST(TopicTable, ATopicThatNeverRestsKeepsNoMoreThanALapsWorth) {
  TopicTable table;
  std::vector<TopicLinks> links(100);
  const TopicId id{.high = 1, .low = 1};
  for (std::uint32_t i = 0; i < links.size(); ++i)
    table.subscribe(links[i], i, Variant::kPlain, id);
  const auto deliver = [](std::uint32_t, const TopicTable::Window&) { return true; };
  std::size_t most = 0;
  for (int turn = 0; turn < 20'000; ++turn) {
    table.publish(id, {.plain = SharedBytes::copy_of("some bytes"), .deflated = {}},
                  DeliveryClass::kMessage);
    table.serve(7, deliver, [](std::uint32_t) {});
    ASSERT_TRUE(table.active());
    table.confirm();
    most = std::max(most, table.run_frames(id));
    if (turn % 50 == 0) {  // members come and go meanwhile
      TopicTable::Window pending;
      const auto at = static_cast<std::uint32_t>(turn / 50) % 100;
      table.unsubscribe(links[at], Variant::kPlain, id, &pending);
      table.subscribe(links[at], at, Variant::kPlain, id);
    }
  }
  EXPECT_LE(most, 4 * 100 / 7 + 20U);
}

TEST(TopicTable, RestingForAMomentBetweenBatchesFreesTheRunToo) {
  TopicTable table;
  TopicLinks links;
  const TopicId id{.high = 1, .low = 1};
  table.subscribe(links, 0, Variant::kPlain, id);
  for (int turn = 0; turn < 1000; ++turn) {
    table.publish(id, {.plain = SharedBytes::copy_of("x"), .deflated = {}},
                  DeliveryClass::kMessage);
    table.confirm();  // published again before the last batch was known to be past
    table.serve(
        7, [](std::uint32_t, const TopicTable::Window&) { return true; }, [](std::uint32_t) {});
    EXPECT_FALSE(table.active());
    ASSERT_LE(table.run_frames(id), 3U);
  }
}

TEST(TopicTable, IdleTopicsHoldNoRun) {
  TopicTable table;
  std::vector<TopicLinks> links(1000);
  for (std::uint32_t i = 0; i < links.size(); ++i)
    table.subscribe(links[i], i, Variant::kPlain, {.high = 9, .low = i});
  for (std::uint32_t i = 0; i < links.size(); ++i) {
    table.publish({.high = 9, .low = i}, {.plain = SharedBytes::copy_of("x"), .deflated = {}},
                  DeliveryClass::kMessage);
  }
  table.serve(
      100'000, [](std::uint32_t, const TopicTable::Window&) { return true; }, [](std::uint32_t) {});
  table.confirm();
  EXPECT_LE(table.memory_bytes() / links.size(), 260U);
  for (std::uint32_t i = 0; i < links.size(); ++i) {
    table.unsubscribe_all(links[i], Variant::kPlain);
  }
  EXPECT_EQ(table.topic_count(), 0U);
}

}  // namespace
}  // namespace uproar::net
