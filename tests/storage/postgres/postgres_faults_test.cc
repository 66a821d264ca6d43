// What only the PostgreSQL backend can get wrong while it runs: servers that die, stall and lose answers, nodes that
// collide. Nothing here depends on how long something takes.

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "storage/postgres/limits.h"
#include "storage/postgres/postgres_store.h"
#include "tests/services/service_process.h"
#include "tests/storage/contract.h"
#include "tests/storage/postgres/intruder.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using enum OutcomeStatus;

constexpr ConversationId kRoom = conversation(1);

Operation room_for(ConversationId where, UserId owner) {
  return {.ticket = 1,
          .conversation = where,
          .actor = owner,
          .at_us = 1,
          .body = CreateConversation{.kind = chat::ConversationKind::kGroup,
                                     .members = {{.user = owner}}}};
}
Operation text(std::uint64_t n, ConversationId where = kRoom) {
  return {
      .ticket = n,
      .conversation = where,
      .actor = user(1),
      .at_us = 10,
      .body = AppendMessage{
          .id = make_id<MessageId>(n), .client_id = "c" + std::to_string(n), .content = "text"}};
}
std::vector<OutcomeStatus> statuses(const std::vector<Outcome>& outcomes) {
  std::vector<OutcomeStatus> out;
  for (const Outcome& outcome : outcomes) out.push_back(outcome.status);
  return out;
}

class PostgresFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  PostgresFaults() : url(server().make_database()) {
    open({.url = url, .node = "one"});
    UPROAR_CHECK(call->create_user({.id = user(1), .name = "one"}).ok());
    UPROAR_CHECK(call->commit_one(room_for(kRoom, user(1))).status == kCommitted);
  }
  static PostgresServer& server() { return *server_; }
  void open(PostgresStore::Options options) {
    call.reset();
    store.reset();
    auto opened = PostgresStore::open(std::move(options));
    UPROAR_CHECK(opened.ok(), opened.error().text());
    store = std::move(opened).value();
    call = std::make_unique<Caller>(*store);
  }
  std::string sql(const std::string& statement) { return server().sql(url, statement); }
  void wait_until_healthy() {
    call->reactor().run_until([&] { return store->healthy(); });
  }
  // Sessions of ours that wait for a lock.
  bool somebody_waits() {
    return server().sql(
               "select count(*) from pg_stat_activity where application_name like 'uproar%' and "
               "wait_event_type = 'Lock'") != "0";
  }
  // All of its sessions stand: locks that come now stop its work alone, not the preparing of it.
  std::unique_ptr<StoreClient> ready_client(PollReactor& reactor) {
    auto client = store->open_client(reactor);
    int answered = 0;
    client->probe([&](bool committed) { answered += committed ? 1 : 0; });
    client->history().load_conversation(
        kRoom,
        [&](const Result<ConversationState, StoreError>& end) { answered += end.ok() ? 1 : 0; });
    reactor.run_until([&] {
      const auto lanes = store->counters();
      return answered == 2 && lanes.back()->up.value() == 1;
    });
    return client;
  }
  // Until the database has it; the answers of the last attempt.
  std::vector<Outcome> commit_at_last(const std::vector<Operation>& batch) {
    while (true) {
      wait_until_healthy();
      std::vector<Outcome> outcomes = call->commit(batch);
      if (outcomes[0].status != kUnavailable) return outcomes;
    }
  }
  Page all_rows() {
    while (true) {  // the session that reads may still be on its way back
      const auto page = call->page({.conversation = kRoom, .limit = 500});
      if (page.ok()) return page.value();
      call->reactor().turn(0);
    }
  }

  const std::string url;
  std::unique_ptr<PostgresStore> store;
  std::unique_ptr<Caller> call;

 private:
  inline static PostgresServer* server_ = nullptr;
};

