// Moving a data folder to PostgreSQL. That every row arrives, and that everything goes on from there, is what the
// differential test sees (its backend "moving"); here is what accounts keep, and everything that must not happen: a copy
// into what is not empty, from or to what is in use, half a copy, and a copy that differs.

#include <map>
#include <optional>

#include "storage/limits.h"
#include "storage/postgres/import.h"
#include "storage/postgres/postgres_store.h"
#include "storage/sqlite/export.h"
#include "storage/sqlite/sqlite_store.h"
#include "tests/storage/contract.h"
#include "tests/storage/postgres/intruder.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'000'000'000'000;
constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000;

std::string digest(char c) {
  return std::string(32, c);
}

class Transfer : public testing::Test {
 protected:
  ~Transfer() override { server().drop_database(url); }
  static PostgresServer& server() { return PostgresServer::shared(); }

  std::unique_ptr<Store> open_source() {
    auto opened = SqliteStore::open({.folder = folder});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    return std::move(opened).value();
  }
  std::unique_ptr<Store> open_target() {
    auto opened = PostgresStore::open({.url = url, .node = "test"});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    return std::move(opened).value();
  }
  auto open_import() {
    return postgres::Import::open(
        {.url = url, .node = "moving", .statement_timeout_ms = 5000, .connect_timeout_s = 3});
  }
  // Why it was not moved; empty when it was.
  std::string move() {
    auto from = sqlite::Export::open(folder);
    if (!from.ok()) return from.error().text();
    auto to = open_import();
    if (!to.ok()) return to.error().text();
    const auto moved = transfer(**from, **to, [this](const TransferProgress& progress) {
      EXPECT_LE(progress.done, progress.total) << progress.doing;
      told[std::string(progress.doing)] = progress.done;
    });
    return moved.ok() ? "" : moved.error().text();
  }
  // A conversation of two with `messages` messages.
  void fill(std::uint64_t messages) {
    const auto store = open_source();
    Caller call(*store);
    for (std::uint64_t n = 1; n <= 2; ++n)
      ASSERT_TRUE(call.create_user({.id = user(n),
                                    .name = "User" + std::to_string(n),
                                    .password_hash = "hash" + std::to_string(n),
                                    .created_at_us = kNow})
                      .ok());
    std::vector<Operation> batch = {
        {.conversation = conversation(1),
         .actor = user(1),
         .at_us = kNow,
         .body = CreateConversation{.members = {{.user = user(1)}, {.user = user(2)}}}}};
    for (std::uint64_t n = 1; n <= messages; ++n)
      batch.push_back({.ticket = n,
                       .conversation = conversation(1),
                       .actor = user(1),
                       .at_us = kNow + static_cast<std::int64_t>(n),
                       .body = AppendMessage{.id = make_id<MessageId>(n),
                                             .client_id = "key" + std::to_string(n),
                                             .content = "text"}});
    for (const Outcome& outcome : call.commit(std::move(batch)))
      ASSERT_EQ(outcome.status, OutcomeStatus::kCommitted);
  }
  std::string rows_of(const std::string& table) {
    return server().sql(url, "select count(*) from " + table);
  }

  TemporaryFolder outer;
  const std::string folder = outer.path() + "/data";
  const std::string url = server().make_database();
  std::map<std::string, std::uint64_t> told;
};

