// What is refused at start, and that each refusal says what to do; migrations that meet; nodes that share a database.

#include <array>
#include <thread>

#include "storage/postgres/postgres_store.h"
#include "tests/storage/contract.h"
#include "tests/storage/postgres/intruder.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Claim = PostgresStore::Claim;

class PostgresOpen : public testing::Test {
 protected:
  static PostgresServer& server() { return PostgresServer::shared(); }
  static std::string refusal(PostgresStore::Options options) {
    auto opened = PostgresStore::open(std::move(options));
    return opened.ok() ? "opened" : opened.error().text();
  }
  static std::unique_ptr<PostgresStore> node(const std::string& url, const std::string& name) {
    auto opened = PostgresStore::open({.url = url, .node = name, .probe_interval_ms = 1});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    return std::move(opened).value();
  }
  static std::string error_of(Result<void, SystemError> result) {
    return result.ok() ? "" : result.error().text();
  }
  static std::string replaced(std::string url, const std::string& what, const std::string& by) {
    return url.replace(url.find(what), what.size(), by);
  }
  // The part of the URL after `key`.
  static std::string part(const std::string& url, const std::string& key) {
    const auto from = url.find(key) + key.size();
    return url.substr(from, url.find(' ', from) - from);
  }
};

TEST_F(PostgresOpen, WrongUrlsAreRefusedWithWhatToWrite) {
  EXPECT_THAT(refusal({.url = "postgres://u:secret@h:port:5432/x=?&"}),
              AllOf(HasSubstr("no URL of a database"), HasSubstr("postgres://USER:PASSWORD@HOST"),
                    Not(HasSubstr("secret"))));
  EXPECT_THAT(refusal({.url = "postgres://u:secret@127.0.0.1:1/x"}),
              AllOf(HasSubstr("postgres://u@127.0.0.1:1/x"), HasSubstr("start the server"),
                    Not(HasSubstr("secret"))));
  EXPECT_THAT(refusal({.url = "postgres://u@127.0.0.1:1/x"}), HasSubstr("listen_addresses"));
  EXPECT_THAT(refusal({.url = "postgres://u@no-such-host.invalid/x"}),
              HasSubstr("no name server knows it"));
  EXPECT_THAT(refusal({.url = "postgres://u@127.0.0.1:99999/x"}), HasSubstr("1 to 65535"));
  EXPECT_THAT(refusal({.url = "postgres://u:secret@h/x?sslmod=require"}),
              AllOf(HasSubstr("\"sslmod\""), Not(HasSubstr("secret"))));
  EXPECT_THAT(refusal({.url = "host=h pasword=secret"}),
              AllOf(HasSubstr("\"pasword\""), Not(HasSubstr("secret"))));
  const std::string url = server().make_database();
  EXPECT_THAT(refusal({.url = url + "missing"}), HasSubstr("create it (createdb)"));
  EXPECT_THAT(refusal({.url = replaced(url, "user=postgres", "user=nobody_here")}),
              HasSubstr("create the role"));
}

TEST_F(PostgresOpen, AnOldServerIsRefused) {
  EXPECT_THAT(refusal({.url = server().make_database(), .server_version_min = 990000}),
              AllOf(HasSubstr("99 is the oldest that will do"), HasSubstr("upgrade the server")));
}

TEST_F(PostgresOpen, ADatabaseThatTakesNoWritesIsRefused) {
  const std::string url = server().make_database();
  const std::string name = part(url, "dbname=");
  server().sql("alter database " + name + " set default_transaction_read_only = on");
  EXPECT_THAT(refusal({.url = url}),
              AllOf(HasSubstr("default_transaction_read_only is on, by database"),
                    HasSubstr("point the URL at the primary"), HasSubstr("alter database")));
  server().sql("alter database " + name + " reset default_transaction_read_only");
  EXPECT_EQ(refusal({.url = url}), "opened");
}

TEST_F(PostgresOpen, ADatabaseInAnotherEncodingIsRefused) {
  const std::string url = server().make_database("template template0 encoding latin1 locale 'C'");
  EXPECT_THAT(refusal({.url = url}),
              AllOf(HasSubstr("encoding is LATIN1"), HasSubstr("--encoding=UTF8")));
}

