#include "storage/postgres/admin_session.h"

#include <memory>

#include <libpq-fe.h>

namespace uproar::storage::postgres {

Result<AdminSession, SystemError> AdminSession::open(const ServerOptions& options) {
  auto connection = connect(options, Purpose::kAdmin);
  if (!connection.ok()) return Err{connection.error()};
  return AdminSession(options.url, std::move(connection).value());
}

std::vector<std::string> AdminSession::row(const char* sql) {
  std::vector<std::string> out;
  if (!ok()) return out;
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql),
                                                             &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    error_ = describe_failure(url_, "open", PQresultErrorField(result.get(), PG_DIAG_SQLSTATE),
                              PQerrorMessage(connection_.get()));
    return out;
  }
  if (PQntuples(result.get()) == 0) return out;
  for (int column = 0; column < PQnfields(result.get()); ++column)
    out.emplace_back(PQgetvalue(result.get(), 0, column));
  return out;
}

int AdminSession::server_version() const {
  return PQserverVersion(connection_.get());
}

std::string AdminSession::value(const char* sql) {
  std::vector<std::string> values = row(sql);
  return values.empty() ? std::string() : std::move(values.front());
}

}  // namespace uproar::storage::postgres
