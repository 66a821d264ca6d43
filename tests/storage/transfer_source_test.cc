// What the data folder is refused for as the source of a transfer, and that nothing in it is changed meanwhile. That
// every folder that keeps the contract is taken, whatever was interleaved, is what the differential test sees (its
// backend "moving").

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "storage/sqlite/export.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/sqlite_store.h"
#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

using testing::AllOf;
using testing::HasSubstr;

namespace files = std::filesystem;

constexpr std::int64_t kNow = 1'700'000'000'000'000;

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Takes every row and keeps none.
class Nowhere final : public TransferTarget {
 public:
  Result<std::uint64_t, SystemError> count(const TransferTable& table) override {
    return rows_[table.name];
  }
  Result<std::vector<ConversationSummary>, SystemError> summaries(const ConversationId&,
                                                                  std::uint32_t) override {
    return std::vector<ConversationSummary>();
  }
  Result<void, SystemError> begin_table(const TransferTable& table) override {
    at_ = table.name;
    return {};
  }
  bool put(Row) override {
    ++rows_[at_];
    return true;
  }
  Result<void, SystemError> end_table() override { return {}; }
  Result<void, SystemError> finish() override { return {}; }

 private:
  std::string at_;
  std::map<std::string, std::uint64_t> rows_;
};

class TransferSourceTest : public testing::Test {
 protected:
  std::unique_ptr<Store> open_store() {
    auto opened = SqliteStore::open({.folder = folder});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    return std::move(opened).value();
  }
  // A group of two with 60 messages, the last of which is edited; seq 21 adds the second member.
  std::unique_ptr<Store> fill() {
    auto store = open_store();
    Caller call(*store);
    for (std::uint64_t n = 1; n <= 2; ++n)
      EXPECT_TRUE(call.create_user({.id = user(n),
                                    .name = "user" + std::to_string(n),
                                    .password_hash = "hash",
                                    .created_at_us = kNow})
                      .ok());
    const auto run = [&](auto body) {
      const auto outcomes = call.commit({{.ticket = 1,
                                          .conversation = conversation(1),
                                          .actor = user(1),
                                          .at_us = kNow,
                                          .body = std::move(body)}});
      EXPECT_EQ(outcomes.front().status, OutcomeStatus::kCommitted);
    };
    run(CreateConversation{.kind = chat::ConversationKind::kGroup,
                           .name = "group",
                           .members = {{.user = user(1), .role = chat::Role::kOwner}}});
    for (std::uint64_t n = 1; n <= 60; ++n) {
      if (n == 21) run(AddMember{.user = user(2)});
      run(AppendMessage{
          .id = make_id<MessageId>(n), .client_id = "key" + std::to_string(n), .content = "text"});
    }
    run(EditMessage{.message = {.seq = 61, .id = {}}, .content = "new text"});
    return store;
  }
  void fill_and_close() { fill().reset(); }
  // By hand, as somebody might.
  void change(const std::string& sql) {
    auto database = sqlite::Database::open(path(), {});
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->exec(("PRAGMA foreign_keys=OFF; " + sql).c_str()))
        << database->describe_error("change", sql).text();
  }
  // Why the folder is no source; empty when it is.
  [[nodiscard]] std::string refusal() const {
    const auto opened = sqlite::Export::open(folder);
    return opened.ok() ? "" : opened.error().text();
  }
  // Why nothing was copied from it.
  [[nodiscard]] std::string copy() const {
    auto source = sqlite::Export::open(folder);
    if (!source.ok()) return source.error().text();
    Nowhere target;
    const auto moved = transfer(**source, target, [](const TransferProgress&) {});
    return moved.ok() ? "" : moved.error().text();
  }
  [[nodiscard]] std::string path() const { return folder + "/uproar.db"; }

  TemporaryFolder outer;
  const std::string folder = outer.path() + "/da ta%20?#";  // a name that an URI would take apart
  const std::string about = "conversation " + conversation(1).text();
};

