// The router over its real mailboxes. Where a turn has to end, a real shard thread ends it; the other shard is played by
// the test, which reads its mailboxes as that shard would.

#include "core/server/shard_router.h"

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "core/server/limits.h"
#include "tests/core/server/small_thread.h"

namespace uproar::server {
namespace {

using gateway::AnswerRequest;
using gateway::PublishFrames;
using gateway::ShardParcel;

ShardParcel numbered(std::uint32_t number) {
  AnswerRequest answer;
  answer.slot = number;
  return answer;
}

ShardParcel frames(std::uint32_t number, net::DeliveryClass delivery) {
  return PublishFrames{
      .topic = Uuid{.high = 0, .low = number}, .message = {}, .delivery = delivery, .except = {}};
}

std::uint32_t number_of(const ShardParcel& parcel) {
  if (const auto* answer = std::get_if<AnswerRequest>(&parcel)) return answer->slot;
  if (const auto* publish = std::get_if<PublishFrames>(&parcel))
    return static_cast<std::uint32_t>(publish->topic.low);
  const auto* domain = std::get_if<chat::Parcel>(&parcel);
  const auto* ready = domain == nullptr ? nullptr : std::get_if<chat::InterestReady>(domain);
  return ready == nullptr ? UINT32_MAX : ready->token;
}

std::vector<std::uint32_t> counted(std::uint32_t from, std::uint32_t to) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = from; i < to; ++i) numbers.push_back(i);
  return numbers;
}

std::vector<std::uint32_t> drained(ShardRouter& router, std::uint32_t parcels_max = UINT32_MAX) {
  std::vector<std::uint32_t> numbers;
  router.drain([&](ShardParcel&& parcel) { numbers.push_back(number_of(parcel)); }, parcels_max);
  return numbers;
}

// Shard 0 of two with a real thread; shard 1 is the test.
class SenderShard final : public runtime::TurnHandler {
 public:
  SenderShard() : thread_(small_thread_options(), *this), router_(grid_, 0), peer_(grid_, 1) {
    EXPECT_TRUE(thread_.prepare().ok());
    auto waker = runtime::Waker::create(-1);  // shard 1 never sleeps: no ring is told
    EXPECT_TRUE(waker.ok());
    peer_waker_ = std::move(waker.value());
    router_.connect({&thread_.waker(), peer_waker_.get()});
    EXPECT_TRUE(thread_.start().ok());
  }
  ~SenderShard() override {
    thread_.request_stop();
    thread_.join();
  }

  // Runs `work` on the shard and waits until the turn that ran it has published.
  void turn(std::function<void(ShardRouter&)> work) {
    std::promise<void> over;
    ASSERT_TRUE(thread_.post(runtime::Task([this, &over, work = std::move(work)] {
      work(router_);
      over_ = &over;
    })));
    over.get_future().get();
  }
  void idle_turn() {
    turn([](ShardRouter&) {});
  }
  [[nodiscard]] ShardRouter& peer() { return peer_; }
  [[nodiscard]] const ShardRouter& router() const { return router_; }

  Result<void, SystemError> on_start(runtime::ShardContext& context) override {
    context_ = &context;
    return {};
  }
  void on_completion(const runtime::Completion&) override {}
  bool flush(const Now&) override {
    router_.publish(*context_);
    if (over_ != nullptr) std::exchange(over_, nullptr)->set_value();
    return false;
  }

 private:
  MailboxGrid grid_{2};
  runtime::ShardContext* context_ = nullptr;
  std::promise<void>* over_ = nullptr;
  std::unique_ptr<runtime::Waker> peer_waker_;
  runtime::ShardThread thread_;
  ShardRouter router_;
  ShardRouter peer_;
};

TEST(ShardRouter, WhatAShardSaysToItselfWaitsAndKeepsOneOrderForBothKinds) {
  MailboxGrid grid(2);
  ShardRouter router(grid, 0);
  EXPECT_FALSE(router.own_waiting());
  router.post(0, numbered(0));
  router.post(0, chat::Parcel(chat::InterestReady{.topic = {}, .token = 1}));
  router.post(0, frames(2, net::DeliveryClass::kMessage));
  router.post(0, chat::Parcel(chat::InterestReady{.topic = {}, .token = 3}));
  EXPECT_TRUE(router.own_waiting());
  EXPECT_TRUE(router.waiting());
  EXPECT_EQ(drained(router), counted(0, 4));
  EXPECT_FALSE(router.waiting());
}

