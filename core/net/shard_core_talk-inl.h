#pragma once

// What is said on a connection: requests and their answers, the upgrade, WebSocket messages and control frames.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/net/shard_core.h"
#include "core/net/shard_core_life-inl.h"
#include "core/net/shard_core_pause-inl.h"
#include "core/net/shard_core_proxy-inl.h"
#include "core/net/shard_core_share-inl.h"
#include "proto/base/check.h"
#include "proto/base/weakness.h"

namespace uproar::net {

// --- HTTP -----------------------------------------------------------------------------------------------------------

// Nothing more is asked on the peer's behalf before it has its answer and has read most of those before: what it does
// not read would pile up here.
template <class Io>
bool ShardCore<Io>::http_waits(const Connection& c) const {
  return c.http()->awaiting_answer() ||
         (c.egress != nullptr && c.egress->unsent_bytes() > options_.egress_low_water_bytes);
}

template <class Io>
void ShardCore<Io>::resume_http(std::uint32_t slot, Connection& c) {
  if (!c.in_input) list_resumed(slot, c);  // else the loop further up goes on by itself
}

template <class Io>
void ShardCore<Io>::leave_http(std::uint32_t slot, Connection& c) {
  if (c.http() == nullptr) return;
  c.stage.template emplace<std::monostate>();
  count_held(slot, c);
}

template <class Io>
void ShardCore<Io>::on_http_bytes(std::uint32_t slot, Connection& c, MutableBytes bytes) {
  c.in_input = true;
  while (c.state == ConnectionState::kHttp) {
    const bool must_wait = !bytes.empty() && !may_go_on(c);
    if (http_waits(c) || must_wait || c.throttled ||
        c.resume) {  // or what came before is about to be looked at
      c.http()->stash(bytes);
      if (must_wait) defer(slot, c);
      if (c.http()->stash_bytes() > kPipelinedBytesMax) stop_reading(slot, c);
      break;
    }
    if (bytes.empty()) break;
    const bool was_idle = c.http()->idle();
    const HttpStep step = c.http()->step(bytes);
    bytes = bytes.subspan(step.consumed);
    if (step.names_client && !take_client(slot, c, step)) continue;
    charge(c, step.consumed * kReceivedByteUnits +
                  (step.kind == HttpStep::Kind::kNeedMore ? 0 : kRequestUnits));
    if (step.kind == HttpStep::Kind::kNeedMore) {
      if (step.send_continue) {
        queue_always(slot, c, SharedBytes::copy_of(http::kContinueResponse), 0,
                     DeliveryClass::kMessage, EgressQueue::kNoTag);
      }
      // Absolute: from the first byte of a request to its last, however slowly they come.
      if ((was_idle || weakened(Weakness::kSlowRequests)) && !c.http()->idle())
        set_deadline(slot, c, options_.handshake_deadline_ms);
      break;
    }
    if (step.kind == HttpStep::Kind::kRefused) {
      refuse(slot, c, step.refusal);
      break;
    }
    if (step.kind == HttpStep::Kind::kNoProxyHeader) {
      counters_.refused_proxy_header.add();
      end(slot, c);
      break;
    }
    if (step.kind == HttpStep::Kind::kProxied) continue;
    if (step.kind == HttpStep::Kind::kUpgrade) {
      on_upgrade(slot, c, bytes);
      return;
    }
    counters_.requests.add();
    set_deadline(slot, c, options_.http_answer_ms);
    handler_.on_request(id_of(slot, c), c.http()->request());
  }
  c.in_input = false;
  if (c.state == ConnectionState::kHttp)
    count_held(slot, c);
  else
    leave_http(slot, c);
}

template <class Io>
void ShardCore<Io>::on_upgrade(std::uint32_t slot, Connection& c, MutableBytes rest) {
  const UpgradeAnswer answer = handler_.on_upgrade(id_of(slot, c), c.http()->request());
  c.in_input = false;
  if (c.state != ConnectionState::kHttp) return;  // the handler closed it
  if (!answer.accept || draining_) {
    counters_.upgrades_refused.add();
    const bool is_late = draining_ && answer.accept;
    const int status = is_late ? 503 : answer.status;
    const http::Header header =
        is_late ? http::Header{.name = "Retry-After", .value = "1"} : answer.header;
    std::string body = answer.body;
    if (body.empty()) body = error_body(error_code_of(status), "the connection was refused");
    http::ResponseContext context = c.http()->answer_context(date());
    context.keep_alive = false;
    if (write_answer(slot, c,
                     {.status = static_cast<std::uint16_t>(status),
                      .content_type = "application/json",
                      .headers = {&header, header.name.empty() ? std::size_t{0} : std::size_t{1}},
                      .body = body},
                     context)) {
      answer_done(slot, c, false);
    }
    return;
  }
  const ws::HandshakeRequest shake = c.http()->handshake();
  const auto agreed = options_.deflate ? shake.negotiate_deflate() : std::nullopt;
  queue_always(slot, c, SharedBytes::copy_of(shake.response(answer.subprotocol, agreed)), 0,
               DeliveryClass::kMessage, EgressQueue::kNoTag);
  // A client that reads only small windows is not sent compressed frames: they are made once, for the large one.
  c.deflate = agreed.has_value() && agreed->server_max_window_bits == ws::kWindowBitsMax;
  c.context = answer.context;
  // A trusted proxy that names nobody opens it for itself: somebody has to pay for it.
  if (c.address == ClientTable::kNone) join_address(slot, c, client_address(c));
  leave_http(slot, c);  // the request's views end here
  if (!options_.has_sessions) leave_sessionless(slot, c);
  const bool is_limited = options_.has_sessions && options_.sessionless_message_bytes_max != 0 &&
                          !weakened(Weakness::kSessionlessMessages);
  c.stage.template emplace<WsStage>(
      WsStage::Options{.message_bytes_max = is_limited ? options_.sessionless_message_bytes_max
                                                       : options_.message_bytes_max,
                       .deflate = agreed.has_value()});
  c.state = ConnectionState::kOpen;
  c.was_open = true;
  counters_.upgrades.add();
  counters_.websockets.add(1);
  clear_deadline(c);
  arm_timer(slot, c);
  handler_.on_open(id_of(slot, c));
  if (!rest.empty() &&
      (c.state == ConnectionState::kOpen || c.state == ConnectionState::kCloseSent)) {
    on_ws_bytes(slot, c, rest);
  }
}

template <class Io>
std::string_view ShardCore<Io>::date() {
  const std::int64_t second = now_.wall_us / 1'000'000;
  if (second != date_second_) {
    date_second_ = second;
    date_ = http::http_date(second);
  }
  return date_.view();
}

template <class Io>
void ShardCore<Io>::refuse(std::uint32_t slot, Connection& c, const HttpRefusal& refusal) {
  counters_.request_errors.add();
  const std::string body = error_body(refusal.code, refusal.message);
  const std::size_t headers = refusal.header.name.empty() ? 0 : 1;
  http::ResponseContext context = c.http()->answer_context(date());
  context.keep_alive = false;
  if (write_answer(slot, c,
                   {.status = static_cast<std::uint16_t>(refusal.status),
                    .content_type = "application/json",
                    .headers = {&refusal.header, headers},
                    .body = body},
                   context)) {
    start_draining(slot, c, true);
  }
}

// False: the shard has no room for it, and the connection was ended.
template <class Io>
bool ShardCore<Io>::write_answer(std::uint32_t slot, Connection& c, const http::Response& response,
                                 const http::ResponseContext& context, bool shared) {
  std::vector<http::Header> headers(response.headers.begin(), response.headers.end());
  if (shared) c.http()->add_origin_headers(headers);
  http::Response whole = response;
  whole.headers = headers;
  std::string out;
  if (!http::write_response(whole, context, out).ok()) {
    counters_.request_errors.add();
    const std::string body = error_body("internal", "the answer could not be written");
    const auto written = http::write_response(
        {.status = 500, .content_type = "application/json", .headers = {}, .body = body}, context,
        out);
    UPROAR_CHECK(written.ok());
  }
  charge(c, out.size() / kAnsweredBytesPerUnit);
  if (egress_budget_.used + out.size() > options_.egress_shard_bytes_max) {
    shed_egress();
    if (c.doomed) {
      end(slot, c);
      return false;
    }
  }
  queue_always(slot, c, SharedBytes::copy_of(out), 0, DeliveryClass::kMessage, EgressQueue::kNoTag);
  return true;
}

template <class Io>
bool ShardCore<Io>::respond(ConnectionId id, const http::Response& response, bool close_after,
                            bool shared) {
  Connection* c = find(id);
  if (c == nullptr || c->state != ConnectionState::kHttp || !c->http()->awaiting_answer())
    return false;
  http::ResponseContext context = c->http()->answer_context(date());
  if (close_after || draining_) context.keep_alive = false;
  if (write_answer(id.slot, *c, response, context, shared))
    answer_done(id.slot, *c, context.keep_alive);
  return true;
}

template <class Io>
void ShardCore<Io>::answer_done(std::uint32_t slot, Connection& c, bool keep_alive) {
  c.http()->answered();
  c.served = true;
  if (!keep_alive) {
    start_draining(slot, c, true);
    return;
  }
  if (c.http()->is_shared()) leave_address(slot, c);
  set_deadline(slot, c, options_.http_idle_ms);
  resume_http(slot, c);
}

// --- WebSocket ------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::on_ws_bytes(std::uint32_t slot, Connection& c, MutableBytes bytes) {
  const ConnectionId id = id_of(slot, c);
  bool message_ended = false;
  while (c.state == ConnectionState::kOpen || c.state == ConnectionState::kCloseSent) {
    if (c.paused) {
      keep_unread(slot, c, bytes);
      return;
    }
    if (!bytes.empty() && !may_go_on(c)) {
      keep_unread(slot, c, bytes);
      defer(slot, c);
      return;
    }
    const std::uint64_t inflated_before = assembler_pool_.inflated_bytes();
    const ws::AssemblerEvent event = c.ws().step(bytes, assembler_pool_);
    bytes = bytes.subspan(event.consumed);
    charge(c, event.consumed * kReceivedByteUnits + assembler_pool_.inflated_bytes() -
                  inflated_before);
    if (event.kind == ws::EventKind::kNeedMore) break;
    switch (event.kind) {
      case ws::EventKind::kText:
      case ws::EventKind::kBinary: {
        message_ended = true;
        counters_.messages_in.add();
        counters_.message_bytes_in.add(event.payload.size());
        if (c.state != ConnectionState::kOpen || c.doomed) break;  // said after our close frame
        // The payload lies in the receive buffer or in the pool's, both of which are ours to write.
        const MutableBytes payload{const_cast<std::byte*>(event.payload.data()),
                                   event.payload.size()};
        handler_.on_message(
            id, event.kind == ws::EventKind::kText ? MessageKind::kText : MessageKind::kBinary,
            payload);
        break;
      }
      case ws::EventKind::kPing:
      case ws::EventKind::kPong:
        on_control(slot, c, event);
        break;
      case ws::EventKind::kClose:
        on_peer_close(slot, c, event);
        break;
      case ws::EventKind::kError: {
        const ws::CloseAdvice advice = ws::close_advice(event.error);
        counters_.protocol_errors.add();
        fail(slot, c, advice.code, advice.reason);
        break;
      }
      case ws::EventKind::kNeedMore:
        break;
    }
  }
  if (c.state == ConnectionState::kOpen || c.state == ConnectionState::kCloseSent)
    count_held(slot, c);
  if (c.state != ConnectionState::kOpen) return;  // other states have deadlines of their own
  if (c.ws().idle()) {
    clear_deadline(c);
  } else if (!c.has_deadline || message_ended) {
    set_deadline(slot, c, options_.fragment_deadline_ms);  // absolute: later pieces do not move it
  }
}

