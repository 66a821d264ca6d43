#include "core/server/store_watch.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uproar::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct SickStore final : storage::Store {
  std::unique_ptr<storage::StoreClient> open_client(storage::Reactor& /*reactor*/) override {
    return nullptr;
  }
  [[nodiscard]] bool healthy() const override { return why.empty(); }
  [[nodiscard]] std::string last_error() const override { return why; }
  [[nodiscard]] std::string_view kind() const override { return "sick"; }
  std::string why;
};

class StoreWatchTest : public ::testing::Test {
 protected:
  SickStore store;
  std::vector<std::string> lines;
  StoreWatch watch{store,
                   [this](LogLevel /*level*/, const std::string& text) { lines.push_back(text); }};
};

TEST_F(StoreWatchTest, SaysOnceThatItFailsAndWhyAndOnceThatItWorksAgain) {
  watch.look(1);
  EXPECT_THAT(lines, ElementsAre());
  store.why = "disk full";
  for (int shard = 0; shard < 3; ++shard) {
    watch.circuit_changed(true);
    watch.look(2);
  }
  for (std::int64_t at = 3; at < 600'000'000; at += 100'000) watch.look(at);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], AllOf(StartsWith("the store fails"), EndsWith(": disk full")));
  store.why.clear();
  for (int shard = 0; shard < 3; ++shard) {
    watch.look(600'000'000);
    EXPECT_EQ(lines.size(), 1U) << "a circuit is open";
    watch.circuit_changed(false);
  }
  for (int turn = 0; turn < 3; ++turn) watch.look(600'000'001);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1], "the store works again");
}

TEST_F(StoreWatchTest, SaysAnotherReasonAfterAPauseThatGrows) {
  std::vector<std::int64_t> said_at;
  constexpr std::int64_t kHour = 3'600'000'000;
  for (std::int64_t at = 0; at < kHour; at += 100'000) {
    store.why = at % 200'000 == 0 ? "the session was ended" : "connection refused";
    const std::size_t before = lines.size();
    watch.look(at);
    if (lines.size() > before) said_at.push_back(at);
  }
  ASSERT_GT(lines.size(), 3U);
  EXPECT_THAT(lines[1],
              AllOf(StartsWith("the store still fails"), EndsWith(": connection refused")));
  EXPECT_LE(said_at[1], StoreWatch::kPauseUsMin + 1'000'000) << "the second reason says more";
  EXPECT_LE(lines.size(), 5 + kHour / StoreWatch::kPauseUsMax) << "an hour of two reasons";
}

}  // namespace
}  // namespace uproar::server
