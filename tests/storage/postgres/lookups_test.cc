// Many who ask one by one cost few queries, and each answer is of a query that began after it was asked for.
#include "storage/postgres/lookups.h"

#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/storage/manual_reactor.h"

namespace uproar::storage::postgres {
namespace {

struct Row {
  int id = 0;
  int value = 0;
};

class LookupsTest : public ::testing::Test {
 protected:
  struct Query {
    std::vector<int> ids;
    Done<std::vector<Row>> done;
  };
  struct Answer {
    int asked = 0;
    Result<std::optional<Row>, StoreError> found;
  };

  void find(int id) {
    lookups->find(id, [this, id](Result<std::optional<Row>, StoreError> found) {
      answers.push_back({id, std::move(found)});
    });
  }
  void answer(std::size_t query, Result<std::vector<Row>, StoreError> rows) {
    const Done<std::vector<Row>> done = std::move(queries[query].done);
    done(std::move(rows));
  }

  ManualReactor reactor;
  std::vector<Query> queries;
  std::vector<Answer> answers;
  std::optional<Lookups<Row>> lookups{
      std::in_place, reactor, 3U, [this](const std::vector<int>& ids, Done<std::vector<Row>> done) {
        queries.push_back({ids, std::move(done)});
      }};
};

TEST_F(LookupsTest, ShareTheQueryAfterTheOneThatIsUnderWay) {
  find(7);
  ASSERT_EQ(queries.size(), 1U) << "who comes alone waits for nobody";
  find(7);
  find(2);
  find(7);
  ASSERT_EQ(queries.size(), 1U);
  answer(0, std::vector<Row>{{7, 70}});
  ASSERT_EQ(queries.size(), 2U);
  EXPECT_EQ(queries[1].ids, (std::vector<int>{2, 7}));
  ASSERT_EQ(answers.size(), 1U) << "the first answer may be older than the others' questions";
  answer(1, std::vector<Row>{{7, 71}, {2, 20}});
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(queries.size(), 2U);
  EXPECT_EQ((*answers[0].found)->value, 70);
  for (std::size_t i = 1; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i].found.ok() && answers[i].found->has_value());
    EXPECT_EQ((*answers[i].found)->value, answers[i].asked == 2 ? 20 : 71);
  }
}

TEST_F(LookupsTest, TellWhatIsNotThereFromWhatCouldNotBeAsked) {
  find(1);
  answer(0, std::vector<Row>{});
  find(2);
  answer(1, Err{StoreError::kUnavailable});
  ASSERT_EQ(answers.size(), 2U);
  ASSERT_TRUE(answers[0].found.ok());
  EXPECT_FALSE(answers[0].found->has_value());
  ASSERT_FALSE(answers[1].found.ok());
  EXPECT_EQ(answers[1].found.error(), StoreError::kUnavailable);
}

TEST_F(LookupsTest, RefuseMoreThanMayWait) {
  for (int id = 0; id < 5; ++id) find(id);  // one is asked for, three wait
  EXPECT_TRUE(answers.empty());
  reactor.run_until_idle();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].asked, 4);
  EXPECT_EQ(answers[0].found.error(), StoreError::kOverloaded);
}

TEST_F(LookupsTest, MayBeEndedByAnAnswer) {
  find(1);
  lookups->find(2, [this](auto /*found*/) { lookups.reset(); });
  find(3);
  answer(0, std::vector<Row>{});
  answer(1, std::vector<Row>{});
  EXPECT_FALSE(lookups.has_value());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].asked, 1);
}

}  // namespace
}  // namespace uproar::storage::postgres
