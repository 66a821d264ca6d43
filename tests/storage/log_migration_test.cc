// A database of the schema before the log was kept: what changed then has no entry, so each log
// begins above its conversation's last change, and is whole from there on. On both backends.

#include "storage/postgres/postgres_store.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/sqlite_store.h"
#include "tests/storage/contract.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Opens a store, and takes its schema back to that of before.
class Migrating {
 public:
  virtual ~Migrating() = default;
  virtual std::unique_ptr<Store> open() = 0;
  virtual void take_back() = 0;
  virtual void run(const std::string& sql) = 0;
};

class MigratingSqlite final : public Migrating {
 public:
  std::unique_ptr<Store> open() override {
    auto opened = SqliteStore::open({.folder = folder_.path()});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    return std::move(opened).value();
  }
  void take_back() override {
    run("DROP TABLE events; ALTER TABLE messages DROP COLUMN text_seq;"
        "ALTER TABLE conversations DROP COLUMN log_floor;"
        "ALTER TABLE conversations DROP COLUMN owner_count; PRAGMA user_version=3");
  }
  void run(const std::string& sql) override {
    auto database = sqlite::Database::open(folder_.path() + "/uproar.db", {});
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->exec(sql.c_str())) << database->describe_error("run", sql).text();
  }

 private:
  TemporaryFolder folder_;
};

constexpr const char* kTakePostgresBack =
    "drop table events; alter table messages drop column text_seq;"
    "alter table conversations drop column log_floor;"
    "alter table conversations drop column owner_count; delete from uproar_schema where version = "
    "3";

class MigratingPostgres final : public Migrating {
 public:
  std::unique_ptr<Store> open() override {
    auto opened = PostgresStore::open({.url = url_});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    return std::move(opened).value();
  }
  void take_back() override { run(kTakePostgresBack); }
  void run(const std::string& sql) override { PostgresServer::shared().sql(url_, sql); }

 private:
  std::string url_ = PostgresServer::shared().make_database();
};

class LogMigration : public testing::TestWithParam<std::unique_ptr<Migrating> (*)()> {
 protected:
  LogMigration() : database(GetParam()()), store(database->open()) {
    call.emplace(*store);
    for (std::uint64_t n = 1; n <= 2; ++n)
      EXPECT_TRUE(call->create_user({.id = user(n), .name = "user" + std::to_string(n)}).ok());
  }
  Outcome act(ConversationId where, decltype(Operation::body) body) {
    return call->commit_one({.ticket = 1,
                             .conversation = where,
                             .actor = user(1),
                             .at_us = ++now_us,
                             .body = std::move(body)});
  }
  void creates(ConversationId where) {
    act(where, CreateConversation{.kind = chat::ConversationKind::kGroup,
                                  .name = "room",
                                  .members = {{.user = user(1), .role = chat::Role::kOwner}}});
  }
  void sends(ConversationId where, std::uint64_t n) {
    act(where, AppendMessage{.id = make_id<MessageId>(n), .content = "text"});
  }
  void migrate() {
    call.reset();
    store.reset();
    ASSERT_NO_FATAL_FAILURE(database->take_back());
    store = database->open();
    call.emplace(*store);
  }
  static std::vector<Seq> seqs(const LogPage& page) {
    std::vector<Seq> out;
    for (const LogEntry& entry : page.entries) out.push_back(entry.seq);
    return out;
  }

  std::unique_ptr<Migrating> database;
  std::unique_ptr<Store> store;
  std::optional<Caller> call;
  std::int64_t now_us = 1'000'000;
};

