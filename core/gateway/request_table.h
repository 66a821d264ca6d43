#pragma once

// REST requests that wait for the domain or the store. A slot per waiting request; an Endpoint of kind kRequest
// names it. A connection has one request at a time, so the table is bounded by the connections of the shard.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/chat/endpoint.h"
#include "core/net/handler.h"
#include "core/net/shard_net.h"
#include "proto/chat/account.h"

namespace uproar::gateway {

class RequestTable {
 public:
  struct Waiting {
    net::ConnectionId connection;
  };

  // `shard`: this one's index. `requests_max`: above it add() refuses, the caller answers `overloaded`.
  RequestTable(std::uint16_t shard, std::uint32_t requests_max)
      : shard_(shard), requests_max_(requests_max) {}

  [[nodiscard]] std::optional<chat::Endpoint> add(net::ConnectionId connection);
  // sync and unread.fetch: the domain answers with several events, the client wants one body.
  void collect(const chat::Endpoint& request);
  // What has been collected so far; nullptr for requests that are answered by one event.
  [[nodiscard]] chat::SyncAnswer* collected(const chat::Endpoint& request);
  // Forgets the request and says whose it was; nullopt for one that was answered before.
  [[nodiscard]] std::optional<Waiting> take(std::uint32_t slot, std::uint32_t generation);
  [[nodiscard]] std::uint32_t size() const { return used_; }

 private:
  struct Slot {
    net::ConnectionId connection;
    std::uint32_t generation = 1;
    bool used = false;
    std::unique_ptr<chat::SyncAnswer> collected;
  };
  const std::uint16_t shard_;
  const std::uint32_t requests_max_;
  std::uint32_t used_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

// A JSON answer and what becomes headers of it.
struct JsonAnswer {
  int status = 200;
  std::string_view body;
  std::uint32_t retry_after_ms = 0;  // above 0: Retry-After in whole seconds, rounded up
  std::string_view allow = {};       // of a 405: Allow (RFC 9110 §15.5.6)
  std::string_view set_cookie = {};  // Set-Cookie; empty: none
  bool shared = true;                // net::Reply::shared
  bool token_refused = false;        // of a 401: a token was given, and it is not good
};
// A 401 also names its scheme.
void respond_json(net::ShardNet& net, net::ConnectionId to, const JsonAnswer& answer);

}  // namespace uproar::gateway
