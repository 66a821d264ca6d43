#include "storage/postgres/patience.h"

#include <poll.h>

#include <libpq-fe.h>

namespace uproar::storage::postgres {

Patience::Patience(std::uint32_t limit_ms) {
  if (limit_ms != 0) end_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms);
}

std::optional<pg_result*> Patience::next_result(pg_conn* connection) const {
  while (PQisBusy(connection) != 0) {
    int wait_ms = -1;
    if (end_) {
      const auto left = *end_ - std::chrono::steady_clock::now();
      wait_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
      if (wait_ms <= 0) return std::nullopt;
    }
    pollfd fd{.fd = PQsocket(connection), .events = POLLIN, .revents = 0};
    poll(&fd, 1, wait_ms);
    // An end of the connection makes it not busy, and the next result says so.
    if (fd.revents != 0 && PQconsumeInput(connection) == 0) break;
  }
  return PQgetResult(connection);
}

}  // namespace uproar::storage::postgres
