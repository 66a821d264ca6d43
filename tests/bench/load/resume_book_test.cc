#include "bench/load/resume_book.h"

#include <gtest/gtest.h>

namespace uproar::bench {
namespace {

constexpr std::string_view kMarker = "\"seq\":";

TEST(ResumeBook, IsNotKeptWithoutAMarker) {
  EXPECT_FALSE(ResumeBook(5, "").is_kept());
  EXPECT_TRUE(ResumeBook(5, kMarker).is_kept());
}

TEST(ResumeBook, KnowsTheHighestNumberThatAClientHeard) {
  ResumeBook book(2, kMarker);
  EXPECT_EQ(book.cursor(1), 0U);
  book.heard(1, R"({"type":"message.new","seq":41,"content":"x"})");
  EXPECT_EQ(book.cursor(1), 41U);
  EXPECT_EQ(book.cursor(0), 0U);
  book.heard(
      1,
      R"({"messages":[{"seq":42,"content":"x"},{"seq":57,"content":"y"},{"seq":43}],"upto_seq":99})");
  EXPECT_EQ(book.cursor(1), 57U);
  book.heard(1, R"({"type":"message.new","seq":50})");
  EXPECT_EQ(book.cursor(1), 57U);
  book.heard(1, R"({"type":"pong"})");
  book.heard(1, R"({"seq":)");
  EXPECT_EQ(book.cursor(1), 57U);
}

TEST(ResumeBook, KeepsWhatWasSaidUntilItIsAnsweredInItsOrder) {
  ResumeBook book(2, kMarker);
  book.said(0, 7, "seven");
  book.said(0, 8, "eight");
  book.said(0, 9, "nine");
  book.said(1, 10, "ten");
  book.answered(0, "8,\"message_id\":\"x\"");
  book.answered(0, "11");
  book.answered(0, "no number");
  book.answered(1, "7");
  ASSERT_EQ(book.unanswered(0).size(), 2U);
  EXPECT_EQ(book.unanswered(0)[0].text, "seven");
  EXPECT_EQ(book.unanswered(0)[1].text, "nine");
  ASSERT_EQ(book.unanswered(1).size(), 1U);
  EXPECT_EQ(book.unanswered(1)[0].n, 10U);
}

}  // namespace
}  // namespace uproar::bench
