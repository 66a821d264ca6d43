#include "storage/postgres/admin_session.h"

#include <memory>

#include <libpq-fe.h>

#include "storage/postgres/failure.h"
#include "storage/postgres/patience.h"

namespace uproar::storage::postgres {

Result<AdminSession, SystemError> AdminSession::open(const ServerOptions& options,
                                                     std::uint32_t answer_timeout_ms,
                                                     std::uint32_t wait_ms) {
  auto connection = connect_when_there_is_room(options, Purpose::kAdmin, wait_ms);
  if (!connection.ok()) return Err{connection.error()};
  return AdminSession(options.url, answer_timeout_ms, std::move(connection).value());
}

std::vector<std::string> AdminSession::row(const char* sql) {
  std::vector<std::string> out;
  if (!ok()) return out;
  PQsendQuery(connection_.get(), sql);
  const Patience patience(answer_timeout_ms_);
  while (true) {  // several statements have several results
    const std::optional<PGresult*> next = patience.next_result(connection_.get());
    if (!next) {
      error_ = describe_failure(url_, "open", "no answer in time");
      return out;
    }
    if (*next == nullptr) return out;
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(*next, &PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && ok()) {
      error_ = describe_failure(url_, "open", failure_of(result.get()));
    }
    if (status != PGRES_TUPLES_OK || PQntuples(result.get()) == 0) continue;
    out.clear();
    for (int column = 0; column < PQnfields(result.get()); ++column)
      out.emplace_back(PQgetvalue(result.get(), 0, column));
  }
}

int AdminSession::server_version() const {
  return PQserverVersion(connection_.get());
}

std::string AdminSession::value(const char* sql) {
  std::vector<std::string> values = row(sql);
  return values.empty() ? std::string() : std::move(values.front());
}

}  // namespace uproar::storage::postgres