TEST_F(PostgresOpen, TablesOfAnotherProgramAreLeftAlone) {
  const std::string url = server().make_database();
  server().sql(url, "create table theirs(x int)");
  EXPECT_THAT(refusal({.url = url}),
              AllOf(HasSubstr("tables of another program (theirs)"), HasSubstr("createdb")));
  EXPECT_EQ(server().sql(url, "select count(*) from pg_tables where schemaname = 'public'"), "1");
  server().sql(url, "create schema uproar");
  EXPECT_EQ(refusal({.url = url + " options=-csearch_path=uproar"}), "opened");
}

TEST_F(PostgresOpen, ANewerSchemaIsLeftAlone) {
  const std::string url = server().make_database();
  ASSERT_EQ(refusal({.url = url}), "opened");
  server().sql(url, "insert into uproar_schema(version) values (99)");
  EXPECT_THAT(refusal({.url = url}), AllOf(HasSubstr("version 99"), HasSubstr("newer release")));
}

TEST_F(PostgresOpen, MissingRightsAreNamed) {
  const std::string url = server().make_database();
  server().sql(
      "do $$ begin if not exists (select 1 from pg_roles where rolname = 'guest') then create role "
      "guest login; end if; end $$");
  const std::string guest = replaced(url, "user=postgres", "user=guest");
  server().sql(url, "revoke create on schema public from public");
  EXPECT_THAT(refusal({.url = guest}), AllOf(HasSubstr("role guest may not create tables"),
                                             HasSubstr("grant create on schema public to guest")));
  ASSERT_EQ(refusal({.url = url}), "opened");
  EXPECT_THAT(refusal({.url = guest}), HasSubstr("grant"));
  server().sql(url, "grant select on uproar_schema to guest");
  EXPECT_THAT(refusal({.url = guest}),
              AllOf(HasSubstr("may not read and write table conversations"),
                    HasSubstr("grant select, insert, update, delete on all tables")));
  server().sql(url, "grant select, insert, update, delete on all tables in schema public to guest");
  ASSERT_EQ(refusal({.url = guest}), "opened");
  auto store = node(guest, "guest");
  Caller call(*store);
  EXPECT_TRUE(call.create_user({.id = user(1), .name = "one"}).ok());
}

TEST_F(PostgresOpen, SettingsThatWeakenThePromiseAreNamed) {
  auto store = node(server().make_database(), "one");  // the tests' server runs without fsync
  EXPECT_THAT(store->warnings(), testing::Contains(HasSubstr("fsync is off")));
}

TEST_F(PostgresOpen, TooFewConnectionsAreRefusedWithHowManyItTakes) {
  const std::string url = server().make_database();
  const auto others = [&] {
    return server().sql("select count(*) from pg_stat_activity where datname = '" +
                        part(url, "dbname=") + "'");
  };
  server().sql("do $$ begin create role few login; exception when duplicate_object then end $$");
  ASSERT_EQ(refusal({.url = url}), "opened");
  server().sql(url, "grant select, insert, update, delete on all tables in schema public to few");
  // A node of two shards: 2 * (2 + 1) sessions and its own.
  const std::string of_few = replaced(url, "user=postgres", "user=few");
  server().sql("alter role few connection limit 6");
  {
    auto store = node(of_few, "few");
    ASSERT_EQ(error_of(store->claim(Claim::kShared)), "");
    EXPECT_THAT(error_of(store->reserve(2)),
                AllOf(HasSubstr("too many connections for role \"few\""),
                      HasSubstr("alter role NAME connection limit N"), HasSubstr("needs 7")));
  }
  server().sql("alter role few connection limit 7");
  {
    auto store = node(of_few, "few");
    ASSERT_EQ(error_of(store->claim(Claim::kShared)), "");
    ASSERT_EQ(error_of(store->reserve(2)), "") << "the sessions of before may be on their way out";
    PollReactor reactor;
    const std::unique_ptr<StoreClient> clients[] = {store->open_client(reactor),
                                                    store->open_client(reactor)};
    int answered = 0;
    for (const auto& client : clients) {
      client->probe([&](bool committed) { answered += committed ? 1 : 0; });
      client->history().load_conversation(
          conversation(1), [&](const Result<ConversationState, StoreError>& end) {
            answered += !end.ok() && end.error() == StoreError::kNotFound ? 1 : 0;
          });
    }
    reactor.run_until([&] { return answered == 4; });
    EXPECT_EQ(others(), "7") << "what was reserved is used, and no more is opened";
    EXPECT_TRUE(store->healthy());
  }
  server().sql("alter database " + part(url, "dbname=") + " connection limit 3");
  while (others() != "0") std::this_thread::yield();
  auto store = node(of_few, "few");
  EXPECT_THAT(error_of(store->reserve(2)),
              AllOf(HasSubstr("too many connections for database"), HasSubstr("alter database")));
}