TEST_F(PostgresFaults, AServerThatIsKilledUnderABatchHasItWholeOnceOrNotAtAll) {
  std::uint64_t n = 0;
  Seq stored = 0;
  std::map<OutcomeStatus, int> firsts;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    wait_until_healthy();
    const std::vector<Operation> batch = {text(n + 1), text(n + 2), text(n + 3)};
    n += 3;
    std::optional<std::vector<Outcome>> first;
    {
      PollReactor reactor;
      const auto client = ready_client(reactor);
      client->first_lane().commit(batch, [&](std::vector<Outcome> outcomes) { first = outcomes; });
      for (int i = 0; i < round % 6 && !first; ++i) reactor.turn(-1);  // deeper each time
      server().kill();
      reactor.run_until([&] { return first.has_value(); });
      server().start();
    }
    ++firsts[first->at(0).status];
    const std::vector<Outcome> last = commit_at_last(batch);
    ASSERT_EQ(last.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_THAT(last[i].status, testing::AnyOf(kCommitted, kDuplicate));
      EXPECT_EQ(last[i].status, last[0].status) << "a batch is there whole or not at all";
      EXPECT_EQ(last[i].seq, ++stored);
      if (first->at(i).status == kCommitted) {
        EXPECT_EQ(last[i].status, kDuplicate) << "acknowledged means durable";
      }
    }
  }
  EXPECT_EQ(all_rows().messages.size(), n);
  EXPECT_GT(firsts[kCommitted], 0);
  EXPECT_GT(firsts[kUnavailable], 0);
}

TEST_F(PostgresFaults, ACommitWhoseAnswerIsLostIsFoundByItsRetry) {
  open({.url = url, .node = "one", .statement_timeout_ms = 200, .answer_timeout_ms = 300});
  ASSERT_EQ(call->commit_one(text(1)).seq, 1U);
  // With a replica that never comes the server commits, and then waits instead of saying so.
  server().sql("alter system set synchronous_standby_names = 'nobody'");
  server().sql("select pg_reload_conf()");
  // All sessions wait from when its checkpointer has read that, which nothing tells: what was committed before is said.
  std::uint64_t n = 2;
  std::vector<Operation> batch;
  ASSERT_TRUE(services::wait_until([&] {
    batch = {text(n), text(n + 1)};
    if (statuses(call->commit(batch))[0] == kUnavailable) return true;
    n += 2;
    return false;
  }));
  EXPECT_FALSE(store->healthy());
  server().sql("alter system reset synchronous_standby_names");
  server().sql("select pg_reload_conf()");
  const std::vector<Outcome> again = commit_at_last(batch);
  EXPECT_THAT(statuses(again), Each(kDuplicate));
  EXPECT_EQ(again[0].seq, n);
  EXPECT_EQ(again[1].seq, n + 1);
  EXPECT_EQ(all_rows().messages.size(), n + 1);
}

TEST_F(PostgresFaults, ASessionThatIsTerminatedInABatchIsReplaced) {
  PollReactor reactor;
  auto client = ready_client(reactor);
  Intruder intruder(url);
  intruder.run("begin");
  intruder.run("lock table conversations in exclusive mode");
  std::optional<std::vector<Outcome>> outcomes;
  client->first_lane().commit({text(1), text(2)},
                              [&](std::vector<Outcome> answer) { outcomes = std::move(answer); });
  while (!somebody_waits()) reactor.turn(0);
  server().sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name like "
      "'uproar%'");
  reactor.run_until([&] { return outcomes.has_value(); });
  EXPECT_THAT(statuses(*outcomes), Each(kUnavailable));
  EXPECT_FALSE(store->healthy());
  // The session that worked heard why; to idle ones it is an end of the stream, and who speaks last is heard.
  EXPECT_THAT(store->last_error(), testing::AnyOf(HasSubstr("terminating connection"),
                                                  HasSubstr("server closed the connection")));
  intruder.run("rollback");
  reactor.run_until([&] {  // the lanes of this client; those of `call` are the first ones
    const auto lanes = store->counters();
    return std::all_of(lanes.begin() + postgres::kLanes, lanes.end(),
                       [](const auto& lane) { return lane->up.value() == 1; });
  });
  client.reset();  // its session for reads may still be away, and nobody turns its reactor any more
  EXPECT_THAT(statuses(commit_at_last({text(1), text(2)})), Each(kCommitted));
  EXPECT_EQ(store->last_error(), "");
  EXPECT_EQ(all_rows().messages.size(), 2U);
}