TEST_F(TransferSourceTest, ThatIsWholeIsTakenAndNoByteOfItChanges) {
  fill_and_close();
  const std::string before = bytes_of(path());
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(bytes_of(path()), before);
  EXPECT_FALSE(files::exists(path() + "-wal"));
}

// Killed: what was committed last is in the log alone.
TEST_F(TransferSourceTest, OfAServerThatWasKilledIsTakenWithItsLog) {
  const std::string original = outer.path() + "/original";
  {
    const auto store = fill();
    files::copy(folder, original, files::copy_options::recursive);
  }
  files::remove_all(folder);
  files::create_directory(folder);
  for (const char* name : {"uproar.db", "uproar.db-wal"})
    files::copy(original + "/" + name, folder + "/" + name);
  ASSERT_GT(files::file_size(path() + "-wal"), 0U);
  {
    const auto source = sqlite::Export::open(folder);
    ASSERT_TRUE(source.ok()) << source.error().text();
    const auto summaries = (*source)->summaries({}, 10);
    ASSERT_EQ(summaries->size(), 1U);
    EXPECT_EQ(summaries->front().last_seq, 62U);
  }
  for (const char* name : {"uproar.db", "uproar.db-wal"})
    EXPECT_EQ(bytes_of(folder + "/" + name), bytes_of(original + "/" + name)) << name;
}

TEST_F(TransferSourceTest, ThatIsEmptyIsRefusedAndStaysEmpty) {
  files::create_directory(folder);
  std::ofstream(path()).close();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("uproar.db is empty"), HasSubstr("copy the folder")));
  EXPECT_EQ(files::file_size(path()), 0U);
  EXPECT_EQ(std::distance(files::directory_iterator(folder), {}), 1);
}

TEST_F(TransferSourceTest, WithoutTablesOrOfAnotherProgramIsRefusedAndNotGivenAny) {
  files::create_directory(folder);
  change("VACUUM");  // a header, and nothing else
  const std::string before = bytes_of(path());
  ASSERT_GT(before.size(), 0U);
  EXPECT_THAT(refusal(), HasSubstr("this database has no tables"));
  EXPECT_EQ(bytes_of(path()), before);
  change("CREATE TABLE theirs(x)");
  EXPECT_THAT(refusal(), HasSubstr("belongs to another program"));
}

TEST_F(TransferSourceTest, OfAnotherReleaseIsRefusedAndNotBroughtUpToDate) {
  fill_and_close();
  const int newest = sqlite::newest_schema_version();
  change("PRAGMA user_version=" + std::to_string(newest - 1));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("an older release"), HasSubstr("uproar migrate --data FOLDER")));
  change("PRAGMA user_version=" + std::to_string(newest + 1));
  EXPECT_THAT(refusal(), HasSubstr("a newer release"));
}

TEST_F(TransferSourceTest, ThatIsCutOffIsRefused) {
  fill_and_close();
  files::resize_file(path(), files::file_size(path()) / 2);
  EXPECT_THAT(refusal(), HasSubstr("uproar.db"));
}

struct Damage {
  const char* name;
  const char* sql;
  const char* told;
};
class TransferOfDamageTest : public TransferSourceTest,
                             public testing::WithParamInterface<Damage> {};

TEST_P(TransferOfDamageTest, IsRefusedAndSaysWhere) {
  fill_and_close();
  ASSERT_EQ(refusal(), "");
  change(GetParam().sql);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(about + " " + GetParam().told),
                               HasSubstr("restore a folder that is whole")));
}

