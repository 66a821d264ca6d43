#include "tests/services/etcd_server.h"

#include <array>
#include <cstdio>

#include "proto/base/check.h"

namespace uproar::services {

void EtcdServer::start() {
  for (int attempt = 0; attempt < 5; ++attempt) {
    const bool is_first = port_ == 0;
    if (is_first) {
      port_ = free_port();
      peer_port_ = free_port();
    }
    const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
    process_ = std::make_unique<ServiceProcess>(
        std::vector<std::string>{
            "etcd", "--name", "e1", "--data-dir", folder_.path() + "/data" + std::to_string(data_),
            "--listen-client-urls", url(), "--advertise-client-urls", url(), "--listen-peer-urls",
            peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "e1=" + peer,
            "--logger", "zap", "--log-level", "warn"},
        folder_.path() + "/log");
    process_->start();
    const bool is_ready = wait_until([&] {
      return !process_->is_running() ||
             ask("/v3/kv/range", R"({"key":"YQ=="})").find("revision") != std::string::npos;
    });
    if (is_ready && process_->is_running()) return;
    if (is_first) port_ = 0;
  }
  std::fputs(process_->log_text().c_str(), stderr);
  UPROAR_CHECK(false);  // etcd does not start; its log is above
}

void EtcdServer::start_empty() {
  ++data_;
  start();
}

std::string EtcdServer::ask(const std::string& path, const std::string& body) {
  const std::string command =
      "curl -s --noproxy '*' --max-time 10 -X POST '" + url() + path + "' -d '" + body + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  UPROAR_CHECK(pipe != nullptr);
  std::string answer;
  std::array<char, 4096> piece;
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe.get()))
    answer.append(piece.data(), got);
  return answer;
}

}  // namespace uproar::services