TEST(ShardRouter, AnswersToItselfComeAfterWhatWaitedAndNeverNest) {
  MailboxGrid grid(1);
  ShardRouter router(grid, 0);
  router.post(0, numbered(0));
  router.post(0, numbered(1));
  std::vector<std::uint32_t> order;
  bool inside = false;
  router.drain_own(
      [&](ShardParcel&& parcel) {
        EXPECT_FALSE(inside);
        inside = true;
        const std::uint32_t number = number_of(parcel);
        order.push_back(number);
        if (number < 10) router.post(0, numbered(number + 10));
        inside = false;
      },
      100);
  EXPECT_EQ(order, (std::vector<std::uint32_t>{0, 1, 10, 11}));
}

TEST(ShardRouter, ATurnTakesABoundedNumberOfItsOwnParcels) {
  MailboxGrid grid(1);
  ShardRouter router(grid, 0);
  for (std::uint32_t i = 0; i < 10; ++i) router.post(0, numbered(i));
  EXPECT_EQ(drained(router, 4), counted(0, 4));
  EXPECT_TRUE(router.own_waiting());
  EXPECT_EQ(drained(router, 100), counted(4, 10));
}

TEST(ShardRouter, ParcelsForAnotherShardBecomeVisibleTogetherWhenTheTurnEnds) {
  SenderShard shard;
  shard.turn([&](ShardRouter& router) {
    router.post(1, numbered(0));
    router.post(1, chat::Parcel(chat::InterestReady{.topic = {}, .token = 1}));
    router.post(1, numbered(2));
    EXPECT_FALSE(shard.peer().waiting()) << "not before the end of the turn";
  });
  EXPECT_TRUE(shard.peer().waiting());
  EXPECT_EQ(drained(shard.peer()), counted(0, 3));
  EXPECT_FALSE(shard.peer().waiting());
  EXPECT_EQ(shard.router().counters().parcels.value(), 3U);
  EXPECT_EQ(shard.router().counters().held_back.value(), 0U);
}

TEST(ShardRouter, ATurnTakesABoundedNumberOfParcelsFromEachShard) {
  SenderShard shard;
  shard.turn([](ShardRouter& router) {
    for (std::uint32_t i = 0; i < 10; ++i) router.post(1, numbered(i));
  });
  EXPECT_EQ(drained(shard.peer(), 3), counted(0, 3));
  EXPECT_TRUE(shard.peer().waiting());
  EXPECT_EQ(drained(shard.peer(), 100), counted(3, 10));
}

TEST(ShardRouter, AFullMailboxHoldsParcelsBackAndKeepsTheirOrder) {
  SenderShard shard;
  constexpr std::uint32_t kAll = kMailboxParcels + 1000;
  shard.turn([](ShardRouter& router) {
    for (std::uint32_t i = 0; i < kAll; ++i) router.post(1, numbered(i));
    EXPECT_TRUE(router.holding_back());
  });
  EXPECT_EQ(shard.router().counters().held_back.value(), 1000U);
  EXPECT_EQ(shard.router().counters().waiting.value(), 1000);
  EXPECT_EQ(drained(shard.peer()), counted(0, kMailboxParcels));
  shard.idle_turn();
  EXPECT_FALSE(shard.router().holding_back());
  EXPECT_EQ(drained(shard.peer()), counted(kMailboxParcels, kAll));
}

TEST(ShardRouter, NothingOvertakesWhatIsHeldBackEvenWhenThereIsRoomAgain) {
  SenderShard shard;
  shard.turn([](ShardRouter& router) {
    for (std::uint32_t i = 0; i <= kMailboxParcels; ++i) router.post(1, numbered(i));
  });
  EXPECT_EQ(drained(shard.peer()), counted(0, kMailboxParcels));
  shard.turn([](ShardRouter& router) {
    router.post(1, numbered(kMailboxParcels + 1));
    router.post(1, frames(kMailboxParcels + 2, net::DeliveryClass::kEphemeral));
  });
  EXPECT_EQ(drained(shard.peer()), counted(kMailboxParcels, kMailboxParcels + 3));
}