template <class Io>
void ShardCore<Io>::on_control(std::uint32_t slot, Connection& c, const ws::AssemblerEvent& event) {
  if (!c.ws().control_allowed(now_s(), options_.control_frames_per_second_max) &&
      !weakened(Weakness::kControlFrames)) {
    counters_.control_floods.add();
    fail(slot, c, ws::CloseCode::kPolicyViolation, "too many control frames");
    return;
  }
  if (c.state != ConnectionState::kOpen) return;
  if (event.kind != ws::EventKind::kPing) {
    handler_.on_ping(id_of(slot, c));  // the answer to a ping of ours
    return;
  }
  counters_.pings_in.add();
  // A pong may be left out when a later ping follows (RFC 6455 section 5.5.3): it is lossy for a slow reader.
  (void)queue_frame(
      slot, c, SharedBytes::copy_of(ws::control_frame(ws::Opcode::kPong, event.payload).view()), 0,
      DeliveryClass::kReceipt, EgressQueue::kNoTag);
  handler_.on_ping(id_of(slot, c));
}

template <class Io>
void ShardCore<Io>::on_peer_close(std::uint32_t slot, Connection& c,
                                  const ws::AssemblerEvent& event) {
  c.clean = true;
  if (c.state == ConnectionState::kOpen) {
    c.close_code = event.close_code;
    handler_.on_left(id_of(slot, c));
    leave(c);
    queue_always(slot, c, SharedBytes::copy_of(ws::close_frame(event.close_code).view()), 0,
                 DeliveryClass::kMessage, EgressQueue::kNoTag);
  }
  // Both close frames have been said: the server ends TCP first (RFC 6455 section 7.1.1).
  start_draining(slot, c, false);
}

}  // namespace uproar::net