TEST_P(LogMigration, ALogBeginsAboveTheLastChangeOfBefore) {
  constexpr ConversationId changed = conversation(1);
  constexpr ConversationId unchanged = conversation(2);
  constexpr ConversationId empty = conversation(3);
  for (const ConversationId where : {changed, unchanged, empty}) creates(where);
  for (std::uint64_t n = 1; n <= 3; ++n) sends(changed, n);                         // 1 to 3
  act(changed, EditMessage{.message = {.seq = 1, .id = {}}, .content = "edited"});  // 4
  act(changed, ChangeReaction{.message = {.seq = 1, .id = {}}, .emoji = "x"});      // 5
  act(changed, DeleteMessage{.message = {.seq = 2, .id = {}}});                     // 6
  for (std::uint64_t n = 4; n <= 5; ++n) sends(changed, n);                         // 7, 8
  for (std::uint64_t n = 6; n <= 7; ++n) sends(unchanged, n);                       // 1, 2
  ASSERT_NO_FATAL_FAILURE(migrate());

  // Cursors below the floor, at it and above it.
  for (const Seq after : {Seq{0}, Seq{5}, Seq{6}}) {
    const LogPage page = call->log({.conversation = changed, .after = after}).value();
    EXPECT_EQ(page.floor, 6U);
    EXPECT_EQ(page.last_seq, 8U);
    EXPECT_EQ(seqs(page), (std::vector<Seq>{7, 8})) << "after " << after;
  }
  EXPECT_EQ(seqs(call->log({.conversation = changed, .after = 7}).value()), std::vector<Seq>{8});
  const LogPage whole = call->log({.conversation = unchanged}).value();
  EXPECT_EQ(whole.floor, 0U);
  EXPECT_EQ(seqs(whole), (std::vector<Seq>{1, 2}));
  EXPECT_EQ(call->log({.conversation = empty}).value().floor, 0U);

  // What changes from now on has its entries, also where it changed before.
  act(changed, EditMessage{.message = {.seq = 1, .id = {}}, .content = "again"});
  act(changed, ChangeReaction{.message = {.seq = 1, .id = {}}, .emoji = "x", .add = false});
  const LogPage page = call->log({.conversation = changed, .after = 8}).value();
  ASSERT_EQ(seqs(page), (std::vector<Seq>{9, 10}));
  EXPECT_EQ(std::get<LoggedEvent>(page.entries[0].what).content, "again");
  EXPECT_FALSE(page.entries[0].is_superseded);
  EXPECT_EQ(std::get<LoggedEvent>(page.entries[1].what).kind, EventKind::kReactionRemoved);
  EXPECT_EQ(call->page({.conversation = changed, .bound = 2}).value().messages[0].content, "again");
}

TEST_P(LogMigration, OwnersAreCounted) {
  creates(conversation(1));
  act(conversation(1), AddMember{.user = user(2)});
  ASSERT_NO_FATAL_FAILURE(migrate());
  const auto demoted = SetRole{.user = user(1), .role = chat::Role::kMember};
  EXPECT_EQ(act(conversation(1), demoted).status, OutcomeStatus::kConflict);
  act(conversation(1), SetRole{.user = user(2), .role = chat::Role::kOwner});
  EXPECT_EQ(act(conversation(1), demoted).status, OutcomeStatus::kCommitted);
}

TEST_P(LogMigration, NoEntryIsReadBelowTheFloor) {
  creates(conversation(1));
  for (std::uint64_t n = 1; n <= 3; ++n) sends(conversation(1), n);  // 1 to 3
  act(conversation(1), EditMessage{.message = {.seq = 1, .id = {}}, .content = "edited"});  // 4
  act(conversation(1), EditMessage{.message = {.seq = 2, .id = {}}, .content = "edited"});  // 5
  sends(conversation(1), 4);                                                                // 6
  ASSERT_NO_FATAL_FAILURE(database->run("UPDATE conversations SET log_floor = 4"));
  const LogPage page = call->log({.conversation = conversation(1)}).value();
  EXPECT_EQ(page.floor, 4U);
  EXPECT_EQ(seqs(page), (std::vector<Seq>{5, 6}));
}

TEST_P(LogMigration, ItIsDoneOnce) {
  creates(conversation(1));
  sends(conversation(1), 1);
  act(conversation(1), EditMessage{.message = {.seq = 1, .id = {}}, .content = "edited"});
  call.reset();
  store.reset();
  store = database->open();
  call.emplace(*store);
  const LogPage page = call->log({.conversation = conversation(1)}).value();
  EXPECT_EQ(page.floor, 0U);
  EXPECT_EQ(seqs(page), (std::vector<Seq>{1, 2}));
}

template <class Database>
std::unique_ptr<Migrating> make() {
  return std::make_unique<Database>();
}
INSTANTIATE_TEST_SUITE_P(Backends, LogMigration,
                         testing::Values(&make<MigratingSqlite>, &make<MigratingPostgres>),
                         [](const auto& run) {
                           return std::string(run.index == 0 ? "sqlite" : "postgres");
                         });

// A node of the release before goes on to write as it did: changes without entries.
TEST(PostgresLogMigration, IsRefusedWhileANodeIsAtWork) {
  const std::string url = PostgresServer::shared().make_database();
  auto old = PostgresStore::open({.url = url, .node = "old"});
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE((*old)->claim(PostgresStore::Claim::kShared).ok());
  PostgresServer::shared().sql(url, kTakePostgresBack);
  const auto fresh = PostgresStore::open({.url = url, .node = "new"});
  ASSERT_FALSE(fresh.ok());
  EXPECT_THAT(fresh.error().text(),
              AllOf(HasSubstr("at work on this database (uproar old"), HasSubstr("stop them all")));
  EXPECT_EQ(PostgresServer::shared().sql(url, "select max(version) from uproar_schema"), "2");
  old->reset();
  EXPECT_TRUE(PostgresStore::open({.url = url, .node = "new"}).ok());
  EXPECT_EQ(PostgresServer::shared().sql(url, "select max(version) from uproar_schema"), "3");
}

}  // namespace
}  // namespace uproar::storage