TEST_F(PostgresFaults, AServerThatStallsIsGivenUpAndTakenBack) {
  open({.url = url,
        .node = "one",
        .statement_timeout_ms = 200,
        .answer_timeout_ms = 300,
        .connect_timeout_s = 2});
  ASSERT_EQ(call->commit_one(text(1)).seq, 1U);
  ASSERT_TRUE(call->load(kRoom).ok());
  server().freeze();
  const std::vector<Operation> batch = {text(2), text(3)};
  EXPECT_THAT(statuses(call->commit(batch)), Each(kUnavailable));
  EXPECT_EQ(call->load(kRoom).error(), StoreError::kUnavailable);
  EXPECT_EQ(call->create_user({.id = user(7), .name = "seven"}).error(), StoreError::kUnavailable);
  EXPECT_FALSE(store->healthy());
  server().thaw();
  const std::vector<Outcome> again = commit_at_last(batch);
  EXPECT_EQ(again[0].seq, 2U);
  EXPECT_EQ(again[1].seq, 3U);
  EXPECT_EQ(all_rows().messages.size(), 3U);
}

TEST_F(PostgresFaults, AStatementThatTakesTooLongFailsItsBatchAlone) {
  open({.url = url, .node = "one", .statement_timeout_ms = 200, .probe_interval_ms = 1});
  ASSERT_EQ(call->commit_one(text(1)).seq, 1U);
  Intruder intruder(url);
  intruder.run("begin");
  intruder.run("lock table conversations in exclusive mode");
  EXPECT_EQ(call->commit_one(text(2)).status, kUnavailable);
  EXPECT_THAT(store->last_error(),
              AllOf(HasSubstr("timeout"), HasSubstr("SQLSTATE 5"), HasSubstr("pg_stat_activity")));
  intruder.run("rollback");
  wait_until_healthy();  // it probes by itself
  EXPECT_GT(store->counters()[0]->probes.value(), 0U);
  EXPECT_EQ(store->counters()[0]->connects.value(), 1U) << "the session was good all the time";
  EXPECT_EQ(call->commit_one(text(2)).seq, 2U);
}

TEST_F(PostgresFaults, WhoeverTheServerRefusesSaysSoInItsWordsWithWhatMendsIt) {
  const std::string name = sql("select current_database()");
  ASSERT_EQ(call->commit_one(text(1)).status, kCommitted);
  server().sql("alter database " + name + " allow_connections false");
  server().sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = '" + name +
               "'");
  call->reactor().run_until(
      [&] { return store->last_error().find("not currently accepting") != std::string::npos; });
  EXPECT_FALSE(store->healthy());
  EXPECT_THAT(store->last_error(), AllOf(HasSubstr("database \"" + name + "\""),
                                         HasSubstr("Try: alter database NAME allow_connections")));
  EXPECT_EQ(store->last_error().find('\n'), std::string::npos) << "one line of a log";
  server().sql("alter database " + name + " allow_connections true");
  wait_until_healthy();
  EXPECT_EQ(call->commit_one(text(2)).seq, 2U);
}

// What a full disk says to a new block; that a row can be written in the place of an old one proves nothing.
TEST_F(PostgresFaults, AProbeThatFindsNoRoomFailsThoughItsRowWouldFit) {
  PollReactor reactor;
  const auto client = ready_client(reactor);
  const auto probe = [&] {
    std::optional<bool> end;
    client->probe([&](bool committed) { end = committed; });
    reactor.run_until([&] { return end.has_value(); });
    return *end;
  };
  EXPECT_TRUE(probe());
  server().sql("alter system set temp_file_limit = '64kB'");
  server().sql("select pg_reload_conf()");
  while (server().sql("show temp_file_limit") != "64kB") {
  }
  EXPECT_FALSE(probe());
  EXPECT_FALSE(store->healthy());
  EXPECT_THAT(store->last_error(),
              AllOf(HasSubstr("temp_file_limit"), HasSubstr("SQLSTATE 53400")));
  const auto up = [&] { return store->counters()[postgres::kLanes]->up.value(); };
  EXPECT_EQ(up(), 0);
  EXPECT_FALSE(probe()) << "asking does not end it";
  server().sql("alter system reset temp_file_limit");
  server().sql("select pg_reload_conf()");
  reactor.run_until([&] { return store->healthy(); });  // it tries by itself
  EXPECT_EQ(up(), 1);
  EXPECT_TRUE(probe());
}

