#pragma once

// A database as the target of a transfer: one transaction of COPYs into empty tables, while no node is on it. What is
// interrupted leaves nothing.

#include <memory>
#include <string>

#include "storage/postgres/connector.h"
#include "storage/postgres/health.h"
#include "storage/postgres/node_claim.h"
#include "storage/transfer.h"

struct pg_result;  // PGresult of libpq

namespace uproar::storage::postgres {

class Import final : public TransferTarget {
 public:
  // Checks server, rights and schema and brings it up to date, as a store would. Refused when anything is kept there
  // already, or a node is on the database.
  static Result<std::unique_ptr<Import>, SystemError> open(const ServerOptions& options);
  ~Import() override;

  Result<std::uint64_t, SystemError> count(const TransferTable& table) override;
  Result<std::vector<ConversationSummary>, SystemError> summaries(const ConversationId& after,
                                                                  std::uint32_t limit) override;
  Result<void, SystemError> begin_table(const TransferTable& table) override;
  bool put(Row row) override;
  Result<void, SystemError> end_table() override;
  Result<void, SystemError> finish() override;

 private:
  Import(ServerOptions options, ConnectionPtr connection);
  bool run(const char* sql);
  // What `result`, which is freed, or else the connection, says went wrong.
  SystemError failure(pg_result* result);
  bool send_rows();

  const ServerOptions options_;
  Health health_;
  std::unique_ptr<NodeClaim> claim_;  // before the session: a node that comes meanwhile is refused
  ConnectionPtr connection_;
  TransferTable table_{};
  std::string rows_;  // encoded, not sent yet
};

}  // namespace uproar::storage::postgres
