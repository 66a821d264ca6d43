// Pages: a reader that follows them sees every row once, and a cursor that follows changes ends with exactly what is
// stored. The model is a list of events. Against every backend.

#include <map>
#include <random>

#include "storage/page_bytes.h"
#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

using enum OutcomeStatus;
using Order = PageQuery::Order;

class History : public ContractTest {
 protected:
  History() { creates(user(1), room, chat::ConversationKind::kGroup, {user(2), user(3)}); }
  static constexpr ConversationId room = conversation(1);

  // `count` random events; returns the newest event that touched each message row, by row.
  void random_history(std::uint32_t seed, int count) {
    std::mt19937 random(seed);
    std::vector<Operation> batch;
    for (int i = 0; i < count; ++i) {
      const UserId who = user(1 + random() % 3);
      const chat::MessageRef ref{.seq = 1 + random() % static_cast<Seq>(count), .id = {}};
      switch (random() % 6) {
        case 0:
          batch.push_back(operation(room, who, EditMessage{.message = ref, .content = "e"}));
          break;
        case 1:
          batch.push_back(
              operation(room, who, DeleteMessage{.message = ref, .as_moderator = true}));
          break;
        case 2:
          batch.push_back(operation(room, who, ChangeReaction{.message = ref, .emoji = "x"}));
          break;
        case 3:
          batch.push_back(operation(room, who, Rename{.name = "n"}));
          break;
        default:
          batch.push_back(operation(room, who, message("m")));
      }
    }
    for (const Outcome& outcome : call->commit(batch)) {
      if (outcome.status != kCommitted) continue;
      ASSERT_EQ(outcome.seq, ++last_seq);
      newest[outcome.message_seq == 0 ? outcome.seq : outcome.message_seq] = outcome.seq;
    }
  }

  Seq last_seq = 0;
  std::map<Seq, Seq> newest;  // row -> the event that touched it last
};
UPROAR_CONTRACT(History);

TEST_P(History, ChangesArriveOnceInOrderAtEveryPageSize) {
  random_history(3, 80);
  for (std::uint32_t limit = 1; limit <= 82; ++limit) {
    for (Seq cursor = 0; cursor <= last_seq; cursor += 1 + limit % 7) {
      std::vector<std::pair<Seq, Seq>> expected;  // version, row
      for (const auto& [row_seq, version] : newest) {
        if (version > cursor) expected.emplace_back(version, row_seq);
      }
      std::sort(expected.begin(), expected.end());
      std::vector<std::pair<Seq, Seq>> got;
      PageQuery query{
          .conversation = room, .order = Order::kChangedAfter, .bound = cursor, .limit = limit};
      for (bool has_more = true; has_more;) {
        const Page page = call->page(query).value();
        for (const chat::Message& one : page.messages) got.emplace_back(one.version, one.seq);
        ASSERT_EQ(page.messages.size() == limit || !page.has_more, true);
        ASSERT_GE(page.upto_seq, query.bound);
        query.bound = page.upto_seq;
        has_more = page.has_more;
      }
      ASSERT_EQ(got, expected) << "limit " << limit << " cursor " << cursor;
      ASSERT_EQ(query.bound, last_seq);
    }
  }
}

TEST_P(History, ACursorThatFollowsAGrowingConversationEndsWithWhatIsStored) {
  std::map<Seq, std::string> followed;
  Seq cursor = 0;
  for (std::uint32_t round = 0; round < 12; ++round) {
    random_history(100 + round, 9);
    const Page page = call->page({.conversation = room,
                                  .order = Order::kChangedAfter,
                                  .bound = cursor,
                                  .limit = 1 + round % 6})
                          .value();
    for (const chat::Message& one : page.messages) followed[one.seq] = describe(one);
    cursor = page.upto_seq;
  }
  while (cursor < last_seq) {
    const Page page =
        call->page(
                {.conversation = room, .order = Order::kChangedAfter, .bound = cursor, .limit = 2})
            .value();
    for (const chat::Message& one : page.messages) followed[one.seq] = describe(one);
    cursor = page.upto_seq;
  }
  std::map<Seq, std::string> stored;
  for (const chat::Message& one : rows(room)) stored[one.seq] = describe(one);
  EXPECT_EQ(followed, stored);
}

