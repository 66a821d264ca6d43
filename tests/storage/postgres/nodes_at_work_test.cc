// Which nodes work on a database: those that have a session by which they commit, whichever it is, and until the server
// has done with the last.

#include <algorithm>
#include <thread>

#include "storage/postgres/postgres_store.h"
#include "tests/storage/contract.h"
#include "tests/storage/postgres/intruder.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Claim = PostgresStore::Claim;

constexpr NodeId kOne = make_id<NodeId>(1);
constexpr NodeId kTwo = make_id<NodeId>(2);

class NodesAtWorkTest : public testing::Test {
 protected:
  static PostgresServer& server() { return PostgresServer::shared(); }
  [[nodiscard]] std::unique_ptr<PostgresStore> node(const std::string& name, NodeId id) const {
    auto opened = PostgresStore::open({.url = url, .node = name, .id = id, .probe_interval_ms = 1});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    return std::move(opened).value();
  }
  std::vector<NodeDigest> at_work() {
    while (true) {  // the session that reads may be on its way back
      auto found = asker->nodes_at_work();
      if (found.ok()) return std::move(found).value();
      asker->reactor().turn(0);
    }
  }
  // Ends when it is so: by the test's time-out if never.
  template <class Matcher>
  void wait_for(Matcher matcher) {
    while (!testing::Matches(matcher)(at_work())) std::this_thread::yield();
  }
  std::string sql(const std::string& statement) const { return server().sql(url, statement); }

  const std::string url = server().make_database();
  std::unique_ptr<PostgresStore> tool = node("tool", NodeId());
  std::unique_ptr<Caller> asker = std::make_unique<Caller>(*tool);
};

TEST_F(NodesAtWorkTest, AToolIsNone) {
  EXPECT_TRUE(asker->create_user({.id = user(1), .name = "one"}).ok());
  EXPECT_THAT(at_work(), IsEmpty());
}

TEST_F(NodesAtWorkTest, AreKnownByTheirClaimAndGoWithIt) {
  auto one = node("one", kOne);
  ASSERT_TRUE(one->claim(Claim::kShared).ok());
  EXPECT_THAT(at_work(), ElementsAre(node_digest(kOne)));
  auto two = node("two", kTwo);
  ASSERT_TRUE(two->claim(Claim::kShared).ok());
  EXPECT_THAT(at_work(), UnorderedElementsAre(node_digest(kOne), node_digest(kTwo)));
  one.reset();
  wait_for(ElementsAre(node_digest(kTwo)));
}

TEST_F(NodesAtWorkTest, AreKnownByAnySessionThatWritesWhenTheClaimIsGone) {
  auto one = node("one", kOne);
  auto call = std::make_unique<Caller>(*one);
  ASSERT_TRUE(call->create_user({.id = user(1), .name = "one"}).ok());  // it stands
  EXPECT_THAT(at_work(), ElementsAre(node_digest(kOne)));
  call.reset();
  wait_for(IsEmpty());
}

TEST_F(NodesAtWorkTest, AreThereAgainAfterTheirSessionsWereEnded) {
  auto one = node("one", kOne);
  ASSERT_TRUE(one->claim(Claim::kShared).ok());
  sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'uproar "
      "one'");
  wait_for(ElementsAre(node_digest(kOne)));
}

// The lock of a session outlives the process for as long as the server works for it.
TEST_F(NodesAtWorkTest, AreAtWorkWhileTheServerWorksForThem) {
  auto one = node("one", kOne);
  auto call = std::make_unique<Caller>(*one);
  ASSERT_TRUE(call->create_user({.id = user(1), .name = "one"}).ok());
  // All sessions stand: one that comes under the lock would wait for it with its statements.
  ASSERT_TRUE(call->find_users({user(1)}).ok());
  ASSERT_THAT(at_work(), ElementsAre(node_digest(kOne)));
  Intruder other(url);
  other.run("begin");
  other.run("lock table users in access exclusive mode");
  bool is_answered = false;
  call->directory().create_user({.id = user(2), .name = "two"},
                                [&](const Result<UserId, StoreError>&) { is_answered = true; });
  while (sql("select count(*) from pg_stat_activity where application_name = 'uproar one' and "
             "wait_event_type = 'Lock'") == "0")
    call->reactor().turn(0);
  EXPECT_THAT(at_work(), ElementsAre(node_digest(kOne)));
  EXPECT_FALSE(is_answered);
  call.reset();
  other.end();
  wait_for(IsEmpty());
}

TEST_F(NodesAtWorkTest, OfAnotherSchemaAreNobodysBusiness) {
  sql("create schema other");
  auto opened =
      PostgresStore::open({.url = url + " options=-csearch_path=other", .node = "x", .id = kTwo});
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  ASSERT_TRUE(opened.value()->claim(Claim::kShared).ok());
  EXPECT_THAT(at_work(), IsEmpty());
}

TEST(NodeDigest, IsNotTheSameForNodesThatStartedTogether) {
  std::vector<NodeDigest> digests;
  for (std::uint64_t n = 0; n < 1'000; ++n) digests.push_back(node_digest(make_id<NodeId>(n)));
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::unique(digests.begin(), digests.end()), digests.end());
  EXPECT_NE(digests.front(), 0U);
}

// After a restart of the database everybody comes anew, and a node that was refused may come first.
TEST_F(NodesAtWorkTest, ALoneNodeIsLetInBesideNobodyWhoeverWasThereFirst) {
  auto one = node("one", kOne);
  ASSERT_TRUE(one->claim(Claim::kAlone).ok());
  Caller call(*one);
  ASSERT_TRUE(call.create_user({.id = user(1), .name = "one"}).ok());
  const std::string end_ours =
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'uproar "
      "one'";
  Intruder other(url);  // as a session by which another node commits
  other.run(
      "do $$ begin perform pg_advisory_lock_shared(hashtext('uproar nodes of ' || "
      "current_schema()), 77); end $$");
  sql(end_ours);
  while (one->healthy()) call.reactor().turn(0);
  EXPECT_EQ(call.create_user({.id = user(2), .name = "two"}).error(), StoreError::kUnavailable);
  while (one->last_error().find("another node is on this database") == std::string::npos)
    call.reactor().turn(0);
  EXPECT_EQ(sql("select count(*) from users"), "1");
  other.end();
  call.reactor().run_until([&] { return one->healthy(); });
  EXPECT_TRUE(call.create_user({.id = user(3), .name = "three"}).ok());
}

TEST_F(NodesAtWorkTest, NobodyIsLetInBesideALoneNode) {
  auto one = node("one", kOne);
  ASSERT_TRUE(one->claim(Claim::kShared).ok());
  Caller call(*one);
  ASSERT_TRUE(call.create_user({.id = user(1), .name = "one"}).ok());
  Intruder other(url);
  other.run(
      "do $$ begin perform pg_advisory_lock_shared(hashtext('uproar lone nodes of ' || "
      "current_schema()), 77); end $$");
  sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'uproar "
      "one'");
  while (one->last_error().find("another node is on this database") == std::string::npos)
    call.reactor().turn(0);
  EXPECT_FALSE(call.create_user({.id = user(2), .name = "two"}).ok());
  other.end();
  call.reactor().run_until([&] { return one->healthy(); });
  EXPECT_TRUE(call.create_user({.id = user(3), .name = "three"}).ok());
}

}  // namespace
}  // namespace uproar::storage
