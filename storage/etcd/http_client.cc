#include "storage/etcd/http_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include <curl/curl.h>

#include "proto/base/check.h"
#include "storage/etcd/limits.h"

namespace uproar::storage::etcd {

struct HttpClient::Request {
  RequestId id = 0;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string body;
  std::string received;
  std::string error = std::string(CURL_ERROR_SIZE, '\0');
  Line on_line;  // empty: not a stream
  Done done;
  bool is_too_large = false;
};

// libcurl calls these inside of its own calls, where it may not be called: they only take note.
struct HttpClient::Callbacks {
  static int socket(CURL* /*easy*/, curl_socket_t fd, int what, void* client, void* /*unused*/) {
    static_cast<HttpClient*>(client)->socket_changed(fd, what);
    return 0;
  }
  static int timer(CURLM* /*multi*/, long timeout_ms, void* client) {
    static_cast<HttpClient*>(client)->set_timer(timeout_ms);
    return 0;
  }
  // Of a stream nobody says anything for hours: only the kernel can find out that its other end is gone.
  static int keep_alive(void* /*client*/, curl_socket_t fd, curlsocktype /*purpose*/) {
    const int settings[][3] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                               {IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveS},
                               {IPPROTO_TCP, TCP_KEEPINTVL, 1},
                               {IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes}};
    for (const auto& [level, name, value] : settings)
      (void)::setsockopt(fd, level, name, &value, sizeof(value));
    return CURL_SOCKOPT_OK;
  }
  static std::size_t write(char* bytes, std::size_t size, std::size_t count, void* target) {
    auto& request = *static_cast<Request*>(target);
    request.is_too_large = request.received.size() + size * count > kAnswerBytesMax;
    if (request.is_too_large) return 0;  // ends the transfer
    request.received.append(bytes, size * count);
    return size * count;
  }
};

HttpClient::HttpClient(Reactor& reactor) : reactor_(reactor), multi_(curl_multi_init()) {
  UPROAR_CHECK(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Callbacks::socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Callbacks::timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

HttpClient::~HttpClient() {
  while (!requests_.empty()) end(requests_.begin()->first);
  curl_multi_cleanup(multi_);
  for (const auto& [fd, watch] : watches_) reactor_.unwatch(watch);
  if (timer_) reactor_.cancel_timer(*timer_);
}

HttpClient::Request& HttpClient::begin(const std::string& url, std::string body, Done done) {
  auto owned = std::make_unique<Request>();
  Request& request = *owned;
  request.id = ++last_id_;
  request.body = std::move(body);
  request.done = std::move(done);
  request.easy = curl_easy_init();
  UPROAR_CHECK(request.easy != nullptr);
  request.headers = curl_slist_append(nullptr, "Content-Type: application/json");
  curl_easy_setopt(request.easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(request.easy, CURLOPT_HTTPHEADER, request.headers);
  curl_easy_setopt(request.easy, CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(request.easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
  curl_easy_setopt(request.easy, CURLOPT_WRITEFUNCTION, &Callbacks::write);
  curl_easy_setopt(request.easy, CURLOPT_WRITEDATA, &request);
  curl_easy_setopt(request.easy, CURLOPT_ERRORBUFFER, request.error.data());
  curl_easy_setopt(request.easy, CURLOPT_PRIVATE, &request);
  curl_easy_setopt(request.easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(request.easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(request.easy, CURLOPT_NOPROXY, "*");  // a service of our own, not out on the web
  requests_.emplace(request.id, std::move(owned));
  return request;
}

HttpClient::RequestId HttpClient::post(const std::string& url, std::string body,
                                       std::uint32_t timeout_ms, Done done) {
  Request& request = begin(url, std::move(body), std::move(done));
  curl_easy_setopt(request.easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
  curl_multi_add_handle(multi_, request.easy);
  return request.id;
}

HttpClient::RequestId HttpClient::stream(const std::string& url, std::string body,
                                         std::uint32_t connect_timeout_ms, Line on_line,
                                         Done done) {
  Request& request = begin(url, std::move(body), std::move(done));
  request.on_line = std::move(on_line);
  curl_easy_setopt(request.easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout_ms));
  curl_easy_setopt(request.easy, CURLOPT_SOCKOPTFUNCTION, &Callbacks::keep_alive);
  curl_multi_add_handle(multi_, request.easy);
  return request.id;
}

void HttpClient::cancel(RequestId id) {
  end(id);
}

void HttpClient::end(RequestId id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  const std::unique_ptr<Request> request = std::move(found->second);
  requests_.erase(found);
  curl_multi_remove_handle(multi_, request->easy);
  curl_easy_cleanup(request->easy);
  curl_slist_free_all(request->headers);
}

void HttpClient::socket_changed(int fd, int what) {
  if (const auto found = watches_.find(fd); found != watches_.end()) {
    reactor_.unwatch(found->second);
    watches_.erase(found);
  }
  if (what == CURL_POLL_REMOVE) return;
  const auto events = static_cast<short>((what != CURL_POLL_OUT ? POLLIN : 0) |
                                         (what != CURL_POLL_IN ? POLLOUT : 0));
  watches_[fd] = reactor_.watch(fd, events, [this, fd](short ready) {
    int mask = 0;
    if ((ready & POLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((ready & POLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((ready & (POLLERR | POLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    act(fd, mask);
  });
}

void HttpClient::set_timer(long timeout_ms) {
  if (timer_) reactor_.cancel_timer(*std::exchange(timer_, std::nullopt));
  if (timeout_ms < 0) return;
  timer_ = reactor_.arm_timer(static_cast<std::uint32_t>(timeout_ms), [this] {
    timer_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void HttpClient::act(int fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  deliver_lines();
  deliver_answers();
}

void HttpClient::deliver_lines() {
  std::vector<RequestId> streams;
  for (const auto& [id, request] : requests_)
    if (request->on_line) streams.push_back(id);
  for (const RequestId id : streams) {
    for (;;) {
      const auto found = requests_.find(id);
      if (found == requests_.end()) break;  // a callback has cancelled it
      std::string& received = found->second->received;
      const auto end_of_line = received.find('\n');
      if (end_of_line == std::string::npos) break;
      const std::string line = received.substr(0, end_of_line);
      received.erase(0, end_of_line + 1);
      const Line on_line = found->second->on_line;
      on_line(line);
    }
  }
}

void HttpClient::deliver_answers() {
  int left = 0;
  std::vector<std::pair<RequestId, HttpAnswer>> answers;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Request* request = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
    HttpAnswer answer;
    const CURLcode code = message->data.result;
    if (code == CURLE_OK) {
      curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    } else if (request->is_too_large) {
      answer.error = "the answer is too large";
    } else {
      answer.error = request->error[0] != '\0' ? request->error.c_str() : curl_easy_strerror(code);
    }
    answer.body = std::move(request->received);
    answers.emplace_back(request->id, std::move(answer));
  }
  for (auto& [id, answer] : answers) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) continue;
    const Done done = std::move(found->second->done);
    end(id);
    done(std::move(answer));
  }
}

}  // namespace uproar::storage::etcd
