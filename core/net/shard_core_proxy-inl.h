#pragma once

// Connections of trusted proxies. Until it is known whose one is, nobody is charged for it (Connection::address is none), and no
// limit of an address counts it:
//
//   PROXY protocol  known from its header on, and until it ends
//   headers         of a WebSocket known from its handshake on; of other requests from one to its answer, as the next may be
//                   somebody else's

#include <algorithm>
#include <string>

#include "core/net/shard_core.h"
#include "core/net/shard_core_accept-inl.h"
#include "core/net/shard_core_share-inl.h"

namespace uproar::net {

// `step` names a client. False: they are over a limit, and it was refused.
template <class Io>
bool ShardCore<Io>::take_client(std::uint32_t slot, Connection& c, const HttpStep& step) {
  const PeerAddress client = client_address(c);
  if (const std::string_view refusal = refusal_of(client, step.is_new_client); !refusal.empty()) {
    refuse_client(slot, c, step.kind, refusal, 1);
    return false;
  }
  join_address(slot, c, client);
  if (step.kind == HttpStep::Kind::kProxied) return true;
  // Not to be read for a while would stop the requests of others that come this way.
  const std::int64_t wait_us = owes_us(c);
  if (wait_us == 0) return true;
  counters_.work_throttled.add();
  leave_address(slot, c);
  refuse_client(slot, c, step.kind, "this address has caused too much work",
                wait_us / 1'000'000 + 1);
  return false;
}

template <class Io>
void ShardCore<Io>::leave_address(std::uint32_t slot, Connection& c) {
  if (c.address == ClientTable::kNone) return;
  leave_sessionless(slot, c);
  clients_.hold(c.client, -std::int64_t{c.held_bytes});
  leave_clients(c);
  c.address = ClientTable::kNone;
  c.client = ClientTable::kNone;
}

// A connection ends, as it would have when it was accepted; a request is answered, and those of others follow.
template <class Io>
void ShardCore<Io>::refuse_client(std::uint32_t slot, Connection& c, HttpStep::Kind kind,
                                  std::string_view message, std::int64_t retry_after_s) {
  if (kind == HttpStep::Kind::kProxied) return end(slot, c);
  counters_.request_errors.add();
  const std::string seconds = std::to_string(retry_after_s);
  const http::Header retry{.name = "Retry-After", .value = seconds};
  const std::string body = error_body(error_code_of(429), message);
  respond(id_of(slot, c),
          {.status = 429, .content_type = "application/json", .headers = {&retry, 1}, .body = body},
          kind == HttpStep::Kind::kUpgrade);
}

}  // namespace uproar::net
