// TopicTable against a naive model: for each member the list of frames it is owed.

#include "core/net/topic_table.h"

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

TEST(TopicTable, AQuantumSendsTheTopicToTheBackAndItsRoundIsFinishedLater) {
  TopicTable table;
  std::vector<TopicLinks> links(kTopicQuantumSends + 100);
  const TopicId big{.high = 1, .low = 1};
  const TopicId small{.high = 1, .low = 2};
  TopicLinks other;
  for (std::uint32_t i = 0; i < links.size(); ++i)
    table.subscribe(links[i], i, Variant::kPlain, big);
  table.subscribe(other, 9999, Variant::kPlain, small);
  table.publish(small, {.plain = SharedBytes::copy_of("s"), .deflated = {}},
                DeliveryClass::kMessage);
  table.publish(big, {.plain = SharedBytes::copy_of("b"), .deflated = {}}, DeliveryClass::kMessage);
  std::vector<std::uint32_t> order;
  const auto deliver = [&](std::uint32_t slot, const TopicTable::Window&) {
    order.push_back(slot);
    return true;
  };
  table.serve(100'000, deliver, [](std::uint32_t) {});
  ASSERT_EQ(order.size(), links.size() + 1);
  EXPECT_EQ(order[kTopicQuantumSends], 9999U)
      << "the small topic's turn comes after one quantum of the big one";
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