TEST_F(Transfer, AccountsKeepTheirPasswordsSessionsAndWhatWasRevoked) {
  {
    const auto store = open_source();
    Caller call(*store);
    ASSERT_TRUE(
        call.create_user(
                {.id = user(1), .name = "Ann", .password_hash = "argon", .created_at_us = kNow})
            .ok());
    ASSERT_TRUE(call.ensure_user(user(2), "", kNow).ok());  // without a name
    const auto session = [&](std::uint64_t n, char c) {
      return call.create_session({.id = make_id<SessionId>(n),
                                  .user = user(1),
                                  .refresh_digest = digest(c),
                                  .device = "phone",
                                  .created_at_us = kNow,
                                  .expires_at_us = kNow + kHour});
    };
    ASSERT_TRUE(session(1, 'a').ok());
    ASSERT_TRUE(session(2, 'b').ok());
    ASSERT_TRUE(session(3, 'c').ok());
    ASSERT_TRUE(call.rotate(digest('a'), digest('A'), kNow, kNow + kHour).ok());
    ASSERT_TRUE(call.revoke(make_id<SessionId>(2), kNow + 5).ok());
    call.directory().set_last_online(user(1), kNow + 7);
    ASSERT_TRUE(call.revoke(make_id<SessionId>(99), kNow).error() == StoreError::kNotFound);
  }
  ASSERT_EQ(move(), "");
  const auto store = open_target();
  Caller call(*store);
  const auto ann = call.find_name("aNN");
  ASSERT_TRUE(ann.ok());
  EXPECT_EQ(ann->id, user(1));
  EXPECT_EQ(ann->name, "Ann");
  EXPECT_EQ(ann->password_hash, "argon");
  EXPECT_EQ(ann->created_at_us, kNow);
  EXPECT_EQ(ann->last_online_us, kNow + 7);
  const auto nameless = call.find_users({user(2)});
  ASSERT_EQ(nameless->size(), 1U);
  EXPECT_EQ(nameless->front().name, "");
  EXPECT_EQ(nameless->front().last_online_us, 0);
  EXPECT_EQ(call.create_user({.id = user(3), .name = "ann"}).error(), StoreError::kNameTaken);

  const auto live = call.rotate(digest('c'), digest('C'), kNow, kNow + 2 * kHour);
  ASSERT_TRUE(live.ok());
  EXPECT_EQ(live->session.id, make_id<SessionId>(3));
  EXPECT_EQ(live->session.device, "phone");
  EXPECT_EQ(call.rotate(digest('b'), digest('B'), kNow, kNow + kHour).error(),
            StoreError::kNotFound);
  EXPECT_EQ(*call.revoked_since(kNow), std::vector{make_id<SessionId>(2)});
  // The token that was swapped before the move is known after it: for the last one, and then for stolen.
  const auto is_back = [&](std::int64_t at_us) {
    return call.rotate(digest('a'), digest('x'), at_us, at_us + kHour);
  };
  EXPECT_EQ(is_back(kNow + 9)->outcome, Rotation::Outcome::kJustSpent);
  const auto stolen = is_back(kNow + kRefreshGraceUs + 1);
  ASSERT_TRUE(stolen.ok());
  EXPECT_EQ(stolen->outcome, Rotation::Outcome::kStolen);
  EXPECT_EQ(stolen->session.id, make_id<SessionId>(1));
  EXPECT_NE(stolen->session.revoked_at_us, 0);
}

TEST_F(Transfer, IsToldOfAsItGoesAndLeavesTheFolderAsItWas) {
  fill(900);
  ASSERT_EQ(move(), "");
  EXPECT_EQ(told["messages"], 900U);
  EXPECT_EQ(told["users"], 2U);
  EXPECT_EQ(told["comparing"], 1U);
  EXPECT_EQ(rows_of("messages"), "900");
  const auto source = open_source();
  Caller call(*source);
  EXPECT_EQ(call.load(conversation(1))->last_seq, 900U);
}

TEST_F(Transfer, OfAnEmptyStoreIsAnEmptyStore) {
  open_source();
  ASSERT_EQ(move(), "");
  EXPECT_EQ(rows_of("users"), "0");
}

TEST_F(Transfer, IntoWhatIsNotEmptyIsRefused) {
  fill(3);
  ASSERT_EQ(move(), "");
  EXPECT_THAT(move(),
              AllOf(HasSubstr("is not empty: it has users, conversations"), HasSubstr("createdb")));
  EXPECT_EQ(rows_of("messages"), "3");
}

TEST_F(Transfer, FromOrToWhatIsServedFromIsRefused) {
  fill(3);
  {
    const auto served = open_source();
    EXPECT_THAT(move(), HasSubstr("in use by process"));
  }
  {
    auto node = PostgresStore::open({.url = url, .node = "one"});
    ASSERT_TRUE(node.ok());
    ASSERT_TRUE((*node)->claim(PostgresStore::Claim::kShared).ok());
    EXPECT_THAT(move(), HasSubstr("another node is on this database (uproar one"));
  }
  // And while it goes on no node may come.
  auto import = open_import();
  ASSERT_TRUE(import.ok()) << import.error().text();
  auto node = PostgresStore::open({.url = url, .node = "two"});
  ASSERT_TRUE(node.ok());
  const auto claimed = (*node)->claim(PostgresStore::Claim::kAlone);
  ASSERT_FALSE(claimed.ok());
  EXPECT_THAT(claimed.error().text(), HasSubstr("(uproar moving"));
}

TEST_F(Transfer, FromAFolderWithoutADatabaseIsRefusedAndMakesNone) {
  EXPECT_THAT(move(), AllOf(HasSubstr("uproar.db"), HasSubstr("name the data folder")));
  EXPECT_EQ(::access(folder.c_str(), F_OK), -1);
}