INSTANTIATE_TEST_SUITE_P(
    , TransferOfDamageTest,
    testing::Values(
        Damage{"message", "DELETE FROM messages WHERE seq=50",
               "has a hole: seq 50 is missing before seq 51"},
        Damage{"first_row", "DELETE FROM messages WHERE seq=1",
               "has a hole: seq 1 is missing before seq 2"},
        Damage{"system_row", "DELETE FROM messages WHERE seq=21",
               "has a hole: seq 21 is missing before seq 22"},
        Damage{"event", "DELETE FROM events WHERE seq=62",
               "has a text of seq 61 that no event has set"},
        Damage{"event_between",
               "DELETE FROM events WHERE seq=62; UPDATE conversations SET last_seq=63;"
               "INSERT INTO events SELECT id, 63, 1, zeroblob(16), 61, '', 0 FROM conversations",
               "has a hole: seq 62 is missing before seq 63"},
        Damage{"event_of_nothing", "UPDATE events SET message_seq=21",
               "has an event of message 21, which is not there"},
        Damage{"text_of_nothing", "UPDATE messages SET text_seq=0 WHERE text_seq<>0",
               "has a text of seq 61 that no event has set"},
        Damage{"text_of_another", "UPDATE messages SET text_seq=62 WHERE seq=7",
               "has a text of seq 7 that no event has set"},
        Damage{"below_the_floor",
               "UPDATE conversations SET log_floor=62; DELETE FROM events;"
               "DELETE FROM messages WHERE seq=21",
               "has a hole: seq 21 is missing before seq 22"},
        Damage{"seq_of_two", "UPDATE events SET seq=61, message_seq=60", "has seq 61 twice"},
        Damage{"number", "UPDATE messages SET no=no+1 WHERE seq>50",
               "has a hole: message 50 is missing before seq 51, which has number 51"},
        Damage{"last_seq", "UPDATE conversations SET last_seq=67",
               "says that its last seq is 67 and its last message number 60, and its log ends at "
               "62 and 60"},
        Damage{"last_no", "UPDATE conversations SET last_no=59", "says that its last seq is 62"},
        Damage{"no_rows", "DELETE FROM messages; DELETE FROM events",
               "says that its last seq is 62 and its last message number 60, and its log ends at 0 "
               "and 0"},
        Damage{"user", "DELETE FROM users WHERE name='user2'", "has a member who is no user (user"},
        Damage{"conversation", "DELETE FROM conversations", "has members, and is not there itself"},
        Damage{"conversation_without_members",
               "DELETE FROM conversations; DELETE FROM users_conversations",
               "has messages, and is not there itself"},
        Damage{"reaction",
               "INSERT INTO reactions SELECT id, 99, 62, zeroblob(16), 'x' FROM conversations",
               "has a reaction to seq 99, which is not there"},
        Damage{"mark", "UPDATE users_conversations SET delivered_seq=63",
               "has a mark above its last seq 62 (user"},
        Damage{"member_count", "DELETE FROM users_conversations WHERE role=0",
               "says that it has 2 members, and has 1"},
        Damage{"owner_count", "UPDATE users_conversations SET role=1 WHERE role=2",
               "says that it has 1 owners, and has 0"}),
    [](const auto& of) { return std::string(of.param.name); });

TEST_F(TransferSourceTest, WithARowThatNoOtherStoreCanKeepIsRefusedAndSaysWhichItIs) {
  fill_and_close();
  ASSERT_THAT(copy(), HasSubstr("is not what it was"));  // it came as far as the comparison
  const auto refused = [&](const std::string& column, const std::string& value) {
    change("UPDATE messages SET " + column + "=" + value + " WHERE seq=7");
    const std::string why = copy();
    change("UPDATE messages SET content='text', mentions=NULL, reply_to=0 WHERE seq=7");
    return why;
  };
  const std::string where = "messages conversation_id " + conversation(1).text() + " seq 7";
  EXPECT_THAT(refused("content", "CAST(x'61FF62' AS TEXT)"),
              AllOf(HasSubstr(where), HasSubstr("content is no UTF-8 text, or has a NUL in it"),
                    HasSubstr("nothing was kept")));
  EXPECT_THAT(refused("content", "CAST(x'610062' AS TEXT)"),
              AllOf(HasSubstr(where), HasSubstr("content is no UTF-8 text, or has a NUL in it")));
  EXPECT_THAT(refused("mentions", "x'0102'"),
              AllOf(HasSubstr(where), HasSubstr("mentions is no list of ids")));
  EXPECT_THAT(refused("reply_to", "-1"),
              AllOf(HasSubstr(where), HasSubstr("reply_to is negative")));
}

}  // namespace
}  // namespace uproar::storage
