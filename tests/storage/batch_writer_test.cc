// The writer over a store that answers when told: what shares a batch, in which order outcomes come, what an outage
// costs. Time is the manual reactor's.

#include "storage/batch_writer.h"

#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/manual_reactor.h"
#include "tests/storage/scripted_store.h"

namespace uproar::storage {
namespace {

using testing::ElementsAre;

class BatchWriterTest : public testing::Test {
 protected:
  BatchWriterTest() { make({}); }
  void make(BatchWriter::Options options) {
    writer = std::make_unique<BatchWriter>(store, reactor, options,
                                           std::make_shared<BatchWriterCounters>());
    writer->set_listener(listener);
  }
  StageResult stage(Ticket ticket, std::size_t bytes = 1) {
    Operation operation{.ticket = ticket,
                        .body = AppendMessage{.content = std::string(bytes, 'x')}};
    return writer->stage(std::move(operation));
  }
  [[nodiscard]] bool has_room(std::size_t rows, std::size_t bytes) const {
    return writer->has_room({}, rows, bytes);
  }
  void stage_all(std::initializer_list<Ticket> tickets) {
    for (const Ticket ticket : tickets) ASSERT_EQ(stage(ticket), StageResult::kStaged);
  }
  void fail_one() {
    ASSERT_EQ(stage(900), StageResult::kStaged);
    reactor.run_until_idle();
    store.fail();
  }

