// The line of passwords before its threads: everybody is answered once, whatever becomes of their
// place.
#include "core/server/password_pool.h"

#include <algorithm>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/gateway/limits.h"

namespace uproar::server {
namespace {

using enum gateway::PasswordClass;
using gateway::PasswordQueue;
using gateway::PasswordVerdict;

// One thread, which does nothing until it is let go.
class PasswordLineTest : public ::testing::Test {
 protected:
  PasswordLineTest() {
    std::promise<void> begun;
    line_.push({.cls = kKnown, .lane = 0}, [this, &begun](PasswordQueue::Fate) {
      begun.set_value();
      gate_.get_future().wait();
    });
    begun.get_future().wait();
  }
  void push(gateway::PasswordClass cls, std::uint64_t lane, const std::string& name) {
    line_.push({.cls = cls, .lane = lane}, [this, name](PasswordQueue::Fate fate) {
      (fate == PasswordQueue::Fate::kRun ? run_ : refused_).push_back(name);
    });
  }
  void let_go_and_finish() {
    gate_.set_value();
    pool_.stop();
  }

  std::promise<void> gate_;
  runtime::BlockingPool pool_{{.threads = 1, .jobs_max = gateway::kPasswordsWaitingMax}};
  PasswordLine line_{pool_};
  std::vector<std::string> run_;      // the pool's until it has stopped
  std::vector<std::string> refused_;  // this thread's
};

TEST_F(PasswordLineTest, ALoginIsServedBeforeTheRegistrationsThatCameFirst) {
  for (std::uint64_t lane = 0; lane < 30; ++lane) push(kRegistration, lane, "registration");
  push(kStranger, 1, "stranger");
  push(kKnown, 1, "owner");
  let_go_and_finish();
  ASSERT_EQ(run_.size(), 32U);
  EXPECT_EQ(run_[0], "owner");
  EXPECT_EQ(run_[1], "stranger");
}

TEST_F(PasswordLineTest, WhoLosesTheirPlaceIsToldAndTheRestIsRun) {
  constexpr std::size_t kHalf = gateway::kLoginsWaitingMax / 2;
  for (std::size_t i = 0; i < kHalf; ++i) push(kStranger, 1, "a");
  for (std::size_t i = 0; i < kHalf; ++i) push(kStranger, 2, "b");
  for (int i = 0; i < 10; ++i) push(kStranger, 3, "c");
  push(kStranger, 1, "a");
  EXPECT_EQ(refused_.size(), 11U);
  EXPECT_EQ(std::count(refused_.begin(), refused_.end(), "c"), 0);
  let_go_and_finish();
  EXPECT_EQ(run_.size(), gateway::kLoginsWaitingMax);
  EXPECT_EQ(std::count(run_.begin(), run_.end(), "c"), 10);
}

TEST_F(PasswordLineTest, AfterTheEndNobodyIsLeftWithoutAnAnswer) {
  push(kKnown, 1, "before");
  let_go_and_finish();
  push(kKnown, 1, "after");
  EXPECT_EQ(run_, std::vector<std::string>{"before"});
  EXPECT_EQ(refused_, std::vector<std::string>{"after"});
}

TEST(PasswordPool, HashesAndChecksAndBringsTheAnswerToTheShard) {
  runtime::BlockingPool threads({.threads = 1, .jobs_max = gateway::kPasswordsWaitingMax});
  PasswordLine line(threads);
  runtime::Inbox inbox(16);
  PasswordPool passwords(line, inbox);
  const auto serve = [&inbox](const auto& is_done) {
    while (!is_done())
      if (inbox.drain([](runtime::Task&& task) { task(); }, 16) == 0) std::this_thread::yield();
  };
  std::optional<std::string> hash;
  ASSERT_TRUE(passwords.hash({}, "correct horse",
                             [&hash](std::optional<std::string> made) { hash = std::move(made); }));
  serve([&hash] { return hash.has_value(); });
  struct Row {
    const char* password;
    std::string hash;
    PasswordVerdict expected;
  };
  for (const Row& row : std::vector<Row>{{"correct horse", *hash, PasswordVerdict::kRight},
                                         {"wrong horse", *hash, PasswordVerdict::kWrong},
                                         {"correct horse", "", PasswordVerdict::kWrong}}) {
    std::optional<PasswordVerdict> verdict;
    ASSERT_TRUE(passwords.verify({}, row.password, row.hash,
                                 [&verdict](PasswordVerdict said) { verdict = said; }));
    serve([&verdict] { return verdict.has_value(); });
    EXPECT_EQ(*verdict, row.expected) << row.password;
  }
}

TEST(PasswordPool, WithoutAPlaceForTheAnswerNothingIsBegun) {
  runtime::BlockingPool threads({.threads = 1, .jobs_max = gateway::kPasswordsWaitingMax});
  PasswordLine line(threads);
  runtime::Inbox inbox(0);
  PasswordPool passwords(line, inbox);
  EXPECT_FALSE(passwords.hash(
      {}, "correct horse", [](const std::optional<std::string>&) { FAIL() << "it was refused"; }));
}

}  // namespace
}  // namespace uproar::server
