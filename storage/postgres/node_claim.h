#pragma once

// Which nodes share a database. A node that has no bus must be the only one, or its clients would not hear those of the
// others; nodes with a bus may be many. An advisory lock tells: held alone or shared, for as long as its session lives,
// so a node that died leaves nothing behind.
//
// The session is watched by a thread, which claims again after it broke (a restart of the database, mostly). Between the
// two somebody else may have come; then the claim is lost until it goes, health says so, and no session that commits is
// let in beside theirs (node_lock.h).

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "proto/base/result.h"
#include "storage/postgres/admin_session.h"
#include "storage/postgres/health.h"

namespace uproar::storage::postgres {

class NodeClaim {
 public:
  enum class Kind : std::uint8_t { kAlone, kShared };

  // Blocks, up to kClaimWaitMs for a node that is just going: its session ends at the server a moment after its process.
  // Refused with the names of those who are there. `health` outlives the claim.
  static Result<std::unique_ptr<NodeClaim>, SystemError> take(ServerOptions options, Kind kind,
                                                              Health& health);
  ~NodeClaim();
  NodeClaim(const NodeClaim&) = delete;
  NodeClaim& operator=(const NodeClaim&) = delete;

  // From any thread.
  [[nodiscard]] bool is_held() const { return is_held_.load(std::memory_order_acquire); }

 private:
  NodeClaim(ServerOptions options, Kind kind, Health& health, AdminSession session, int stop_fd);
  // Tries for `wait_ms`.
  static Result<AdminSession, SystemError> claim(const ServerOptions& options, Kind kind,
                                                 std::uint32_t wait_ms);
  void run();
  // True: the destructor wants us to end.
  bool wait_for_end_of_session(int timeout_ms);

  const ServerOptions options_;
  const Kind kind_;
  Health& health_;
  AdminSession session_;  // the thread's
  const int stop_fd_;
  std::atomic<bool> is_held_{true};
  std::thread thread_;
};

}  // namespace uproar::storage::postgres