// As a script may do around a failover.
TEST_F(PostgresFaults, SessionsThatBeganReadOnlyAreReplacedWhenTheDatabaseTakesWritesAgain) {
  const std::string name = sql("select current_database()");
  const std::string end_sessions =
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = '" + name + "'";
  ASSERT_EQ(call->commit_one(text(1)).status, kCommitted);
  server().sql("alter database " + name + " set default_transaction_read_only = on");
  server().sql(end_sessions);
  call->reactor().run_until(
      [&] { return store->last_error().find("takes no writes") != std::string::npos; });
  EXPECT_EQ(call->commit_one(text(2)).status, kUnavailable);
  EXPECT_FALSE(store->healthy());
  EXPECT_THAT(store->last_error(),
              AllOf(HasSubstr("SQLSTATE 25006"), HasSubstr("point the URL at the primary")));
  server().sql("alter database " + name + " reset default_transaction_read_only");
  wait_until_healthy();  // no hand ends a session
  EXPECT_EQ(call->commit_one(text(2)).seq, 2U);
}

TEST_F(PostgresFaults, ASessionThatTurnsOutToBeReadOnlyIsReplaced) {
  ASSERT_EQ(call->commit_one(text(1)).status, kCommitted);
  const auto connects = [&] {
    std::uint64_t sum = 0;
    for (const auto& lane : store->counters()) sum += lane->connects.value();
    return sum;
  };
  const std::uint64_t before = connects();
  // By the configuration: sessions that stand take it over, too, and hear of it from the statement that fails.
  server().sql("alter system set default_transaction_read_only = on");
  server().sql("select pg_reload_conf()");
  while (sql("show default_transaction_read_only") != "on") {
  }
  EXPECT_EQ(call->commit_one(text(2)).status, kUnavailable);
  EXPECT_FALSE(store->healthy());
  server().sql("alter system reset default_transaction_read_only");
  server().sql("select pg_reload_conf()");
  wait_until_healthy();
  EXPECT_EQ(call->commit_one(text(2)).seq, 2U);
  EXPECT_GT(connects(), before) << "the session that was refused is not kept";
}

TEST_F(PostgresFaults, ALaneDoesNotWaitForTheOther) {
  const ConversationId other = make_id<ConversationId>(77);
  ASSERT_EQ(call->commit_one(room_for(other, user(1))).status, kCommitted);
  PollReactor reactor;
  const auto client = ready_client(reactor);
  const std::vector<BatchStore*> lanes = client->lanes();
  ASSERT_EQ(lanes.size(), postgres::kLanes);
  Intruder intruder(url);
  intruder.run("begin");
  intruder.run(("update conversations set name = name where id = '" + kRoom.text() + "'").c_str());
  std::optional<Outcome> first, second;
  lanes[0]->commit({text(1)}, [&](const std::vector<Outcome>& outcomes) { first = outcomes[0]; });
  while (!somebody_waits()) reactor.turn(0);
  Operation elsewhere = text(2);
  elsewhere.conversation = other;
  lanes[1]->commit({elsewhere},
                   [&](const std::vector<Outcome>& outcomes) { second = outcomes[0]; });
  reactor.run_until([&] { return second.has_value(); });
  EXPECT_EQ(second->status, kCommitted);
  EXPECT_FALSE(first.has_value());
  intruder.run("rollback");
  reactor.run_until([&] { return first.has_value(); });
  EXPECT_EQ(first->status, kCommitted);
}

TEST_F(PostgresFaults, HistoryDoesNotWaitBehindABatch) {
  ASSERT_EQ(call->commit_one(text(1)).seq, 1U);
  PollReactor reactor;
  const auto client = ready_client(reactor);
  Intruder intruder(url);
  intruder.run("begin");
  intruder.run("lock table conversations in exclusive mode");
  bool committed = false;
  client->first_lane().commit({text(2)}, [&](const std::vector<Outcome>& outcomes) {
    committed = outcomes[0].status == kCommitted;
  });
  while (!somebody_waits()) reactor.turn(0);
  std::optional<Page> page;
  client->history().read_page({.conversation = kRoom}, [&](Result<Page, StoreError> read) {
    page = std::move(read).value();
  });
  reactor.run_until([&] { return page.has_value(); });
  EXPECT_EQ(page->messages.size(), 1U);
  EXPECT_FALSE(committed);
  intruder.run("rollback");
  reactor.run_until([&] { return committed; });
}

