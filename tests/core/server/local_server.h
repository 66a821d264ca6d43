#pragma once

// A whole server in this process, on a port and in a folder of its own, and a client that knows nothing but sockets.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/server/server.h"
#include "proto/chat/ids.h"
#include "tests/core/server/temp_folder.h"

namespace uproar::server {

struct HttpAnswer {
  int status = 0;                              // 0: the connection ended instead
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

struct WsMessage {
  std::uint8_t opcode = 0;  // 1 text, 8 close; 0: the connection ended instead
  std::string payload;
  [[nodiscard]] int close_code() const;
};

// One blocking connection. Nothing waits longer than ten seconds: a server that says nothing fails the test.
class Client {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit Client(std::uint16_t port);
  explicit Client(const std::string& path);  // of a Unix socket
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  HttpAnswer request(std::string_view method, std::string_view target, const Headers& headers = {},
                     std::string_view body = {});
  void write(std::string_view bytes) const;
  // `head`: the answer to a HEAD request has no body whatever its Content-Length.
  HttpAnswer read_answer(bool head = false);
  // The other side has closed: nothing more comes.
  [[nodiscard]] bool at_end();

  // Why nothing more was read; empty while something was.
  [[nodiscard]] const std::string& ending() const { return ending_; }

  // Asks for a WebSocket. The answer: 101, or why not.
  HttpAnswer upgrade(std::string_view target, const Headers& headers = {});
  void say(std::string_view text) const;  // one masked text frame of at most 65,535 bytes
  WsMessage hear();                       // one whole frame; pings are skipped

 private:
  void set_limit() const;
  bool fill();
  std::string take(std::size_t bytes);

  int fd_ = -1;
  std::string buffered_;
  std::string ending_;
};

// Two shards, so that a connection's shard is not always the one that holds what it asks for.
[[nodiscard]] Config local_config(const std::string& folder);

class LocalServer {
 public:
  LocalServer();

  [[nodiscard]] std::uint16_t port() const { return server_.port(); }
  [[nodiscard]] std::uint16_t admin_port() const { return server_.admin_port(); }
  [[nodiscard]] std::string metrics() const { return server_.render_metrics(); }
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }

  struct TokenSpec {
    UserId user = {};  // nil: a fresh one
    std::chrono::seconds lives{60};
    std::string key = {};  // empty: the server's
    std::string sid = {};  // empty: belongs to no login
  };
  [[nodiscard]] std::string token(const TokenSpec& spec) const;
  [[nodiscard]] std::string token() const { return token(TokenSpec{}); }
  // Registers a fresh person; the body of the answer.
  [[nodiscard]] std::string person() const;

  static UserId fresh_user();

 private:
  TempFolder folder_;
  Server server_;
};

inline Client::Headers bearer(const std::string& token) {
  return {{"Authorization", "Bearer " + token}};
}

}  // namespace uproar::server
