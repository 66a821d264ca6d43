#include "core/gateway/scrape_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uproar::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr net::ConnectionId kAnn{.slot = 0, .generation = 7};
constexpr net::ConnectionId kBen{.slot = 2, .generation = 1};
constexpr std::int64_t kStartUs = 5'000'000;

TEST(ScrapeQueue, WhoAsksFirstNeedNotWait) {
  ScrapeQueue queue(3);
  EXPECT_EQ(queue.due_us(), ScrapeQueue::kNever) << "nothing is rendered for nobody";
  queue.add(kAnn);
  EXPECT_LE(queue.due_us(), kStartUs);
  EXPECT_THAT(queue.take(kStartUs), ElementsAre(kAnn));
  EXPECT_TRUE(queue.is_empty());
}

TEST(ScrapeQueue, AllWhoWaitGetOneText) {
  ScrapeQueue queue(3);
  queue.add(kBen);
  queue.add(kAnn);
  EXPECT_THAT(queue.take(kStartUs), ElementsAre(kAnn, kBen));
  EXPECT_THAT(queue.take(kStartUs), IsEmpty()) << "each is answered once";
}

TEST(ScrapeQueue, WhoAsksWithinASecondOfATextWaitsForTheNext) {
  ScrapeQueue queue(3);
  queue.add(kAnn);
  (void)queue.take(kStartUs);
  queue.add(kAnn);
  queue.add(kBen);
  EXPECT_EQ(queue.due_us(), kStartUs + 1'000'000);
  EXPECT_THAT(queue.take(kStartUs + 1'000'000), ElementsAre(kAnn, kBen));
}

TEST(ScrapeQueue, WhoeverGetsTheSlotOfAConnectionThatEndedTakesItsPlace) {
  ScrapeQueue queue(3);
  queue.add(kBen);
  const net::ConnectionId next{.slot = kBen.slot, .generation = kBen.generation + 1};
  queue.add(next);
  EXPECT_THAT(queue.take(kStartUs), ElementsAre(next));
}

}  // namespace
}  // namespace uproar::gateway