TEST_F(PostgresFaults, NodesThatCollideNeitherDeadlockNorLoseNorRepeat) {
  constexpr int kNodes = 3, kRounds = 60, kConversations = 6;
  std::atomic<int> failed{0};
  std::array<std::vector<Outcome>, kConversations> outcomes;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int node = 0; node < kNodes; ++node) {
    threads.emplace_back([&, node] {
      auto opened = PostgresStore::open({.url = url, .node = "n" + std::to_string(node)});
      UPROAR_CHECK(opened.ok(), opened.error().text());
      Caller caller(*opened.value());
      std::mt19937 random(static_cast<std::uint32_t>(node));
      // Ids that nobody has made yet: whoever comes first makes them, in an order of its own.
      std::vector<Operation> batch;
      for (int c = 0; c < kConversations; ++c)
        batch.push_back(room_for(conversation(100 + static_cast<std::uint64_t>(c)), user(1)));
      std::shuffle(batch.begin(), batch.end(), random);
      for (const Outcome& outcome : caller.commit(batch))
        failed += outcome.status != kCommitted && outcome.status != kDuplicate;
      for (int round = 0; round < kRounds; ++round) {
        batch.clear();
        std::vector<int> places;
        for (int i = 0; i < 8; ++i) {
          places.push_back(static_cast<int>(random() % kConversations));
          const auto n = static_cast<std::uint64_t>(1 + (node * kRounds + round) * 8 + i);
          batch.push_back(text(n, conversation(100 + static_cast<std::uint64_t>(places.back()))));
        }
        const std::vector<Outcome> answers = caller.commit(batch);
        const std::lock_guard lock(mutex);
        for (std::size_t i = 0; i < answers.size(); ++i)
          outcomes[static_cast<std::size_t>(places[i])].push_back(answers[i]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  std::size_t count = 0;
  for (const std::vector<Outcome>& of_one : outcomes) {
    std::set<Seq> seqs;
    for (const Outcome& outcome : of_one) {
      EXPECT_EQ(outcome.status, kCommitted);
      EXPECT_EQ(outcome.no, outcome.seq);
      seqs.insert(outcome.seq);
    }
    EXPECT_EQ(seqs.size(), of_one.size());
    EXPECT_EQ(*seqs.rbegin(), of_one.size()) << "1, 2, 3 … without holes";
    count += of_one.size();
  }
  EXPECT_EQ(count, static_cast<std::size_t>(kNodes * kRounds * 8));
  EXPECT_EQ(sql("select deadlocks from pg_stat_database where datname = current_database()"), "0");
}

TEST_F(PostgresFaults, ARowThatBreaksTheSchemaFailsAlone) {
  // Only bugs of ours could stage them: a kind that does not exist, and text with a zero byte.
  Operation kind = room_for(conversation(2), user(1));
  std::get<CreateConversation>(kind.body).kind = static_cast<chat::ConversationKind>(9);
  Operation zero = text(50);
  std::get<AppendMessage>(zero.body).content = std::string("a\0b", 3);
  const std::vector<Outcome> outcomes = call->commit({text(1), kind, text(2), zero, text(3)});
  EXPECT_THAT(statuses(outcomes),
              ElementsAre(kCommitted, kConflict, kCommitted, kConflict, kCommitted));
  EXPECT_EQ(outcomes[4].seq, 3U);
  EXPECT_TRUE(store->healthy());
  EXPECT_EQ(store->counters()[0]->left_out.value(), 2U);
}

TEST_F(PostgresFaults, ARetryStartsItsBatchAgainAndTheNextOnesLookFirst) {
  ASSERT_EQ(call->commit_one(text(1)).status, kCommitted);
  const auto restarted = [&] { return store->counters()[0]->restarted.value(); };
  ASSERT_EQ(restarted(), 0U) << "what is new is not looked up";
  EXPECT_THAT(statuses(call->commit({text(2), text(1), text(3)})),
              ElementsAre(kCommitted, kDuplicate, kCommitted));
  EXPECT_EQ(restarted(), 1U);
  EXPECT_THAT(statuses(call->commit({text(4), text(2)})), ElementsAre(kCommitted, kDuplicate));
  EXPECT_EQ(restarted(), 1U);
}

TEST_F(PostgresFaults, AReplyToNothingFailsAloneAndStartsNoBatchAgain) {
  const auto reply = [](std::uint64_t n, Seq to) {
    Operation operation = text(n);
    std::get<AppendMessage>(operation.body).reply_to = to;
    return operation;
  };
  EXPECT_THAT(statuses(call->commit({text(1), reply(2, 99), text(3)})),
              ElementsAre(kCommitted, OutcomeStatus::kNotFound, kCommitted));
  ASSERT_EQ(call->commit_one(reply(4, 1)).status, kCommitted);
  EXPECT_THAT(statuses(call->commit({text(5), reply(4, 1)})), ElementsAre(kCommitted, kDuplicate));
  EXPECT_EQ(store->counters()[0]->restarted.value(), 0U);
}

TEST_F(PostgresFaults, ARetryOfNothingFailsAloneAndStartsNoBatchAgain) {
  const auto retry = [](std::uint64_t n) {
    Operation operation = text(n);
    std::get<AppendMessage>(operation.body).retry_only = true;
    return operation;
  };
  EXPECT_THAT(statuses(call->commit({text(1), retry(2), text(3)})),
              ElementsAre(kCommitted, OutcomeStatus::kForbidden, kCommitted));
  EXPECT_THAT(statuses(call->commit({text(4), retry(1)})), ElementsAre(kCommitted, kDuplicate));
  EXPECT_EQ(store->counters()[0]->restarted.value(), 0U);
}

TEST_F(PostgresFaults, AccountWorkThatFailsFailsAlone) {
  PollReactor reactor;
  const auto client = store->open_client(reactor);
  std::vector<std::optional<StoreError>> ends(4);
  int answered = 0;
  const std::string names[] = {"a", "b", std::string("c\0", 2), "d"};
  for (std::size_t i = 0; i < 4; ++i) {
    client->directory().create_user({.id = user(20 + i), .name = names[i]},
                                    [&, i](Result<UserId, StoreError> made) {
                                      if (!made.ok()) ends[i] = made.error();
                                      ++answered;
                                    });
  }
  reactor.run_until([&] { return answered == 4; });
  EXPECT_EQ(ends[2], StoreError::kUnavailable);
  EXPECT_EQ(sql("select string_agg(name, ',' order by name) from users"), "a,b,d,one");
  EXPECT_TRUE(store->healthy());
}

TEST_F(PostgresFaults, UsersWhoComeTogetherAreFoundTogether) {
  for (std::uint64_t n = 10; n < 20; ++n)
    ASSERT_TRUE(call->create_user({.id = user(n), .name = "known-" + std::to_string(n)}).ok());
  PollReactor reactor;
  const auto client = ready_client(reactor);
  std::map<std::uint64_t, std::vector<std::string>> names;
  int answered = 0;
  const auto ensure = [&](std::uint64_t n) {
    client->directory().ensure_user(user(n), "new-" + std::to_string(n), 100,
                                    [&, n](const Result<User, StoreError>& end) {
                                      ASSERT_TRUE(end.ok());
                                      EXPECT_EQ(end->id, user(n));
                                      names[n].push_back(end->name);
                                      ++answered;
                                    });
  };
  for (std::uint64_t n = 10; n < 30; ++n) ensure(n);
  ensure(12);  // two devices of one user
  reactor.run_until([&] { return answered == 21; });
  EXPECT_THAT(names[12], testing::ElementsAre("known-12", "known-12"));
  EXPECT_THAT(names[19], testing::ElementsAre("known-19"));
  EXPECT_THAT(names[20], testing::ElementsAre("new-20"));
  EXPECT_EQ(names.size(), 20U);
  EXPECT_EQ(sql("select count(*) from users where name like 'new-%'"), "10");
}

TEST_F(PostgresFaults, ATokenThatIsUsedTwiceAtOnceIsGoodOnce) {
  ASSERT_TRUE(call->create_session({.id = make_id<SessionId>(1),
                                    .user = user(1),
                                    .refresh_digest = "d0",
                                    .device = "phone",
                                    .created_at_us = 100,
                                    .expires_at_us = 1000})
                  .ok());
  PollReactor reactor;
  const std::unique_ptr<StoreClient> clients[] = {ready_client(reactor), ready_client(reactor)};
  Intruder intruder(url);
  intruder.run("begin");
  intruder.run("lock table sessions in exclusive mode");
  std::map<Rotation::Outcome, int> ends;
  int answered = 0;
  for (const auto& client : clients) {
    client->directory().rotate_session("d0", "d1", 200, 5000,
                                       [&](const Result<Rotation, StoreError>& end) {
                                         ASSERT_TRUE(end.ok());
                                         ++ends[end->outcome];
                                         ++answered;
                                       });
  }
  while (server().sql("select count(*) from pg_stat_activity where application_name like "
                      "'uproar%' and wait_event_type = 'Lock'") != "2") {
    reactor.turn(0);
  }
  intruder.run("rollback");
  reactor.run_until([&] { return answered == 2; });
  EXPECT_EQ(ends[Rotation::Outcome::kSwapped], 1);
  EXPECT_EQ(ends[Rotation::Outcome::kJustSpent], 1);
}

TEST_F(PostgresFaults, MarksOfOneUserAreWrittenOnce) {
  ASSERT_TRUE(call->ensure_user(user(2), "two", 1).ok());
  const Operation joins{.ticket = 99,
                        .conversation = kRoom,
                        .actor = user(1),
                        .at_us = 20,
                        .body = AddMember{.user = user(2)}};
  std::vector<Operation> batch = {joins};
  for (std::uint64_t n = 1; n <= 50; ++n) batch.push_back(text(n));
  ASSERT_THAT(statuses(call->commit(batch)), Each(kCommitted));
  // Counts every version of a row that is written.
  sql("create table written(what text)");
  sql("create function note() returns trigger language plpgsql as $$ begin insert into written "
      "values (tg_table_name); return new; end $$");
  sql("create trigger note after insert or update on users_conversations for each row execute "
      "function note()");
  sql("create trigger note after insert or update on receipts for each row execute function "
      "note()");
  batch.clear();
  for (Seq seq = 2; seq <= 51; ++seq) {
    batch.push_back({.ticket = seq,
                     .conversation = kRoom,
                     .actor = user(2),
                     .at_us = 100 + static_cast<std::int64_t>(seq),
                     .body = AdvanceMark{.kind = chat::MarkKind::kDelivered, .seq = seq}});
  }
  batch.push_back(batch.back());
  std::get<AdvanceMark>(batch.back().body).kind = chat::MarkKind::kSeen;
  ASSERT_THAT(statuses(call->commit(batch)), Each(kCommitted));
  EXPECT_EQ(sql("select count(*) from written where what = 'users_conversations'"), "1");
  EXPECT_EQ(call->view(kRoom, user(2)).value().unread, 0U);
}

TEST_F(PostgresFaults, ReadsThatWaitAreBounded) {
  open({.url = url, .node = "one", .statement_timeout_ms = 200, .answer_timeout_ms = 300});
  ASSERT_TRUE(call->load(kRoom).ok());
  server().freeze();
  std::map<StoreError, std::size_t> ends;
  std::size_t answered = 0;
  for (std::size_t i = 0; i < postgres::kUnitsWaitingMax + 7; ++i) {
    call->history().load_conversation(kRoom, [&](const Result<ConversationState, StoreError>& end) {
      ++ends[end.error()];
      ++answered;
    });
  }
  call->reactor().run_until([&] { return answered == postgres::kUnitsWaitingMax + 7; });
  server().thaw();
  EXPECT_EQ(ends[StoreError::kOverloaded], 7U);
  EXPECT_EQ(ends[StoreError::kUnavailable], postgres::kUnitsWaitingMax);
}

TEST_F(PostgresFaults, AClientMayGoWhileItsWorkIsUnderWay) {
  for (std::uint64_t n = 1; n <= 20; ++n) {
    PollReactor reactor;
    const auto client = store->open_client(reactor);
    client->first_lane().commit({text(n)},
                                [](const std::vector<Outcome>&) { FAIL() << "nobody is there"; });
    client->history().read_page({.conversation = kRoom},
                                [](const Result<Page, StoreError>&) { FAIL(); });
    if (n % 2 == 0) reactor.turn(0);
  }
  EXPECT_TRUE(store->healthy());
  EXPECT_EQ(call->commit_one(text(100)).status, kCommitted);
}

}  // namespace
}  // namespace uproar::storage