// A COPY that the server does not take, and a session that ends in the middle.
TEST_F(Transfer, ThatIsInterruptedLeavesNothingAndMayBeginAgain) {
  fill(900);
  open_target();  // makes the tables
  server().sql(url, "alter table messages add constraint stop check (seq < 500)");
  EXPECT_THAT(move(), HasSubstr("violates check constraint \"stop\""));
  EXPECT_EQ(rows_of("users"), "0");
  server().sql(url, "alter table messages drop constraint stop");
  {
    auto from = sqlite::Export::open(folder);
    ASSERT_TRUE(from.ok());
    auto to = open_import();
    ASSERT_TRUE(to.ok());
    const auto moved = transfer(**from, **to, [&](const TransferProgress& progress) {
      if (progress.doing == "conversations")
        server().sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where "
            "application_name = 'uproar moving' and state <> 'idle'");
    });
    ASSERT_FALSE(moved.ok());
  }
  EXPECT_EQ(rows_of("users"), "0");
  EXPECT_EQ(move(), "");
  EXPECT_EQ(rows_of("messages"), "900");
}

// A source whose rows change under the copying hands, in whatever they can.
class Altered final : public TransferSource {
 public:
  using Alter = std::function<bool(const TransferTable&, std::vector<Cell>&)>;  // false: left out
  Altered(TransferSource& real, Alter alter) : real_(real), alter_(std::move(alter)) {}

  Result<std::uint64_t, SystemError> count(const TransferTable& table) override {
    return real_.count(table);
  }
  Result<std::vector<ConversationSummary>, SystemError> summaries(const ConversationId& after,
                                                                  std::uint32_t limit) override {
    return real_.summaries(after, limit);
  }
  Result<void, SystemError> read(const TransferTable& table,
                                 const std::function<bool(Row)>& take) override {
    return real_.read(table, [&](Row row) {
      std::vector<Cell> cells(row.begin(), row.end());
      return !alter_(table, cells) || take(cells);
    });
  }

 private:
  TransferSource& real_;
  Alter alter_;
};

TEST_F(Transfer, ThatIsNotTheSameOnBothSidesIsNotKept) {
  fill(5);
  const auto altered = [&](Altered::Alter alter) -> std::string {
    auto from = sqlite::Export::open(folder);
    auto to = open_import();
    UPROAR_CHECK(from.ok() && to.ok());
    Altered source(**from, std::move(alter));
    const auto moved = transfer(source, **to, [](const TransferProgress&) {});
    return moved.ok() ? "" : moved.error().text();
  };
  const auto is = [](const TransferTable& table, std::string_view name) {
    return name == table.name;
  };
  EXPECT_THAT(altered([&](const TransferTable& table, std::vector<Cell>& row) {
                return !is(table, "messages") || row[1].number != 3;
              }),
              HasSubstr("messages: 5 rows counted, 4 read"));
  EXPECT_THAT(
      altered([&](const TransferTable& table, std::vector<Cell>& row) {
        if (is(table, "conversations")) row[3].number -= 1;  // last_seq
        return true;
      }),
      AllOf(HasSubstr("conversation " + conversation(1).text()), HasSubstr("is not what it was")));
  EXPECT_THAT(altered([&](const TransferTable& table, std::vector<Cell>& row) {
                if (is(table, "messages") && row[1].number == 2) row[3].number += 1;  // version
                return true;
              }),
              HasSubstr("is not what it was"));
  EXPECT_EQ(rows_of("users"), "0");
  EXPECT_EQ(altered([](const TransferTable&, std::vector<Cell>&) { return true; }), "");
  EXPECT_EQ(rows_of("messages"), "5");
}

// Whoever adds a column to one of the schemas is reminded that it has to be moved, too.
TEST_F(Transfer, KnowsEveryTableAndColumnThatIsKept) {
  open_target();
  std::string expected;
  std::map<std::string, std::string> columns;
  for (const TransferTable& table : transfer_tables())
    for (const TransferColumn& column : table.columns)
      columns[std::string(table.name) + "." + column.name] = table.name;
  for (const auto& [name, table] : columns) expected += name + " ";
  EXPECT_EQ(server().sql(
                url,
                "select string_agg(table_name || '.' || column_name, ' ' order by table_name || "
                "'.' || column_name collate \"C\") || ' ' from information_schema.columns where "
                "table_schema = 'public' and table_name !~ '^(messages_[0-9]+|messages_with_status"
                "|probe|uproar_schema)$' and is_generated = 'NEVER'"),
            expected);
}

}  // namespace
}  // namespace uproar::storage
