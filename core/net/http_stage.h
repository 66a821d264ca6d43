#pragma once

// The HTTP half of a connection: bytes in, one verdict at a time out. No ring, no clock, no sending: tests feed it bytes
// cut anywhere. Lives on the heap while a connection speaks HTTP and goes with the upgrade.
//
//   rest = received
//   for (;;) {
//     HttpStep step = stage.step(rest);  rest = rest.subspan(step.consumed);
//     kNeedMore  all was taken; step.send_continue: write http::kContinueResponse
//     kProxied   the PROXY header has been read: client_address() says whose connection it is
//     kNoProxyHeader  there is none: close, without an answer
//     kRequest   hand up; then nothing more is taken before answered(): keep what follows with stash()
//     kUpgrade   a handshake that passed RFC 6455 and Origin; accept or refuse; `rest` belongs to the WebSocket
//     kRefused   answer step.refusal and close
//   }
//
// Whose connection it is, and whose request (client_address()): the peer's, unless that is a trusted proxy. Then its
// PROXY header names the client of the connection; and whom Forwarded or X-Forwarded-For name is the client of that
// request alone, as a proxy may send requests of many over one connection. Nobody else's headers are looked at.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/peer_address.h"
#include "proto/base/bytes.h"
#include "proto/base/ip_address.h"
#include "proto/http/origin.h"
#include "proto/http/proxy_header.h"
#include "proto/http/request_parser.h"
#include "proto/http/response_writer.h"
#include "proto/ws/handshake.h"

namespace uproar::net {

// An answer that this layer gives by itself. Static texts.
struct HttpRefusal {
  int status = 400;
  std::string_view code;  // of the JSON body: "bad_request", "forbidden_origin", ...
  std::string_view message;
  http::Header header;  // one more header line; empty name: none
};

struct HttpStep {
  enum class Kind : std::uint8_t {
    kNeedMore,
    kProxied,
    kNoProxyHeader,
    kRequest,
    kUpgrade,
    kRefused
  };
  Kind kind = Kind::kNeedMore;
  bool send_continue = false;
  std::size_t consumed = 0;
  HttpRefusal refusal;  // kRefused
  // A trusted proxy has said whose the connection is (kProxied) or the request (kRequest, kUpgrade), and it is not its own.
  bool names_client = false;
  // And it spoke for somebody else before, or for nobody: limits of new connections count that client now.
  bool is_new_client = false;
};

// Who is at the other end of a connection.
struct HttpPeer {
  PeerAddress address;
  std::span<const IpNetwork> trusted_proxies = {};  // borrowed, outlives the stage
  bool sends_proxy_header = false;
};

// {"type":"error","code":...,"message":...} for a status of this layer's or a handler's without a body.
[[nodiscard]] std::string error_body(std::string_view code, std::string_view message);
// "bad_request" for 400 and so on; "error" for those without a name here.
[[nodiscard]] std::string_view error_code_of(int status);

class HttpStage {
 public:
  // Limits and origins are borrowed and outlive the stage.
  HttpStage(const http::RequestLimits& limits, const http::OriginPolicy& origins,
            const HttpPeer& peer = {});

  // Of the request that waits for its answer, else of the connection. A trusted proxy's own address: its own
  // requests, or those of whom it does not name.
  [[nodiscard]] const PeerAddress& client_address() const { return client_; }
  // A trusted proxy's, which may send requests of many clients over it.
  [[nodiscard]] bool is_shared() const { return is_shared_; }

  // REQUIRES: !awaiting_answer().
  [[nodiscard]] HttpStep step(ByteView input);

  // kRequest and kUpgrade: the request; dies with the input, the next step() or answered().
  [[nodiscard]] const http::Request& request() const { return request_; }
  // kUpgrade.
  [[nodiscard]] ws::HandshakeRequest handshake() const;

  // A request was handed up and has no answer yet.
  [[nodiscard]] bool awaiting_answer() const { return awaiting_; }
  // How the answer is to be framed. Valid from kRequest until answered(); before that, for a
  // refusal, its head_request.
  [[nodiscard]] http::ResponseContext answer_context(std::string_view date) const;
  void answered();

  // A page of a listed origin sent the request that waits for its answer.
  [[nodiscard]] bool from_listed_origin() const { return !listed_origin_.empty(); }
  // What the answer says about it. Borrows from the stage.
  void add_origin_headers(std::vector<http::Header>& headers) const;

  // Keeps bytes that came behind an unanswered request.
  void stash(ByteView bytes) { stash_.insert(stash_.end(), bytes.begin(), bytes.end()); }
  [[nodiscard]] std::size_t stash_bytes() const { return stash_.size(); }
  [[nodiscard]] std::vector<std::byte> take_stash() { return std::move(stash_); }

  // No byte of a request is pending.
  [[nodiscard]] bool idle() const { return !awaiting_ && parser_.idle(); }
  [[nodiscard]] std::size_t buffer_bytes() const {
    return parser_.buffer_bytes() + stash_.capacity();
  }

 private:
  [[nodiscard]] HttpStep proxy_header_step(ByteView input);
  // What is wrong with the request's headers; empty: nothing, and client_ is set.
  [[nodiscard]] std::string_view find_client();
  [[nodiscard]] HttpStep named(HttpStep step);

  http::RequestParser parser_;
  const http::OriginPolicy& origins_;
  const std::span<const IpNetwork> trusted_proxies_;
  std::unique_ptr<http::ProxyHeaderParser> proxy_header_;  // while it is awaited
  PeerAddress source_;                                     // whose connection it is
  PeerAddress client_;                                     // whose request it is
  PeerAddress counted_;                                    // of whom a proxy spoke last
  bool is_shared_ = false;
  http::Request request_;
  std::vector<std::byte> stash_;
  std::string listed_origin_;  // of the request that is being answered
  bool awaiting_ = false;
  bool keep_alive_ = false;  // of the request that is being answered: its views may be gone by then
  bool head_request_ = false;  // also of one that is not whole
  std::uint8_t version_minor_ = 1;
};

}  // namespace uproar::net
