#include <gtest/gtest.h>

#include "core/chat/session_table.h"

namespace uproar::chat::testing {
namespace {

const ConversationId room{Uuid{1, 1}};
constexpr std::int64_t kNowUs = 5'000'000;

TEST(ToldLeavings, make_joinings_below_them_late) {
  Session session;
  session.note_leaving(room, 7, kNowUs);
  EXPECT_TRUE(session.is_late(room, 6, kNowUs));
  EXPECT_FALSE(session.is_late(room, 7, kNowUs));
  EXPECT_FALSE(session.is_late(ConversationId{Uuid{1, 2}}, 6, kNowUs));
}

TEST(ToldLeavings, keep_the_highest_of_a_conversation) {
  Session session;
  session.note_leaving(room, 7, kNowUs);
  session.note_leaving(room, 3, kNowUs);
  EXPECT_TRUE(session.is_late(room, 6, kNowUs));
}

TEST(ToldLeavings, are_forgotten_after_a_while) {
  Session session;
  session.note_leaving(room, 7, kNowUs);
  EXPECT_TRUE(session.is_late(room, 6, kNowUs + kLeavingKeptUs));
  EXPECT_FALSE(session.is_late(room, 6, kNowUs + kLeavingKeptUs + 1));
}

TEST(ToldLeavings, are_bounded_and_the_oldest_goes_first) {
  Session session;
  for (std::uint64_t i = 0; i <= kLeavingsKeptMax; ++i)
    session.note_leaving(ConversationId{Uuid{2, i}}, 7, kNowUs);
  EXPECT_EQ(session.extras->leavings.size(), kLeavingsKeptMax);
  EXPECT_FALSE(session.is_late(ConversationId{Uuid{2, 0}}, 6, kNowUs));
  EXPECT_TRUE(session.is_late(ConversationId{Uuid{2, 1}}, 6, kNowUs));
}

TEST(ToldLeavings, leave_nothing_behind_when_they_are_forgotten) {
  Session session;
  session.note_leaving(room, 7, kNowUs);
  session.forget_leaving(room);
  EXPECT_EQ(session.extras, nullptr);
}

}  // namespace
}  // namespace uproar::chat::testing
