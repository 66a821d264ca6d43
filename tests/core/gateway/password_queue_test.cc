// In which order passwords are hashed, and who loses their place.
#include "core/gateway/password_queue.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/gateway/limits.h"

namespace uproar::gateway {
namespace {

using enum PasswordClass;

class PasswordQueueTest : public ::testing::Test {
 protected:
  void push(PasswordClass cls, std::uint64_t lane, const std::string& name) {
    auto without_room =
        queue_.push({.cls = cls, .lane = lane}, [this, name](PasswordQueue::Fate fate) {
          (fate == PasswordQueue::Fate::kRun ? run_ : refused_).push_back(name);
        });
    if (without_room) (*without_room)(PasswordQueue::Fate::kNoRoom);
  }
  void fill(PasswordClass cls, std::uint64_t lane, std::size_t count, const std::string& name) {
    for (std::size_t i = 0; i < count; ++i) push(cls, lane, name + std::to_string(i));
  }
  void run(std::size_t count = 10'000) {
    for (std::size_t i = 0; i < count; ++i) {
      auto job = queue_.pop();
      if (!job) return;
      (*job)(PasswordQueue::Fate::kRun);
    }
  }
  std::size_t place_of(const std::string& name) const {
    return static_cast<std::size_t>(std::find(run_.begin(), run_.end(), name) - run_.begin());
  }

  PasswordQueue queue_;
  std::vector<std::string> run_;
  std::vector<std::string> refused_;
};

TEST_F(PasswordQueueTest, EachIsRunOnceInTheOrderOfItsLane) {
  fill(kKnown, 1, 5, "k");
  run();
  EXPECT_EQ(run_, (std::vector<std::string>{"k0", "k1", "k2", "k3", "k4"}));
  EXPECT_TRUE(refused_.empty());
  EXPECT_EQ(queue_.size(), 0U);
  EXPECT_FALSE(queue_.pop());
}

TEST_F(PasswordQueueTest, ALoginIsNotBehindTheRegistrationsThatCameBeforeIt) {
  for (const PasswordClass login : {kKnown, kStranger}) {
    for (std::size_t done_before = 0; done_before < 8; ++done_before) {
      run_.clear();
      for (std::uint64_t lane = 0; lane < 60; ++lane) push(kRegistration, lane, "r");
      run(done_before);
      push(login, 1000, "login");
      run();
      EXPECT_LE(place_of("login"), done_before + 1) << "one registration may have its turn first";
      EXPECT_EQ(run_.size(), 61U);
    }
  }
}

TEST_F(PasswordQueueTest, NobodyStarvesBehindAClassThatIsAlwaysFull) {
  push(kRegistration, 1, "r");
  push(kStranger, 1, "s");
  for (int i = 0; i < 16; ++i) {
    push(kKnown, 1, "k" + std::to_string(i));
    run(1);
  }
  EXPECT_LT(place_of("s"), 4U);
  EXPECT_LT(place_of("r"), 8U);
}

TEST_F(PasswordQueueTest, LanesTakeTurns) {
  fill(kStranger, 1, 10, "a");
  push(kStranger, 2, "b0");
  push(kStranger, 3, "c0");
  push(kStranger, 2, "b1");
  run();
  EXPECT_EQ(place_of("b0"), 1U);
  EXPECT_EQ(place_of("c0"), 2U);
  EXPECT_EQ(place_of("b1"), 4U);
  EXPECT_EQ(run_.size(), 13U);
}

TEST_F(PasswordQueueTest, OneLaneHasHalfOfTheRoom) {
  fill(kStranger, 1, kLoginsWaitingMax, "a");
  EXPECT_EQ(queue_.size(), kLoginsWaitingMax / 2);
  EXPECT_EQ(refused_.size(), kLoginsWaitingMax / 2);
  fill(kRegistration, 1, kRegistrationsWaitingMax, "r");
  EXPECT_EQ(queue_.size(), kLoginsWaitingMax / 2 + kRegistrationsWaitingMax / 2);
}

TEST_F(PasswordQueueTest, WithoutRoomWhoHasMostLosesItsNewest) {
  fill(kStranger, 1, kLoginsWaitingMax / 2, "a");
  fill(kStranger, 2, kLoginsWaitingMax / 2, "b");
  ASSERT_TRUE(refused_.empty());
  push(kStranger, 3, "c");
  ASSERT_EQ(refused_.size(), 1U);
  EXPECT_TRUE(refused_.front() == "a" + std::to_string(kLoginsWaitingMax / 2 - 1) ||
              refused_.front() == "b" + std::to_string(kLoginsWaitingMax / 2 - 1))
      << refused_.front();
  EXPECT_EQ(queue_.size(), kLoginsWaitingMax);
  run();
  EXPECT_EQ(place_of("c"), 2U);
}

TEST_F(PasswordQueueTest, WithoutRoomAmongEqualsTheLastIsRefused) {
  for (std::uint64_t lane = 0; lane < kLoginsWaitingMax; ++lane) push(kStranger, lane, "a");
  push(kStranger, 1'000, "late");
  push(kStranger, 3, "second of its lane");
  EXPECT_EQ(refused_, (std::vector<std::string>{"late", "second of its lane"}));
}

TEST_F(PasswordQueueTest, AFullClassTakesNoRoomOfAnother) {
  for (std::uint64_t lane = 0; lane < 2 * kLoginsWaitingMax; ++lane) {
    push(kStranger, lane, "s");
    push(kRegistration, lane, "r");
  }
  refused_.clear();
  push(kKnown, 1, "owner");
  EXPECT_TRUE(refused_.empty());
  EXPECT_LE(queue_.size(), kPasswordsWaitingMax);
  run(2);
  EXPECT_LT(place_of("owner"), 2U);
}

}  // namespace
}  // namespace uproar::gateway
