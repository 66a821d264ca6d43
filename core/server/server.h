#pragma once

// The process: checks what the machine allows, opens the store, starts a shard per core, waits for a signal, drains.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/server/config.h"
#include "core/server/limits.h"
#include "proto/base/result.h"

namespace uproar::server {

class Server {
 public:
  // `config` is resolved, and copied. Nothing is started yet. `services_wait_ms`: how long start() waits for Redis and etcd.
  explicit Server(Config config, std::uint32_t services_wait_ms = kServicesWaitMs);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Everything up to and including "ready to accept". On an error nothing keeps running.
  [[nodiscard]] Result<void, SystemError> start();
  // Blocks until SIGTERM or SIGINT, then drains: no new connections, every client is told when to come back, and what
  // was staged commits, all within the drain's time. What was not acknowledged by then may be lost; its sender knows
  // nothing else. A second signal stops at once. REQUIRES: the signals are blocked in all threads (block_signals()).
  void run_until_signal();
  // Stops at once.
  void stop();

  [[nodiscard]] std::uint16_t port() const;
  // Where metrics and administration are: "http://127.0.0.1:9080", "unix:/PATH"; empty: --admin-listen off.
  [[nodiscard]] std::string admin_url() const;
  [[nodiscard]] std::uint16_t admin_port() const;  // 0: none
  // Prometheus text format. REQUIRES: start() has succeeded, stop() has not been called.
  [[nodiscard]] std::string render_metrics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Puts what this machine decides (shards 0: one per processor that this process may use) in place of the placeholders.
void resolve(Config& config);

// Call first thing in main(): threads inherit it, and only run_until_signal() hears SIGTERM and SIGINT.
void block_signals();

}  // namespace uproar::server
