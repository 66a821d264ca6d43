#pragma once

// Store in a PostgreSQL database, shared by the shards of any number of nodes. Each client has three sessions: two
// lanes for batches, the first of them for accounts as well (write_session.h), and one for reads. What was reported
// committed is as durable as the server's synchronous_commit=on makes it.
//
// The database may come and go: while it is away calls are answered kUnavailable, sessions come back by themselves with
// growing pauses, and healthy() says how it stands.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proto/base/result.h"
#include "storage/node_id.h"
#include "storage/postgres/connector.h"
#include "storage/postgres/database.h"
#include "storage/postgres/health.h"
#include "storage/postgres/limits.h"
#include "storage/postgres/node_claim.h"
#include "storage/postgres/write_session.h"
#include "storage/store.h"

namespace uproar::storage {

class PostgresStore final : public Store {
 public:
  struct Options {
    std::string url{};   // postgres://USER:PASSWORD@HOST:PORT/DATABASE, or libpq's key=value form
    std::string node{};  // this node's name, as operators see it in pg_stat_activity
    NodeId id{};         // what other nodes find it by among those at work; nil: it is a tool
    std::uint32_t statement_timeout_ms = postgres::kStatementTimeoutMs;
    std::uint32_t answer_timeout_ms = postgres::kAnswerTimeoutMs;  // above statement_timeout_ms
    std::uint32_t connect_timeout_s = postgres::kConnectTimeoutS;
    std::uint32_t probe_interval_ms = postgres::kProbeIntervalMs;
    int server_version_min = postgres::kServerVersionMin;
  };
  using Claim = postgres::NodeClaim::Kind;

  // Blocks: checks server, rights and schema, brings the schema up to date. The error says what to do.
  static Result<std::unique_ptr<PostgresStore>, SystemError> open(Options options);
  // Clients die before it.
  ~PostgresStore() override = default;

  // Says that this node is here, until the store dies: kAlone when it has no bus, kShared when it has one. Refused when
  // that does not go with the nodes that are there. Blocks; before the node serves anybody, once.
  Result<void, SystemError> claim(Claim kind);

  // Opens the sessions of so many clients, which the next ones that are opened get: what the server has no room for is
  // refused now, with its words, instead of met later. Blocks; before the node serves anybody, once.
  Result<void, SystemError> reserve(std::uint32_t clients);

  std::unique_ptr<StoreClient> open_client(Reactor& reactor) override;
  [[nodiscard]] bool healthy() const override { return health_.is_good(); }
  [[nodiscard]] std::string_view kind() const override { return "postgres"; }

  [[nodiscard]] std::string last_error() const override { return health_.last_error(); }
  // For the log at start: what makes the promises weaker than they read.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return state_.warnings; }
  // One for each lane of each client that was ever opened, in that order.
  [[nodiscard]] std::vector<std::shared_ptr<const postgres::WriteCounters>> counters() const;

 private:
  PostgresStore(Options options, postgres::DatabaseState state);

  const Options options_;
  const postgres::DatabaseState state_;
  postgres::Health health_;
  postgres::Connector connector_;
  std::unique_ptr<postgres::NodeClaim> claim_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<postgres::WriteCounters>> counters_;
};

}  // namespace uproar::storage