TEST(ShardRouter, IsCongestedWhileTooMuchIsHeldBackAndNoLonger) {
  SenderShard shard;
  constexpr auto kHeld = static_cast<std::uint32_t>(kHeldBackParcelsMax);
  shard.turn([](ShardRouter& router) {
    for (std::uint32_t i = 0; i < kMailboxParcels + kHeld - 1; ++i) router.post(1, numbered(i));
    EXPECT_FALSE(router.congested());
    router.post(1, numbered(kMailboxParcels + kHeld - 1));
    EXPECT_TRUE(router.congested());
  });
  EXPECT_EQ(drained(shard.peer()), counted(0, kMailboxParcels));
  shard.idle_turn();
  EXPECT_FALSE(shard.router().congested());
}

TEST(ShardRouter, BeyondALimitLossyPublishesAreShedAndEverythingElseIsKept) {
  SenderShard shard;
  constexpr std::uint32_t kFull = kMailboxParcels + kHeldBackLossyMax;
  shard.turn([](ShardRouter& router) {
    for (std::uint32_t i = 0; i < kFull - 1; ++i) router.post(1, numbered(i));
    router.post(1, frames(kFull - 1, net::DeliveryClass::kEphemeral));  // the last one with a place
    router.post(1, frames(90'001, net::DeliveryClass::kEphemeral));
    router.post(1, frames(90'002, net::DeliveryClass::kPresence));
    router.post(1, frames(90'003, net::DeliveryClass::kReceipt));
    router.post(1, frames(kFull, net::DeliveryClass::kMessage));
    router.post(1, numbered(kFull + 1));
    router.post(1, chat::Parcel(chat::InterestReady{.topic = {}, .token = kFull + 2}));
  });
  EXPECT_EQ(shard.router().counters().shed.value(), 3U);
  std::vector<std::uint32_t> got;
  while (got.size() < kFull + 3) {
    const auto more = drained(shard.peer());
    ASSERT_FALSE(more.empty());
    got.insert(got.end(), more.begin(), more.end());
    shard.idle_turn();
  }
  EXPECT_EQ(got, counted(0, kFull + 3));
  EXPECT_FALSE(shard.peer().waiting());
  EXPECT_EQ(shard.router().counters().waiting.value(), 0);
}

TEST(ShardRouter, EveryPairOfShardsHasItsOwnOrder) {
  constexpr std::uint32_t kShards = 4;
  MailboxGrid grid(kShards);
  std::vector<std::unique_ptr<ShardRouter>> routers;
  for (std::uint32_t i = 0; i < kShards; ++i)
    routers.push_back(std::make_unique<ShardRouter>(grid, i));
  for (std::uint32_t i = 0; i < 100; ++i) {
    for (std::uint32_t from = 0; from < kShards; ++from) {
      for (std::uint32_t to = 0; to < kShards; ++to)
        routers[from]->post(to, numbered(from * 1000 + i));
    }
  }
  for (std::uint32_t to = 0; to < kShards; ++to) {
    for (std::uint32_t from = 0; from < kShards; ++from) {
      if (from != to) grid.between(from, to).publish();
    }
    std::vector<std::uint32_t> next(kShards, 0);
    routers[to]->drain(
        [&](ShardParcel&& parcel) {
          const std::uint32_t number = number_of(parcel);
          EXPECT_EQ(number % 1000, next[number / 1000]++);
        },
        UINT32_MAX);
    EXPECT_EQ(next, std::vector<std::uint32_t>(kShards, 100)) << to;
  }
}

TEST(ShardRouter, AReaderThatKeepsPaceWithAWriterMissesNothing) {
  SenderShard shard;
  constexpr std::uint32_t kTurns = 50;
  constexpr std::uint32_t kPerTurn = 1000;
  std::uint32_t next = 0;
  const auto read = [&] {
    shard.peer().drain([&](ShardParcel&& parcel) { ASSERT_EQ(number_of(parcel), next++); }, 700);
  };
  for (std::uint32_t turn = 0; turn < kTurns; ++turn) {
    shard.turn([turn](ShardRouter& router) {
      for (std::uint32_t i = 0; i < kPerTurn; ++i) router.post(1, numbered(turn * kPerTurn + i));
    });
    read();  // slower than the writer: the mailbox fills up and parcels are held back
  }
  EXPECT_GT(shard.router().counters().held_back.value(), 0U);
  while (next < kTurns * kPerTurn) {
    read();
    shard.idle_turn();
  }
  EXPECT_FALSE(shard.peer().waiting());
}

}  // namespace
}  // namespace uproar::server