TEST_P(History, TheLastSeqIsThatOfAllThatIsCommitted) {
  EXPECT_EQ(call->last_seq_of(room).value(), 0U);
  random_history(9, 30);
  ASSERT_GT(last_seq, 0U);
  EXPECT_EQ(call->last_seq_of(room).value(), last_seq);
  EXPECT_EQ(call->last_seq_of(conversation(99)).error(), StoreError::kNotFound);
}

TEST_P(History, APageEndsBeforeTheRowThatWouldMakeItTooLarge) {
  random_history(7, 60);
  for (const Order order : {Order::kBefore, Order::kAfter, Order::kChangedAfter}) {
    PageQuery query{.conversation = room, .order = order, .limit = 40};
    const Page all = call->page(query).value();
    for (const std::size_t bytes_max : {std::size_t{1}, std::size_t{1'000}, std::size_t{5'000}}) {
      query.bytes_max = bytes_max;
      const Page page = call->page(query).value();
      ASSERT_FALSE(page.messages.empty()) << "at least one";
      ASSERT_LT(page.messages.size(), all.messages.size());
      EXPECT_TRUE(page.has_more);
      const bool is_backwards = order == Order::kBefore;
      const std::size_t from = is_backwards ? all.messages.size() - page.messages.size() : 0;
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < page.messages.size(); ++i) {
        EXPECT_EQ(page.messages[i].seq, all.messages[from + i].seq);
        EXPECT_EQ(page.messages[i].reactions.size(), all.messages[from + i].reactions.size());
        bytes += row_bytes(page.messages[i]);
      }
      const chat::Message& next = all.messages[is_backwards ? from - 1 : page.messages.size()];
      EXPECT_TRUE(bytes <= bytes_max || page.messages.size() == 1) << bytes;
      EXPECT_GT(bytes + row_bytes(next), bytes_max);
      if (order == Order::kChangedAfter) {
        EXPECT_EQ(page.upto_seq, page.messages.back().version);
      }
    }
  }
}

TEST_P(History, PagesBackwardsAndForwardsShowTheSameRows) {
  random_history(5, 60);
  std::vector<Seq> all;
  for (const auto& [row_seq, version] : newest) all.push_back(row_seq);
  for (std::uint32_t limit = 1; limit <= 61; limit += 3) {
    for (const Seq floor : {Seq{0}, last_seq / 3}) {
      std::vector<Seq> expected;
      std::copy_if(all.begin(), all.end(), std::back_inserter(expected),
                   [&](Seq seq) { return seq > floor; });
      std::vector<Seq> forwards, backwards;
      PageQuery after{
          .conversation = room, .order = Order::kAfter, .seq_floor = floor, .limit = limit};
      for (bool has_more = true; has_more;) {
        const Page page = call->page(after).value();
        for (const chat::Message& one : page.messages) forwards.push_back(one.seq);
        after.bound = forwards.back();
        has_more = page.has_more;
      }
      PageQuery before{.conversation = room, .seq_floor = floor, .limit = limit};
      for (bool has_more = true; has_more;) {
        const Page page = call->page(before).value();
        ASSERT_TRUE(std::is_sorted(page.messages.begin(), page.messages.end(),
                                   [](const auto& a, const auto& b) { return a.seq < b.seq; }));
        std::vector<Seq> seqs;
        for (const chat::Message& one : page.messages) seqs.push_back(one.seq);
        backwards.insert(backwards.begin(), seqs.begin(), seqs.end());
        before.bound = backwards.front();
        has_more = page.has_more;
      }
      ASSERT_EQ(forwards, expected) << limit;
      ASSERT_EQ(backwards, expected) << limit;
    }
  }
}

TEST_P(History, HasNoPagesOfAConversationThatDoesNotExist) {
  EXPECT_EQ(call->page({.conversation = conversation(9)}).error(), StoreError::kNotFound);
  const Page empty = call->page({.conversation = room, .order = Order::kChangedAfter}).value();
  EXPECT_TRUE(empty.messages.empty());
  EXPECT_EQ(empty.upto_seq, 0U);
  EXPECT_FALSE(empty.has_more);
}

}  // namespace
}  // namespace uproar::storage
