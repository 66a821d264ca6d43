#pragma once

// HTTP POSTs by libcurl's multi socket interface over storage::Reactor: no thread of its own waits.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/reactor.h"

namespace uproar::storage::etcd {

struct HttpAnswer {
  long status = 0;    // 0: there was no answer
  std::string error;  // why not, in libcurl's words
  std::string body;   // of a stream: the rest without a line end
};

class HttpClient {
 public:
  using RequestId = std::uint64_t;
  using Done = std::function<void(HttpAnswer)>;
  using Line = std::function<void(std::string_view)>;  // without its line end; dies on return

  // `reactor` outlives it.
  explicit HttpClient(Reactor& reactor);
  ~HttpClient();  // silent: no callback comes any more
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `done` runs later, once, unless cancelled. Callbacks may start and cancel requests, and may not destroy the client.
  RequestId post(const std::string& url, std::string body, std::uint32_t timeout_ms, Done done);
  // An answer that goes on: each whole line is handed over as it comes. `connect_timeout_ms` is for its beginning.
  RequestId stream(const std::string& url, std::string body, std::uint32_t connect_timeout_ms,
                   Line on_line, Done done);
  void cancel(RequestId id);

 private:
  struct Request;
  struct Callbacks;  // what libcurl calls

  Request& begin(const std::string& url, std::string body, Done done);
  void socket_changed(int fd, int what);
  void set_timer(long timeout_ms);
  void act(int fd, int events);
  void deliver_lines();
  void deliver_answers();
  void end(RequestId id);

  Reactor& reactor_;
  void* multi_;  // CURLM*
  std::map<RequestId, std::unique_ptr<Request>> requests_;
  std::map<int, Reactor::WatchId> watches_;  // by descriptor
  std::optional<Reactor::TimerId> timer_;
  RequestId last_id_ = 0;
};

}  // namespace uproar::storage::etcd
