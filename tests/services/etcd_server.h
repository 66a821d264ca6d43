#pragma once

// An etcd of one member for tests.

#include <cstdint>
#include <memory>
#include <string>

#include "tests/services/service_process.h"

namespace uproar::services {

class EtcdServer {
 public:
  // Starts it on its ports and waits until it is healthy. Fails the process with its log when it is not.
  void start();
  void kill_now() { process_->kill_now(); }
  void pause() { process_->pause(); }
  void proceed() { process_->proceed(); }
  // Starts it again without any of its data. REQUIRES: it was killed.
  void start_empty();

  // The body of the answer to a POST, by the curl program; empty without an answer.
  std::string ask(const std::string& path, const std::string& body);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  TempFolder folder_;
  std::uint16_t port_ = 0;
  std::uint16_t peer_port_ = 0;
  int data_ = 0;
  std::unique_ptr<ServiceProcess> process_;
};

}  // namespace uproar::services