TEST_F(PostgresOpen, MigratorsThatMeetWorkOneAfterTheOther) {
  for (int round = 0; round < 3; ++round) {
    const std::string url = server().make_database();
    std::array<std::string, 6> ends;
    std::vector<std::thread> threads;
    for (std::string& end : ends) threads.emplace_back([&] { end = refusal({.url = url}); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(ends, testing::Each("opened"));
    EXPECT_EQ(server().sql(url, "select count(*) from uproar_schema"), "3");
  }
}

TEST_F(PostgresOpen, NodesWithoutABusAreAlone) {
  const std::string url = server().make_database();
  auto one = node(url, "one"), two = node(url, "two");
  auto stranger = node(server().make_database(), "stranger");  // another database, the same schema
  EXPECT_EQ(error_of(stranger->claim(Claim::kAlone)), "");
  EXPECT_EQ(error_of(one->claim(Claim::kAlone)), "");
  EXPECT_THAT(error_of(two->claim(Claim::kAlone)),
              AllOf(HasSubstr("another node is on this database (uproar one"), HasSubstr("bus"),
                    testing::Not(HasSubstr("stranger"))));
  EXPECT_THAT(error_of(two->claim(Claim::kShared)), HasSubstr("stop the node that has no bus"));
  one.reset();
  EXPECT_EQ(error_of(two->claim(Claim::kShared)), "");
  auto three = node(url, "three"), four = node(url, "four");
  EXPECT_EQ(error_of(three->claim(Claim::kShared)), "");
  EXPECT_THAT(error_of(four->claim(Claim::kAlone)),
              AllOf(HasSubstr("uproar three"), HasSubstr("uproar two")));
}

TEST_F(PostgresOpen, AClaimWhoseSessionEndedIsTakenAgainOrSaidToBeLost) {
  const std::string url = server().make_database();
  const auto end_claims = [&] {
    server().sql(
        "select pg_terminate_backend(l.pid) from pg_locks l join pg_stat_activity a using (pid) "
        "where l.locktype = 'advisory' and a.datname = '" +
        part(url, "dbname=") + "'");
  };
  const auto claims = [&] {
    return server().sql(url,
                        "select count(*) from pg_locks where locktype = 'advisory' and "
                        "database = (select oid from pg_database where datname = "
                        "current_database())");
  };
  auto one = node(url, "one");
  ASSERT_EQ(error_of(one->claim(Claim::kAlone)), "");
  const std::string session = "select min(pid) from pg_locks where locktype = 'advisory'";
  const std::string first = server().sql(session);
  end_claims();
  while (claims() != "1" || server().sql(session) == first || !one->healthy())
    std::this_thread::yield();

  // Somebody who waits for the lock has it before its owner is back.
  Intruder other(url);
  other.start("select pg_advisory_lock(1433432691, hashtext(current_schema()))");
  while (server().sql(
             "select count(*) from pg_locks where locktype = 'advisory' and not granted") != "1")
    std::this_thread::yield();
  server().sql(
      "select pg_terminate_backend(l.pid) from pg_locks l join pg_stat_activity a using (pid) "
      "where l.locktype = 'advisory' and a.application_name = 'uproar one'");
  while (one->healthy() || one->last_error().find("another node") == std::string::npos)
    std::this_thread::yield();
  other.end();
  while (!one->healthy()) std::this_thread::yield();
  EXPECT_EQ(claims(), "1");
}

}  // namespace
}  // namespace uproar::storage
