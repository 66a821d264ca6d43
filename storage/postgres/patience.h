#pragma once

// Waiting for a session's answers on a thread that may block, but not for ever: a server that is stopped keeps its
// connections and says nothing on them.

#include <chrono>
#include <cstdint>
#include <optional>

#include "storage/postgres/connector.h"

struct pg_result;  // PGresult of libpq

namespace uproar::storage::postgres {

class Patience {
 public:
  // 0: as long as it takes.
  explicit Patience(std::uint32_t limit_ms);

  // What PQgetResult() would return, and the caller frees. Nothing: the time is over.
  [[nodiscard]] std::optional<pg_result*> next_result(pg_conn* connection) const;

 private:
  std::optional<std::chrono::steady_clock::time_point> end_;
};

}  // namespace uproar::storage::postgres
