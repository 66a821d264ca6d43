// What only the SQLite backend can get wrong: disks that fail, files that are not ours, processes that die.

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <sqlite3.h>

#include "storage/sqlite/limits.h"
#include "storage/sqlite/sqlite_store.h"
#include "tests/storage/contract.h"
#include "tests/storage/failing_vfs.h"
#include "tests/storage/manual_reactor.h"

namespace uproar::storage {
namespace {

using testing::Each;
using testing::HasSubstr;
using enum OutcomeStatus;
using Fault = FailingVfs::Fault;

constexpr ConversationId kRoom = conversation(1);

Operation room_for(UserId owner) {
  return {.ticket = 1,
          .conversation = kRoom,
          .actor = owner,
          .at_us = 1,
          .body = CreateConversation{.kind = chat::ConversationKind::kGroup,
                                     .members = {{.user = owner}}}};
}
Operation text(std::uint64_t n, std::size_t bytes = 10) {
  return {.ticket = n,
          .conversation = kRoom,
          .actor = user(1),
          .at_us = 10,
          .body = AppendMessage{.id = make_id<MessageId>(n),
                                .client_id = "c" + std::to_string(n),
                                .content = std::string(bytes, 'x')}};
}

class SqliteFaults : public testing::Test {
 protected:
  SqliteFaults() : vfs(FailingVfs::install()) { open({.folder = data()}); }
  ~SqliteFaults() override { FailingVfs::fault = Fault::kNone; }

  std::string data() const { return folder.path() + "/data"; }
  void open(SqliteStore::Options options) {
    call.reset();
    store.reset();
    options.vfs = vfs;
    auto opened = SqliteStore::open(options);
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    store = std::move(opened).value();
    call = std::make_unique<Caller>(*store);
    if (call->create_user({.id = user(1), .name = "one"}).ok()) call->commit_one(room_for(user(1)));
  }
  std::vector<OutcomeStatus> statuses(const std::vector<Outcome>& outcomes) {
    std::vector<OutcomeStatus> out;
    for (const Outcome& outcome : outcomes) out.push_back(outcome.status);
    return out;
  }
  Seq last_seq() { return call->load(kRoom).value().last_seq; }

