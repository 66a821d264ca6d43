// Messages per second into a PostgreSQL server that this program starts in TMPDIR with fsync on: through the store's
// whole path (commit() to outcome on the reactor), and beside it, over one plain connection, the bare insert of equally
// many rows by unnest, into a table with a primary key alone and into one with the indexes of messages.
//
// BENCH_POSTGRES_URL names an empty database of a server that runs already, and is used instead of one of its own.
//
// 128-byte messages with a client_id in 8 conversations. A batch is one commit, hence one sync of the write-ahead log.
// TMPDIR chooses the disk, and the disk decides what a sync costs.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <libpq-fe.h>

#include "proto/base/check.h"
#include "storage/postgres/postgres_store.h"
#include "storage/postgres/wire.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

constexpr std::size_t kRooms = 8;

void run_sql(const std::string& url, const char* sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()),
                                                                &PQfinish);
  PGresult* result = PQexec(connection.get(), sql);
  UPROAR_CHECK(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(connection.get()));
  PQclear(result);
}

struct World {
  World() {
    if (const char* given = std::getenv("BENCH_POSTGRES_URL"); given != nullptr) {
      url = given;
    } else {
      server.emplace(PostgresServer::Options{.fsync = true});
      url = server->make_database();
    }
    auto opened = PostgresStore::open({.url = url, .node = "bench"});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    store = std::move(opened).value();
    call = std::make_unique<Caller>(*store);
    UPROAR_CHECK(call->ensure_user(user(1), "", 1).ok());
    std::vector<Operation> batch;
    for (std::uint64_t i = 0; i < kRooms; ++i) {
      batch.push_back({.conversation = conversation(i),
                       .actor = user(1),
                       .at_us = 1,
                       .body = CreateConversation{.kind = chat::ConversationKind::kGroup,
                                                  .members = {{.user = user(1)}}}});
    }
    for (const Outcome& outcome : call->commit(std::move(batch)))
      UPROAR_CHECK(outcome.status == OutcomeStatus::kCommitted);
    run_sql(url,
            "create table bare_key (like messages including defaults, primary key "
            "(conversation_id, seq))");
    run_sql(url,
            "create table bare_messages (like messages including all) partition by hash "
            "(conversation_id)");
    run_sql(url,
            "do $$ begin for i in 0..15 loop execute format('create table bare_messages_%s "
            "partition of bare_messages for values with (modulus 16, remainder %s)', i, i); "
            "end loop; end $$");
  }
  std::optional<PostgresServer> server;
  std::string url;
  std::unique_ptr<PostgresStore> store;
  std::unique_ptr<Caller> call;
  std::uint64_t next = 1;
};

World& world() {
  static World made;
  return made;
}

void store_commit(benchmark::State& state) {
  World& with = world();
  for (auto _ : state) {
    std::vector<Operation> batch;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      const std::uint64_t n = with.next++;
      batch.push_back({.ticket = n,
                       .conversation = conversation(n % kRooms),
                       .actor = user(1),
                       .at_us = static_cast<std::int64_t>(n),
                       .body = AppendMessage{.id = make_id<MessageId>(n),
                                             .client_id = "client-" + std::to_string(n),
                                             .content = std::string(128, 'm')}});
    }
    for (const Outcome& outcome : with.call->commit(std::move(batch)))
      UPROAR_CHECK(outcome.status == OutcomeStatus::kCommitted);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(store_commit)->Arg(1)->Arg(16)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime();

void bare_unnest(benchmark::State& state, const char* table) {
  using postgres::Column;
  using postgres::Type;
  World& with = world();
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(with.url.c_str()),
                                                                &PQfinish);
  const std::string sql =
      std::string("insert into ") + table +
      "(conversation_id, seq, no, version, id, user_id, client_id, body_digest, type, content, "
      "attachments, reply_to, sent_at) select c, s, s, s, i, u, k, d, 0, t, '', 0, a from "
      "unnest($1::uuid[], $2::int8[], $3::uuid[], $4::uuid[], $5::text[], $6::bytea[], $7::text[], "
      "$8::timestamptz[]) as r(c, s, i, u, k, d, t, a)";
  PQclear(PQprepare(connection.get(), "bare", sql.c_str(), 0, nullptr));
  for (auto _ : state) {
    Column where(Type::kUuid), seq(Type::kInt8), id(Type::kUuid), who(Type::kUuid),
        key(Type::kText), digest(Type::kBytes), content(Type::kText), at(Type::kTime);
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      const std::uint64_t n = with.next++;
      where.add(conversation(n % kRooms));
      seq.add_int8(n);
      id.add(make_id<MessageId>(n));
      who.add(user(1));
      key.add_text("client-" + std::to_string(n));
      digest.add_bytes(std::string(16, 'd'));
      content.add_text(std::string(128, 'm'));
      at.add_time(static_cast<std::int64_t>(n));
    }
    postgres::Params params;
    params.add(std::move(where)).add(std::move(seq)).add(std::move(id)).add(std::move(who));
    params.add(std::move(key)).add(std::move(digest)).add(std::move(content)).add(std::move(at));
    const auto pointers = params.pointers();
    PGresult* result =
        PQexecPrepared(connection.get(), "bare", params.size(), pointers.values.data(),
                       pointers.lengths.data(), pointers.formats.data(), 1);
    UPROAR_CHECK(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(connection.get()));
    PQclear(result);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(bare_unnest, key_alone, "bare_key")->Arg(1)->Arg(256)->Arg(1024)->UseRealTime();
BENCHMARK_CAPTURE(bare_unnest, as_messages, "bare_messages")
    ->Arg(1)
    ->Arg(256)
    ->Arg(1024)
    ->UseRealTime();

}  // namespace
}  // namespace uproar::storage
