#pragma once

// How what operators ask is answered: at the public address and at that of --admin-listen.

#include <string_view>

#include "core/gateway/door.h"
#include "core/gateway/event_gateway.h"
#include "core/gateway/request_table.h"
#include "core/net/shard_net.h"
#include "proto/chat/error_code.h"

namespace uproar::gateway {

// Not for pages of other origins, listed or not: what they are listed for is the API.
inline void answer_operator(net::ShardNet& net, net::ConnectionId connection, int status,
                            std::string_view body, std::string_view allow = {}) {
  respond_json(net, connection, {.status = status, .body = body, .allow = allow, .shared = false});
}

// True: the request was no GET or HEAD, and is answered.
[[nodiscard]] inline bool refuse_other_methods(net::ShardNet& net, net::ConnectionId connection,
                                               const http::Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return false;
  answer_operator(net, connection, 405, error_body(error(chat::ErrorCode::kMethodNotAllowed)),
                  "GET, HEAD");
  return true;
}

}  // namespace uproar::gateway
