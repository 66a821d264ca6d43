#pragma once

// A redis-server, and a cluster of three, for tests. Commands are asked by a blocking connection of hiredis, which knows
// nothing of the code under test.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/services/service_process.h"

namespace uproar::services {

class RedisServer {
 public:
  // `settings` go to the command line: {"--requirepass", "x"}. `password` is used by ask().
  explicit RedisServer(std::vector<std::string> settings = {}, std::string password = "");

  // Starts it on its port and waits until it answers. Fails the process with the server's log when it does not.
  void start();
  void kill_now() { process_->kill_now(); }
  void restart() {
    kill_now();
    start();
  }
  void pause() { process_->pause(); }
  void proceed() { process_->proceed(); }

  // The reply as text, nested arrays with a space between their elements; "(nil)", and "(no answer)" without one.
  std::string ask(std::initializer_list<std::string_view> command);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const;

 private:
  TempFolder folder_;
  std::vector<std::string> settings_;
  std::string password_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ServiceProcess> process_;
};

// Three primaries without replicas; slots 0-5460, 5461-10922, 10923-16383.
class RedisCluster {
 public:
  static constexpr std::size_t kNodes = 3;
  RedisCluster();

  void start();
  [[nodiscard]] RedisServer& node(std::size_t index) { return *nodes_[index]; }
  [[nodiscard]] std::string url() const;
  // The index of the node that has `slot` by its own word.
  [[nodiscard]] std::size_t owner_of(std::uint16_t slot);
  // Every node agrees that `to` has the slot from now on.
  void move_slot(std::uint16_t slot, std::size_t to);
  [[nodiscard]] bool is_ok();

 private:
  [[nodiscard]] bool has_one_epoch();

  std::vector<std::unique_ptr<RedisServer>> nodes_;
};

}  // namespace uproar::services
