#pragma once

// A blocking session for work that is done once, in text. Errors stick: after one nothing more is sent, and the first
// is what error() says.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/postgres/connector.h"

namespace uproar::storage::postgres {

class AdminSession {
 public:
  // `answer_timeout_ms` is for each run(), row() or value(); 0: as long as it takes. `wait_ms`: for room
  // (connect_when_there_is_room()).
  static Result<AdminSession, SystemError> open(const ServerOptions& options,
                                                std::uint32_t answer_timeout_ms,
                                                std::uint32_t wait_ms);

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  // REQUIRES: !ok().
  [[nodiscard]] const SystemError& error() const { return *error_; }

  // One statement or several, without rows.
  void run(const char* sql) { (void)row(sql); }
  // The first row, NULLs as empty strings; empty when there is none or something failed.
  std::vector<std::string> row(const char* sql);
  // Its first column.
  std::string value(const char* sql);

  [[nodiscard]] int server_version() const;  // 150018
  [[nodiscard]] pg_conn* connection() const { return connection_.get(); }

 private:
  AdminSession(std::string url, std::uint32_t answer_timeout_ms, ConnectionPtr connection)
      : url_(std::move(url)),
        answer_timeout_ms_(answer_timeout_ms),
        connection_(std::move(connection)) {}

  std::string url_;
  std::uint32_t answer_timeout_ms_;
  ConnectionPtr connection_;
  std::optional<SystemError> error_;
};

}  // namespace uproar::storage::postgres