  TemporaryFolder folder;
  const char* vfs;
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<Caller> call;
};

TEST_F(SqliteFaults, ADiskThatFailsStoresNothingAndSaysSoThenWorksAgainByItself) {
  std::uint64_t n = 100;
  Seq expected = 0;
  for (const Fault fault : {Fault::kFull, Fault::kWrite, Fault::kSync}) {
    SCOPED_TRACE(static_cast<int>(fault));
    ASSERT_EQ(call->commit_one(text(++n)).seq, ++expected);
    FailingVfs::fault = fault;
    const std::vector<Operation> batch = {text(++n), text(++n), text(++n)};
    EXPECT_THAT(statuses(call->commit(batch)), Each(kUnavailable));
    EXPECT_FALSE(store->healthy());
    EXPECT_THAT(store->last_error(), HasSubstr(data() + "/uproar.db"));
    EXPECT_EQ(last_seq(), expected) << "reads go on, and show nothing of it";
    EXPECT_EQ(call->create_user({.id = user(7), .name = "seven"}).error(),
              StoreError::kUnavailable);
    FailingVfs::fault = Fault::kNone;
    EXPECT_THAT(statuses(call->commit(batch)), Each(kCommitted));
    expected += 3;
    EXPECT_TRUE(store->healthy());
    EXPECT_EQ(store->last_error(), "");
    EXPECT_THAT(statuses(call->commit(batch)), Each(kDuplicate));
  }
  EXPECT_GE(store->writer_counters().reopened.value(), 2U)
      << "after errors whose outcome is unknown";
  open({.folder = data()});
  EXPECT_EQ(last_seq(), expected);
}

TEST_F(SqliteFaults, TheWriterProbesByItselfUntilItIsHealthy) {
  open({.folder = data(), .probe_interval_ms = 1});
  FailingVfs::fault = Fault::kSync;
  EXPECT_EQ(call->commit_one(text(1)).status, kUnavailable);
  EXPECT_FALSE(store->healthy());
  FailingVfs::fault = Fault::kNone;
  while (!store->healthy()) std::this_thread::yield();  // nobody sends anything
  EXPECT_GT(store->writer_counters().probes.value(), 0U);
}

TEST_F(SqliteFaults, ACommitThatWritesNothingDoesNotSayThatTheDiskIsWell) {
  open({.folder = data(), .probe_interval_ms = 3'600'000});  // only what is sent here
  ASSERT_EQ(call->commit_one(text(1)).status, kCommitted);
  FailingVfs::fault = Fault::kFull;
  EXPECT_EQ(call->commit_one(text(2)).status, kUnavailable);
  EXPECT_EQ(call->commit_one(text(1)).status, kDuplicate) << "there is nothing to write";
  EXPECT_FALSE(store->healthy());
  EXPECT_EQ(store->writer_counters().up.value(), 0);
  EXPECT_NE(store->last_error(), "");
}

TEST_F(SqliteFaults, AProbeSaysWhetherTheDiskTakesWhatIsWritten) {
  open({.folder = data(), .probe_interval_ms = 3'600'000});
  ManualReactor reactor;
  const auto client = store->open_client(reactor);
  const auto probe = [&] {
    std::optional<bool> committed;
    client->probe([&](bool done) { committed = done; });
    reactor.run_until([&] { return committed.has_value(); });
    return *committed;
  };
  EXPECT_TRUE(probe());
  EXPECT_TRUE(probe()) << "and again";
  for (const Fault fault : {Fault::kFull, Fault::kWrite, Fault::kSync}) {
    SCOPED_TRACE(static_cast<int>(fault));
    FailingVfs::fault = fault;
    EXPECT_FALSE(probe());
    EXPECT_EQ(store->writer_counters().up.value(), 0);
    FailingVfs::fault = Fault::kNone;
    EXPECT_TRUE(probe());
    EXPECT_EQ(store->writer_counters().up.value(), 1);
  }
}

TEST_F(SqliteFaults, AFileThatCannotBeOpenedAgainIsTriedAgain) {
  FailingVfs::fault = Fault::kWrite;
  EXPECT_EQ(call->commit_one(text(1)).status, kUnavailable);
  FailingVfs::fault = Fault::kReadOnlyOpen;
  EXPECT_EQ(call->commit_one(text(1)).status, kUnavailable);
  FailingVfs::fault = Fault::kNone;
  EXPECT_EQ(call->commit_one(text(1)).status, kCommitted);
}

TEST_F(SqliteFaults, AFullDatabaseRefusesAndKeepsWhatItHas) {
  open({.folder = data(), .pages_max = 60});
  std::uint64_t n = 0;
  Outcome last;
  do {
    last = call->commit_one(text(++n, 8000));
    ASSERT_LT(n, 100U);
  } while (last.status == kCommitted);
  EXPECT_EQ(last.status, kUnavailable);
  EXPECT_THAT(store->last_error(), HasSubstr("free disk space"));
  EXPECT_EQ(last_seq(), n - 1);
  open({.folder = data()});  // with room again
  EXPECT_EQ(call->commit_one(text(n, 8000)).seq, n);
}

TEST_F(SqliteFaults, AFileSizeLimitOfTheSystemIsAnOutageNotAnEnd) {
  std::signal(SIGXFSZ, SIG_IGN);  // as the server does: the write fails instead
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = std::filesystem::file_size(data() + "/uproar.db-wal") + 3000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const OutcomeStatus refused = call->commit_one(text(1, 9000)).status;
  const bool healthy = store->healthy();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(refused, kUnavailable);
  EXPECT_FALSE(healthy);
  EXPECT_EQ(call->commit_one(text(1, 9000)).seq, 1U);
}

TEST_F(SqliteFaults, AnotherWriterIsWaitedForThenAnOutage) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((data() + "/uproar.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(call->commit_one(text(1)).status, kUnavailable);
  EXPECT_THAT(store->last_error(), HasSubstr("another program holds the database"));
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_EQ(call->commit_one(text(1)).status, kCommitted);
}

TEST_F(SqliteFaults, ARowThatBreaksTheSchemaFailsAlone) {
  // Only a bug of ours could stage it: a kind that does not exist.
  Operation broken = room_for(user(1));
  broken.conversation = conversation(2);
  std::get<CreateConversation>(broken.body).kind = static_cast<chat::ConversationKind>(9);
  const std::vector<Outcome> outcomes = call->commit({text(1), broken, text(2), broken, text(3)});
  EXPECT_THAT(statuses(outcomes),
              testing::ElementsAre(kCommitted, kConflict, kCommitted, kConflict, kCommitted));
  EXPECT_EQ(outcomes[4].seq, 3U);
  EXPECT_TRUE(store->healthy());
  EXPECT_EQ(store->writer_counters().constraint_faults.value(), 2U);
}

TEST_F(SqliteFaults, OneSyncServesEverybodyWhoWaited) {
  // Shards of their own; their batches queue up while the writer is busy with the first.
  std::vector<std::unique_ptr<Caller>> shards;
  constexpr int kShards = 8, kRounds = 40;
  for (int i = 0; i < kShards; ++i) shards.push_back(std::make_unique<Caller>(*store));
  const int syncs_before = FailingVfs::syncs;
  std::atomic<int> committed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kShards; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        const auto n = static_cast<std::uint64_t>(1000 + i * kRounds + round);
        if (shards[static_cast<std::size_t>(i)]->commit_one(text(n)).status == kCommitted)
          ++committed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(committed, kShards * kRounds);
  EXPECT_EQ(last_seq(), static_cast<Seq>(kShards * kRounds));
  EXPECT_LT(FailingVfs::syncs - syncs_before, kShards * kRounds);
  EXPECT_GE(FailingVfs::syncs - syncs_before, kRounds) << "and none was answered without one";
}

TEST_F(SqliteFaults, CountersTellWhatWaitsAndWhetherCommitsWork) {
  const sqlite::WriterCounters& writer = store->writer_counters();
  const std::uint64_t commits_before = writer.transactions.value();
  EXPECT_EQ(writer.up.value(), 1);
  EXPECT_EQ(writer.waiting_jobs.value(), 0);
  FailingVfs::fault = Fault::kSyncHangs;
  ManualReactor reactor;
  const auto client = store->open_client(reactor);
  int answered = 0;
  const auto commit = [&](std::uint64_t n) {
    client->first_lane().commit({text(n)}, [&](const std::vector<Outcome>&) { ++answered; });
  };
  commit(1);
  while (writer.waiting_jobs.value() != 0) std::this_thread::yield();  // the writer has it
  commit(2);
  commit(3);
  EXPECT_EQ(writer.waiting_jobs.value(), 2);
  EXPECT_GT(writer.waiting_bytes.value(), 0);
  FailingVfs::fault = Fault::kNone;
  reactor.run_until([&] { return answered == 3; });
  EXPECT_EQ(writer.waiting_jobs.value(), 0);
  EXPECT_EQ(writer.waiting_bytes.value(), 0);
  EXPECT_EQ(writer.transactions.value(), commits_before + 2) << "the two that waited shared one";
  FailingVfs::fault = Fault::kSync;
  EXPECT_EQ(call->commit_one(text(4)).status, kUnavailable);
  EXPECT_EQ(writer.up.value(), 0);
  FailingVfs::fault = Fault::kNone;
  EXPECT_EQ(call->commit_one(text(4)).status, kCommitted);
  EXPECT_EQ(writer.up.value(), 1);
}

TEST_F(SqliteFaults, AClientMayGoWhileItsWorkIsUnderWay) {
  const std::uint64_t rows_before = store->writer_counters().rows.value();
  for (std::uint64_t n = 1; n <= 50; ++n) {
    ManualReactor reactor;
    const auto client = store->open_client(reactor);
    client->first_lane().commit({text(n)},
                                [](const std::vector<Outcome>&) { FAIL() << "nobody is there"; });
    client->history().read_page({.conversation = kRoom},
                                [](const Result<Page, StoreError>&) { FAIL(); });
  }
  while (store->writer_counters().rows.value() < rows_before + 50) std::this_thread::yield();
  EXPECT_EQ(last_seq(), 50U) << "what was handed over is stored all the same";
}

TEST_F(SqliteFaults, AUserWhoIsKnownCostsTheWriterNothing) {
  const std::uint64_t jobs_before = store->writer_counters().jobs.value();
  EXPECT_EQ(call->ensure_user(user(1), "other", 9).value().name, "one");
  EXPECT_EQ(store->writer_counters().jobs.value(), jobs_before);
  EXPECT_EQ(call->ensure_user(user(2), "two", 9).value().name, "two");
  EXPECT_EQ(store->writer_counters().jobs.value(), jobs_before + 1);
}

TEST_F(SqliteFaults, FilesAreTheServersOwn) {
  struct stat status {};
  ASSERT_EQ(stat(data().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  for (const char* name : {"/uproar.db", "/uproar.db-wal", "/uproar.db-shm", "/uproar.lock"}) {
    ASSERT_EQ(stat((data() + name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
}

class SqliteOpen : public testing::Test {
 protected:
  std::string refusal(const std::string& path) {
    auto opened = SqliteStore::open({.folder = path});
    return opened.ok() ? "opened" : opened.error().text();
  }
  void run_sql(const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((folder.path() + "/uproar.db").c_str(), &database), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }
  TemporaryFolder folder;
};

TEST_F(SqliteOpen, OneFolderHasOneProcess) {
  auto first = SqliteStore::open({.folder = folder.path()});
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(refusal(folder.path()), HasSubstr("in use by process " + std::to_string(getpid())));
  first.value().reset();
  EXPECT_EQ(refusal(folder.path()), "opened");
}

TEST_F(SqliteOpen, RefusalsNameThePathAndTheRemedy) {
  EXPECT_THAT(refusal(folder.path() + "/no/such"),
              testing::AllOf(HasSubstr("/no/such"), HasSubstr("make the folder above it")));
  std::ofstream(folder.path() + "/uproar.db") << std::string(5000, 'z');
  EXPECT_THAT(refusal(folder.path()),
              testing::AllOf(HasSubstr("/uproar.db"), HasSubstr("no SQLite file")));
}

TEST_F(SqliteOpen, ADatabaseOfAnotherProgramIsLeftAlone) {
  run_sql("CREATE TABLE theirs(x)");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("belongs to another program"));
  run_sql("INSERT INTO theirs VALUES(1)");
}

TEST_F(SqliteOpen, ANewerSchemaIsLeftAlone) {
  ASSERT_EQ(refusal(folder.path()), "opened");
  run_sql("PRAGMA user_version=99");
  EXPECT_THAT(refusal(folder.path()),
              testing::AllOf(HasSubstr("version 99"), HasSubstr("newer release")));
}

TEST_F(SqliteOpen, TheViewShowsWhatTheApiShows) {
  {
    auto store = SqliteStore::open({.folder = folder.path()});
    ASSERT_TRUE(store.ok());
    Caller call(*store.value());
    ASSERT_TRUE(call.create_user({.id = user(1), .name = "one"}).ok());
    ASSERT_TRUE(call.create_user({.id = user(2), .name = "two"}).ok());
    Operation create = room_for(user(1));
    std::get<CreateConversation>(create.body).members.push_back({.user = user(2)});
    call.commit({create, text(1)});
    call.commit_one({.conversation = kRoom,
                     .actor = user(2),
                     .at_us = 55,
                     .body = AdvanceMark{.kind = chat::MarkKind::kSeen, .seq = 1}});
    EXPECT_EQ(call.page({.conversation = kRoom}).value().messages[0].seen_at_us, 55);
  }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((folder.path() + "/uproar.db").c_str(), &database), SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database, "SELECT seen_at, delivered_at FROM messages_with_status", -1,
                     &statement, nullptr);
  ASSERT_EQ(sqlite3_step(statement), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_int(statement, 0), 55);
  EXPECT_EQ(sqlite3_column_int(statement, 1), 55);
  sqlite3_finalize(statement);
  sqlite3_close(database);
}

// The child commits as fast as it can and writes the number of each commit that was reported to it into the pipe.
// It lives in a process of its own image: forking a process that has threads would be no fair copy of one.
[[noreturn]] void commit_until_killed(const std::string& folder) {
  auto opened = SqliteStore::open({.folder = folder});
  if (!opened.ok()) std::_Exit(3);
  Caller call(*opened.value());
  if (call.create_user({.id = user(1), .name = "one"}).ok()) call.commit_one(room_for(user(1)));
  for (std::uint64_t n = call.load(kRoom).value().last_seq + 1;; n += 3) {
    const std::vector<Outcome> outcomes = call.commit({text(n), text(n + 1), text(n + 2)});
    for (const Outcome& outcome : outcomes) {
      if (outcome.status != kCommitted || outcome.seq != outcome.ticket) std::_Exit(4);
    }
    const std::uint64_t told = n + 2;
    if (::write(STDOUT_FILENO, &told, sizeof(told)) != sizeof(told)) std::_Exit(5);
  }
}

TEST(SqliteCrash, EveryReportedCommitIsThereAfterKillNine) {
  TemporaryFolder folder;
  for (int round = 0; round < 6; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const std::string variable = "UPROAR_STORAGE_TEST_CHILD=" + folder.path();
    const pid_t child = vfork();
    if (child == 0) {
      dup2(pipe_ends[1], STDOUT_FILENO);
      const char* arguments[] = {"/proc/self/exe", nullptr};
      const char* environment[] = {variable.c_str(), nullptr};
      execve("/proc/self/exe", const_cast<char**>(arguments), const_cast<char**>(environment));
      _exit(9);
    }
    close(pipe_ends[1]);
    std::uint64_t told = 0;
    const int reports = 20 + round * 7;  // then it dies in the middle of what comes next
    for (int i = 0; i < reports; ++i)
      ASSERT_EQ(read(pipe_ends[0], &told, sizeof(told)), ssize_t{sizeof(told)});
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    for (std::uint64_t later = 0;
         read(pipe_ends[0], &later, sizeof(later)) == ssize_t{sizeof(later)};)
      told = later;
    close(pipe_ends[0]);

    auto opened = SqliteStore::open({.folder = folder.path()});
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    Caller call(*opened.value());
    const Seq last = call.load(kRoom).value().last_seq;
    ASSERT_GE(last, told);
    ASSERT_LE(last, told + 3) << "at most the batch whose report was not read";
    ASSERT_EQ(last % 3, 0U) << "a batch is there whole or not at all";
    PageQuery query{.conversation = kRoom, .order = PageQuery::Order::kAfter, .limit = 500};
    for (bool has_more = true; has_more;) {
      const Page page = call.page(query).value();
      for (const chat::Message& one : page.messages) {
        ASSERT_EQ(one.seq, ++query.bound);
        ASSERT_EQ(one.id, make_id<MessageId>(one.seq));
      }
      has_more = page.has_more;
    }
    ASSERT_EQ(query.bound, last);
  }
}

}  // namespace

void run_child(const char* folder) {
  commit_until_killed(folder);
}

}  // namespace uproar::storage

int main(int argc, char** argv) {
  if (const char* folder = std::getenv("UPROAR_STORAGE_TEST_CHILD"))
    uproar::storage::run_child(folder);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
