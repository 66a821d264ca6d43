#include "core/runtime/mailbox.h"

#include <memory>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/runtime/mpsc_inbox.h"

namespace uproar::runtime {
namespace {

TEST(Mailbox, ShowsNothingBeforePublishAndEverythingAfter) {
  Mailbox<int> mailbox(8);
  EXPECT_FALSE(mailbox.publish());
  EXPECT_TRUE(mailbox.try_push(1));
  EXPECT_TRUE(mailbox.try_push(2));
  EXPECT_TRUE(mailbox.empty());
  EXPECT_EQ(mailbox.drain([](int) { FAIL(); }, 8), 0U);
  EXPECT_TRUE(mailbox.publish());
  EXPECT_FALSE(mailbox.empty());
  std::vector<int> got;
  EXPECT_EQ(mailbox.drain([&](int value) { got.push_back(value); }, 1), 1U);
  EXPECT_EQ(mailbox.drain([&](int value) { got.push_back(value); }, 8), 1U);
  EXPECT_EQ(got, (std::vector<int>{1, 2}));
}

TEST(Mailbox, RefusesWhenFullLeavingTheValueWithItsOwner) {
  Mailbox<std::unique_ptr<int>> mailbox(2);
  EXPECT_TRUE(mailbox.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(mailbox.try_push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(mailbox.try_push(std::move(third)));
  ASSERT_NE(third, nullptr);
  mailbox.publish();
  EXPECT_EQ(mailbox.drain([](std::unique_ptr<int>&&) {}, 1), 1U);
  EXPECT_TRUE(mailbox.try_push(std::move(third)));
}

TEST(Mailbox, DestroysWhatNobodyRead) {
  auto shared = std::make_shared<int>(0);
  {
    Mailbox<std::shared_ptr<int>> mailbox(4);
    EXPECT_TRUE(mailbox.try_push(std::shared_ptr<int>(shared)));
    mailbox.publish();
    EXPECT_TRUE(mailbox.try_push(std::shared_ptr<int>(shared)));  // never published
    EXPECT_EQ(shared.use_count(), 3);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Mailbox, KeepsAsLittleMemoryAsWaitsInIt) {
  Mailbox<int> mailbox(1 << 20);
  std::set<const int*> places;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(mailbox.try_push(int{i}));
    mailbox.publish();
    ASSERT_EQ(mailbox.drain([&](int&& parcel) { places.insert(&parcel); }, 8), 1U);
  }
  EXPECT_LE(places.size(), 3 * Mailbox<int>::kChunkParcels);
}

TEST(Mailbox, KeepsTheOrderAcrossManyChunks) {
  constexpr int kParcels = 1000;
  Mailbox<int> mailbox(kParcels);
  std::vector<int> got;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kParcels; ++i) ASSERT_TRUE(mailbox.try_push(int{i}));
    EXPECT_FALSE(mailbox.try_push(0));
    mailbox.publish();
    got.clear();
    while (mailbox.drain([&](int&& parcel) { got.push_back(parcel); }, 37) != 0) {
    }
    ASSERT_EQ(got.size(), std::size_t{kParcels});
    for (int i = 0; i < kParcels; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], i);
  }
}

// Two threads, a small queue that wraps and fills thousands of times, batches of changing size.
TEST(Mailbox, DeliversEverythingInOrderBetweenTwoThreads) {
  constexpr std::uint64_t kParcels = 300'000;
  Mailbox<std::unique_ptr<std::uint64_t>> mailbox(64);
  std::thread producer([&] {
    std::uint64_t next = 0;
    while (next < kParcels) {
      for (std::uint64_t batch = next % 7 + 1; batch > 0 && next < kParcels; --batch) {
        auto parcel = std::make_unique<std::uint64_t>(next);
        if (!mailbox.try_push(std::move(parcel))) {
          mailbox.publish();
          std::this_thread::yield();
          break;
        }
        ++next;
      }
      mailbox.publish();
    }
  });
  std::uint64_t expected = 0;
  while (expected < kParcels) {
    const auto count = mailbox.drain(
        [&](std::unique_ptr<std::uint64_t>&& parcel) { ASSERT_EQ(*parcel, expected++); }, 16);
    if (count == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_TRUE(mailbox.empty());
}

TEST(MpscInbox, AdmitsPlacesBeforeTheWorkAndGivesThemBack) {
  MpscInbox<int> inbox(2);
  EXPECT_TRUE(inbox.try_reserve());
  EXPECT_TRUE(inbox.try_post(1));
  EXPECT_FALSE(inbox.try_reserve());
  EXPECT_FALSE(inbox.try_post(9));
  inbox.unreserve();
  EXPECT_TRUE(inbox.try_reserve());
  inbox.post_reserved(2);
  std::vector<int> got;
  EXPECT_EQ(inbox.drain([&](int value) { got.push_back(value); }, 1), 1U);
  EXPECT_FALSE(inbox.empty());
  EXPECT_TRUE(inbox.try_post(3));
  EXPECT_EQ(inbox.drain([&](int value) { got.push_back(value); }, 10), 2U);
  EXPECT_EQ(got, (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(inbox.empty());
}

TEST(MpscInbox, KeepsEachThreadsOrderUnderContention) {
  constexpr int kThreads = 3;
  constexpr int kEach = 20'000;
  struct Note {
    int thread;
    int number;
  };
  MpscInbox<Note> inbox(128);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&inbox, t] {
      for (int i = 0; i < kEach;) {
        if (inbox.try_post({t, i})) {
          ++i;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  int total = 0;
  while (total < kThreads * kEach) {
    const auto count = inbox.drain(
        [&](Note note) { ASSERT_EQ(note.number, next[static_cast<std::size_t>(note.thread)]++); },
        64);
    total += static_cast<int>(count);
    if (count == 0) std::this_thread::yield();
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace uproar::runtime
