#include "core/server/latest.h"

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace uproar::server {
namespace {

TEST(Latest, GivesEachNoteOnce) {
  Latest<std::string> latest;
  EXPECT_FALSE(latest.is_waiting());
  EXPECT_EQ(latest.take(), nullptr);
  latest.leave("a");
  EXPECT_TRUE(latest.is_waiting());
  EXPECT_EQ(*latest.take(), "a");
  EXPECT_FALSE(latest.is_waiting());
  EXPECT_EQ(latest.take(), nullptr);
}

TEST(Latest, ForgetsWhatWasOvertaken) {
  Latest<std::string> latest;
  latest.leave("a");
  latest.leave("b");
  EXPECT_EQ(*latest.take(), "b");
  EXPECT_EQ(latest.take(), nullptr);
  latest.leave("never taken, and freed with it");
}

TEST(Latest, TheLastNoteOfAnotherThreadArrivesWholeAndInOrder) {
  constexpr int kNotes = 20'000;
  Latest<std::string> latest;
  std::thread writer([&latest] {
    for (int i = 1; i <= kNotes; ++i) latest.leave(std::to_string(i));
  });
  int seen = 0;
  while (seen < kNotes) {
    const auto note = latest.take();
    if (note == nullptr) continue;
    const int number = std::stoi(*note);
    EXPECT_GT(number, seen);
    seen = number;
  }
  writer.join();
}

}  // namespace
}  // namespace uproar::server