  ManualReactor reactor;
  ScriptedStore store;
  Listener listener;
  std::unique_ptr<BatchWriter> writer;
};

TEST_F(BatchWriterTest, CommitsInTheNextTurnWhenIdle) {
  stage_all({1});
  EXPECT_TRUE(store.sizes.empty()) << "never inside stage()";
  reactor.run_until_idle();
  EXPECT_THAT(store.sizes, ElementsAre(1));
}

TEST_F(BatchWriterTest, PutsWhatOneTurnStagedIntoOneBatch) {
  stage_all({1, 2, 3});
  reactor.run_until_idle();
  EXPECT_THAT(store.sizes, ElementsAre(3));
}

TEST_F(BatchWriterTest, GathersWhileABatchIsInFlightAndHasNeverTwo) {
  stage_all({1});
  reactor.run_until_idle();
  stage_all({2, 3, 4});
  reactor.run_until_idle();
  EXPECT_THAT(store.sizes, ElementsAre(1));
  store.succeed();
  EXPECT_THAT(store.sizes, ElementsAre(1, 3));
  EXPECT_THAT(listener.committed, ElementsAre(1));
  store.succeed();
  EXPECT_THAT(listener.committed, ElementsAre(1, 2, 3, 4));
}

TEST_F(BatchWriterTest, IsIdleWithNothingStagedAndNothingInFlight) {
  EXPECT_TRUE(writer->is_idle());
  stage_all({1});
  EXPECT_FALSE(writer->is_idle()) << "staged";
  reactor.run_until_idle();
  EXPECT_FALSE(writer->is_idle()) << "in flight";
  stage_all({2});
  store.succeed();
  EXPECT_FALSE(writer->is_idle()) << "the next batch";
  store.fail();
  EXPECT_TRUE(writer->is_idle()) << "an outage holds nothing back";
}

TEST_F(BatchWriterTest, StartsTheNextCommitBeforeTellingOfThisOne) {
  stage_all({1});
  reactor.run_until_idle();
  stage_all({2});
  listener.then = [&] {
    EXPECT_EQ(store.waiting.size(), 1U);
    listener.then = nullptr;
  };
  store.succeed();
  EXPECT_EQ(listener.then, nullptr);
}

TEST_F(BatchWriterTest, AcceptsWorkFromInsideAnOutcome) {
  stage_all({1});
  reactor.run_until_idle();
  listener.then = [&] {
    listener.then = nullptr;
    stage_all({2});
  };
  store.succeed();
  EXPECT_TRUE(store.waiting.empty());
  reactor.run_until_idle();
  store.succeed();
  EXPECT_THAT(listener.committed, ElementsAre(1, 2));
}

TEST_F(BatchWriterTest, IsFullAtItsRows) {
  make({.rows_max = 2});
  stage_all({1, 2});
  EXPECT_EQ(stage(3), StageResult::kFull);
  reactor.run_until_idle();
  stage_all({4, 5});
  EXPECT_EQ(stage(6), StageResult::kFull);
  store.succeed();
  store.succeed();
  EXPECT_THAT(listener.all, ElementsAre(1, 2, 4, 5));
  EXPECT_EQ(writer->counters().refused_full.value(), 2U);
}

TEST_F(BatchWriterTest, IsFullAtItsBytesButTakesOneRowOfAnySize) {
  make({.bytes_max = 1000 + 2 * sizeof(Operation)});
  stage_all({1});
  EXPECT_EQ(stage(2, 1000), StageResult::kFull);
  EXPECT_EQ(stage(3, 999), StageResult::kStaged);
  reactor.run_until_idle();
  EXPECT_EQ(stage(4, 5000), StageResult::kStaged);
  EXPECT_EQ(stage(5), StageResult::kFull);
}

TEST_F(BatchWriterTest, SaysBeforehandWhetherThereIsRoom) {
  make({.rows_max = 3, .bytes_max = 3 * (1000 + sizeof(Operation))});
  EXPECT_TRUE(has_room(100, 1'000'000)) << "one of any size, when nothing waits";
  stage_all({1});
  EXPECT_TRUE(has_room(2, 2 * sizeof(Operation)));
  EXPECT_FALSE(has_room(3, 3 * sizeof(Operation)));
  EXPECT_FALSE(has_room(1, 4 * (1000 + sizeof(Operation))));
  stage_all({2, 3});
  EXPECT_FALSE(has_room(1, sizeof(Operation)));
  reactor.run_until_idle();  // they are in flight
  EXPECT_TRUE(has_room(3, 3 * sizeof(Operation)));
  store.fail();
  stage(4);
  EXPECT_TRUE(has_room(3, 3 * sizeof(Operation))) << "stage() says that the store is away";
}

TEST_F(BatchWriterTest, FailsTheBatchAndWhatWaitedBehindItInOrder) {
  stage_all({1, 2});
  reactor.run_until_idle();
  stage_all({3});
  store.fail();
  EXPECT_THAT(listener.failed, ElementsAre(1, 2, 3));
  EXPECT_EQ(writer->counters().failed_rows.value(), 3U);
}

TEST_F(BatchWriterTest, RefusesWhileTheCircuitIsOpenThenProbes) {
  fail_one();
  EXPECT_EQ(stage(1), StageResult::kUnavailable);
  EXPECT_EQ(writer->retry_after_ms(), kRetryAfterMsMin);
  reactor.advance(kRetryAfterMsMin - 1);
  EXPECT_EQ(stage(2), StageResult::kUnavailable);
  reactor.advance(1);
  EXPECT_EQ(stage(3), StageResult::kStaged);
  reactor.run_until_idle();
  EXPECT_EQ(stage(4), StageResult::kUnavailable) << "one probe at a time";
  store.succeed();
  EXPECT_EQ(writer->circuit(), BatchWriter::Circuit::kClosed);
  EXPECT_EQ(stage(5), StageResult::kStaged);
  EXPECT_THAT(listener.committed, ElementsAre(3));
}

TEST_F(BatchWriterTest, AProbeIsSmall) {
  fail_one();
  reactor.advance(kRetryAfterMsMin);
  for (Ticket ticket = 1; ticket <= kProbeRowsMax; ++ticket)
    ASSERT_EQ(stage(ticket), StageResult::kStaged);
  EXPECT_EQ(stage(100), StageResult::kUnavailable);
  reactor.run_until_idle();
  EXPECT_EQ(store.waiting.front().batch.size(), kProbeRowsMax);
}

TEST_F(BatchWriterTest, WaitsTwiceAsLongAfterEachFailedProbeUpToTheLimit) {
  fail_one();
  std::uint32_t expected_ms = kRetryAfterMsMin;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(writer->retry_after_ms(), expected_ms);
    reactor.advance(writer->retry_after_ms());
    fail_one();
    expected_ms = std::min(expected_ms * 2, kRetryAfterMsMax);
  }
  EXPECT_EQ(writer->retry_after_ms(), kRetryAfterMsMax);
  reactor.advance(kRetryAfterMsMax);
  stage_all({1});
  reactor.run_until_idle();
  store.succeed();
  EXPECT_EQ(writer->retry_after_ms(), kRetryAfterMsMin);
}

TEST_F(BatchWriterTest, ProbesAtOnceWhenTheStoreSaysThatItIsBack) {
  store.recovered();  // nobody is waiting for it
  EXPECT_EQ(writer->circuit(), BatchWriter::Circuit::kClosed);
  fail_one();
  ASSERT_EQ(stage(1), StageResult::kUnavailable);
  store.recovered();
  ASSERT_EQ(stage(2), StageResult::kStaged);
  reactor.run_until_idle();
  store.fail();  // it was wrong: the next wait is twice as long, and the first one's timer is gone
  reactor.advance(2 * kRetryAfterMsMin - 1);
  EXPECT_EQ(stage(3), StageResult::kUnavailable);
  reactor.advance(1);
  ASSERT_EQ(stage(4), StageResult::kStaged);
  store.recovered();  // while it is being tried: nothing changes
  EXPECT_EQ(writer->circuit(), BatchWriter::Circuit::kProbing);
  reactor.run_until_idle();
  store.succeed();
  EXPECT_EQ(writer->circuit(), BatchWriter::Circuit::kClosed);
  writer.reset();
  store.recovered();  // the writer is gone
}

TEST_F(BatchWriterTest, JudgedRowsAreNoOutage) {
  stage_all({1});
  reactor.run_until_idle();
  store.answer(OutcomeStatus::kForbidden);
  EXPECT_EQ(writer->circuit(), BatchWriter::Circuit::kClosed);
}

TEST_F(BatchWriterTest, MeasuresCommitsByTheClockItIsGiven) {
  static std::int64_t clock_us = 0;
  make({.monotonic_us = [] { return clock_us; }});
  stage_all({1});
  reactor.run_until_idle();
  clock_us = 700;
  store.succeed();
  EXPECT_EQ(writer->counters().commit_us.sum(), 700U);
  EXPECT_EQ(writer->counters().batch_rows.bucket(1), 1U);
}

TEST_F(BatchWriterTest, CanDieWithWorkUnderWay) {
  stage_all({1});
  reactor.run_until_idle();
  stage_all({2});
  writer.reset();
  store.succeed();
  reactor.run_until_idle();
  EXPECT_TRUE(listener.all.empty());

  make({});
  stage_all({3});
  writer.reset();
  reactor.run_until_idle();

  make({});
  fail_one();
  writer.reset();
  EXPECT_EQ(reactor.armed_timers(), 0U);
}

}  // namespace
}  // namespace uproar::storage
