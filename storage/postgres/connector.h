#pragma once

// Makes connections, on a thread of its own: names are looked up, TLS and SCRAM are computed and statements are prepared
// there, all of which would stop a shard for milliseconds, or for seconds when nobody answers.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proto/base/result.h"
#include "storage/node_id.h"

struct pg_conn;  // PGconn of libpq

namespace uproar::storage::postgres {

struct CloseConnection {
  void operator()(pg_conn* connection) const;
};
using ConnectionPtr = std::unique_ptr<pg_conn, CloseConnection>;

// What a session is for, hence how it is set up.
enum class Purpose : std::uint8_t {
  kAdmin,  // migrations and checks: nothing prepared
  kWrite,  // batches and accounts
  kRead    // one snapshot for each unit, read only
};

struct ServerOptions {
  std::string url;
  std::string node;       // shown in pg_stat_activity
  NodeDigest digest = 0;  // what sessions that write hold (node_lock.h); 0: those of a tool
  bool is_lone = false;   // it has no bus: no other node commits beside it
  std::uint32_t statement_timeout_ms = 0;
  std::uint32_t connect_timeout_s = 0;
};

// Blocks until the session is ready for its purpose. The error names the server, without its password.
Result<ConnectionPtr, SystemError> connect(const ServerOptions& options, Purpose purpose);

// Where the server has no room, somebody may just be going: his sessions end at the server a moment after his process. So
// long it is asked again.
Result<ConnectionPtr, SystemError> connect_when_there_is_room(const ServerOptions& options,
                                                              Purpose purpose,
                                                              std::uint32_t wait_ms);

class Connector {
 public:
  using Connected = std::function<void(Result<ConnectionPtr, SystemError>)>;

  explicit Connector(ServerOptions options);
  // Ends after the attempt under way; those that wait are not answered.
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // Opens sessions that the next requests for such a one get. Blocks, for each as connect_when_there_is_room().
  Result<void, SystemError> stock(Purpose purpose, std::uint32_t count, std::uint32_t wait_ms);
  // From any thread; `connected` runs on the connector's.
  void request(Purpose purpose, Connected connected);
  // Before the first request().
  void set_lone() { options_.is_lone = true; }
  [[nodiscard]] const ServerOptions& options() const { return options_; }

 private:
  struct Request {
    Purpose purpose;
    Connected connected;
  };
  void run();
  ConnectionPtr take_from_stock(Purpose purpose);

  ServerOptions options_;
  std::mutex mutex_;
  std::condition_variable has_requests_;
  std::deque<Request> requests_;  // three for each client at most
  bool is_stopping_ = false;
  std::vector<std::pair<Purpose, ConnectionPtr>> stock_;
  std::thread thread_;
};

}  // namespace uproar::storage::postgres
