#pragma once

// The life of a connection: receive, close, deadlines. How it begins is in shard_core_accept-inl.h, and what is said on it in
// shard_core_talk-inl.h. See connection.h for the states. The closing sequence: FIN, cancel the recv, its last completion, close,
// and only then is the slot free.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "core/net/shard_core.h"
#include "proto/base/check.h"
#include "proto/base/weakness.h"

namespace uproar::net {

namespace life {

using enum ConnectionState;

[[nodiscard]] inline bool reads(const Connection& c) {
  return c.state >= kHttp && c.state <= kLingering && !c.saw_fin;
}
[[nodiscard]] inline bool wants_recv(const Connection& c) {
  return reads(c) && !c.recv_armed && !c.starved && !c.paused && !c.throttled;
}
[[nodiscard]] inline bool passed(std::uint32_t now_ms, std::uint32_t deadline_ms) {
  return static_cast<std::int32_t>(now_ms - deadline_ms) >= 0;
}

inline constexpr std::int64_t kAcceptRetryUs = 100'000;  // after the descriptors ran out
inline constexpr std::int64_t kDrainStepUs = 50'000;
inline constexpr std::uint32_t kLateDeadlineMs =
    1000;  // to say what they want, for who came as the drain began
inline constexpr std::uint32_t kDrainPerTickMax = 1024;
inline constexpr std::uint32_t kTimerStepsPerTickMax = 4096;

}  // namespace life

// --- Set-up -------------------------------------------------------------------------------------------------------

template <class Io>
ShardCore<Io>::ShardCore(Io& io, Handler& handler, NetOptions options)
    : io_(io),
      handler_(handler),
      options_(std::move(options)),
      table_(std::clamp<std::uint32_t>(options_.connections_max, 1, kConnectionsMaxLimit)),
      timers_(0, std::clamp<std::uint32_t>(options_.connections_max, 1, kConnectionsMaxLimit)) {
  request_limits_.body_bytes_max = options_.http_body_bytes_max;
  auto origins = http::OriginPolicy::from(options_.allowed_origins);
  UPROAR_CHECK(origins.ok(),
               "allowed_origins: the configuration checks them before they come here");
  origins_ = std::move(*origins);
  batch_.reserve(2 * kBatchSendsMax);
  written_.reserve(kBatchSendsMax);
  iovecs_.resize(kBatchIovecsMax);
  messages_.resize(kBatchSendsMax);
}

template <class Io>
ShardCore<Io>::~ShardCore() {
  for (std::uint32_t slot = 0; slot < table_.made(); ++slot) {
    Connection& c = table_[slot];
    if (c.egress == nullptr) continue;
    c.egress->clear(egress_budget_);
    egress_pool_.give_back(std::exchange(c.egress, nullptr));
  }
  for (std::uint32_t slot = 0; slot < table_.made(); ++slot) {
    table_[slot].stage.emplace<std::monostate>();  // before the pool of the assemblers goes
  }
}

// --- Completions ----------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::on_completion(const runtime::Completion& completion) {
  unsubmitted_ = false;  // completions are reaped after a submit
  if (to_hand_over_ == 0) to_hand_over_ = std::uint64_t{io_.ready()} + 1;
  ++handed_over_;
  const runtime::CompletionKey& k = completion.key;
  switch (k.kind) {
    case runtime::OpKind::kAccept:
      on_accept(completion);
      return;
    case runtime::OpKind::kRecv:
      on_recv(completion);
      return;
    case runtime::OpKind::kSend:
      on_send_trouble(completion);
      return;
    case runtime::OpKind::kWritable:
      on_writable(completion);
      return;
    case runtime::OpKind::kCancel:
      if (k.generation == 0) return;  // of a listener
      if (Connection* c = table_.find(k.slot, k.generation); c != nullptr) {
        if (c->requests > 0) --c->requests;
        close_if_quiet(k.slot, *c);
      }
      return;
    case runtime::OpKind::kClose:
      if (Connection* c = table_.find(k.slot, k.generation);
          c != nullptr && c->state == ConnectionState::kClosing) {
        c->state = ConnectionState::kEnded;
        ended_.push_back(k.slot);
      }
      return;
    default:
      return;
  }
}

// --- Receiving ------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::arm_recv(std::uint32_t slot, Connection& c) {
  c.recv_armed = true;
  io_.arm_recv(slot, key(runtime::OpKind::kRecv, slot, c));
}

template <class Io>
void ShardCore<Io>::rearm_starved() {
  // An arm against an empty buffer ring answers at once without data: never more arms than buffers.
  std::size_t room = std::min<std::size_t>(io_.buffers_free(), kRearmsPerTurnMax);
  room = std::min(room, starved_.size());
  for (std::size_t i = 0; i < room; ++i) {
    Connection* c = find(starved_[i]);
    if (c == nullptr || !c->starved) continue;
    c->starved = false;
    if (life::wants_recv(*c)) arm_recv(starved_[i].slot, *c);
  }
  starved_.erase(starved_.begin(), starved_.begin() + static_cast<std::ptrdiff_t>(room));
}

template <class Io>
void ShardCore<Io>::on_recv(const runtime::Completion& completion) {
  const std::uint32_t slot = completion.key.slot;
  Connection* c = table_.find(slot, completion.key.generation);
  if (c == nullptr) {
    counters_.stale_completions.add();
    return;
  }
  c->recv_armed = completion.more;
  const bool was_cancelled = c->recv_cancelled && !completion.more;
  if (was_cancelled) c->recv_cancelled = false;
  const std::int32_t result = completion.result;
  if (result > 0) {
    counters_.recv_bytes.add(static_cast<std::uint64_t>(result));
    c->heard_ms = now_ms();
    c->ping_sent = false;
    if (life::reads(*c)) on_received(slot, *c, completion.buffer);
    if (life::wants_recv(*c)) arm_recv(slot, *c);
  } else if (result == 0) {
    on_peer_fin(slot, *c);
  } else if (result == -ENOBUFS) {
    counters_.recv_starved.add();  // no error of the peer
    if (life::wants_recv(*c)) {
      c->starved = true;
      starved_.push_back(id_of(slot, *c));
    }
  } else if (result == -ECANCELED && was_cancelled) {
    if (life::wants_recv(*c)) arm_recv(slot, *c);  // reading went on before the cancel was done
  } else if ((result != -ECANCELED || c->state < ConnectionState::kEnding) &&
             !weakened(Weakness::kResetStorm)) {
    end(slot, *c);
  }
  close_if_quiet(slot, *c);
}

// The seam for TLS: a stage that turns records into these bytes would stand here.
template <class Io>
void ShardCore<Io>::on_received(std::uint32_t slot, Connection& c, MutableBytes bytes) {
  switch (c.state) {
    case ConnectionState::kHttp:
      on_http_bytes(slot, c, bytes);
      break;
    case ConnectionState::kOpen:
    case ConnectionState::kCloseSent:
      if (c.paused || c.throttled || c.has_unread) {
        keep_unread(slot, c, bytes);
      } else {
        on_ws_bytes(slot, c, bytes);
      }
      break;
    default:
      discard(slot, c, bytes.size());
      break;
  }
}

template <class Io>
void ShardCore<Io>::discard(std::uint32_t slot, Connection& c, std::size_t bytes) {
  c.linger_bytes += static_cast<std::uint32_t>(bytes);
  if (c.linger_bytes > kLingerBytesMax) end(slot, c);
}

template <class Io>
void ShardCore<Io>::on_peer_fin(std::uint32_t slot, Connection& c) {
  c.saw_fin = true;
  switch (c.state) {
    case ConnectionState::kHttp:
      // Half-closing after the request is allowed: what was asked for is still answered.
      if (http_waits(c) || c.resume || c.throttled) return;
      start_draining(slot, c, false);
      return;
    case ConnectionState::kDraining:
      return;
    default:
      if (c.paused || c.throttled || c.resume)
        return;  // its goodbye may be among what waits to be read
      end(slot, c);
  }
}

// --- Closing --------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::close(ConnectionId id, ws::CloseCode code, std::string_view reason) {
  Connection* c = find(id);
  if (c == nullptr) return;
  if (c->state == ConnectionState::kOpen) {
    if (!c->doomed) begin_close(id.slot, *c, code, reason);
  } else if (c->state == ConnectionState::kHttp) {
    start_draining(id.slot, *c, true);
  }
}

// Leaves topics and holds.
template <class Io>
void ShardCore<Io>::leave(Connection& c) {
  topics_.unsubscribe_all(c.topics, variant_of(c));
  c.held.reset();
  if (c.egress == nullptr) c.slow_path = false;
}

template <class Io>
void ShardCore<Io>::begin_close(std::uint32_t slot, Connection& c, ws::CloseCode code,
                                std::string_view reason) {
  queue_pending(slot, c);  // what was published before the close is heard before it
  if (c.doomed) return;
  leave(c);
  read_on(slot, c);  // its close frame is awaited
  c.close_code = code;
  queue_always(slot, c, SharedBytes::copy_of(ws::close_frame(code, reason).view()), 0,
               DeliveryClass::kMessage, EgressQueue::kNoTag);
  await_close(c);
  set_deadline(slot, c, options_.close_deadline_ms);
}

// The peer broke a rule: our close frame, then the end of TCP, without waiting for its close frame (RFC 6455 section 7.1.7).
template <class Io>
void ShardCore<Io>::fail(std::uint32_t slot, Connection& c, ws::CloseCode code,
                         std::string_view reason) {
  if (c.state == ConnectionState::kOpen) {
    begin_close(slot, c, code, reason);
    if (c.doomed) return;
  }
  start_draining(slot, c, true);
}

// Says 4201 after the frame that is under way; everything behind it is forgotten, which is no silent gap because of
// what is said.
template <class Io>
void ShardCore<Io>::close_slow(std::uint32_t slot, Connection& c) {
  counters_.closed_slow.add();
  leave(c);
  read_on(slot, c);
  if (c.egress != nullptr) c.egress->forget_all_but_begun(egress_budget_);
  c.doomed = false;
  c.close_code = ws::CloseCode::kSlowReader;
  queue_always(
      slot, c,
      SharedBytes::copy_of(ws::close_frame(ws::CloseCode::kSlowReader, "slow reader").view()), 0,
      DeliveryClass::kMessage, EgressQueue::kNoTag);
  await_close(c);
  set_deadline(slot, c, options_.close_deadline_ms);
}

// Of what the peer still says, only its close frame matters.
template <class Io>
void ShardCore<Io>::await_close(Connection& c) {
  c.state = ConnectionState::kCloseSent;
  if (!weakened(Weakness::kReadsAfterClose)) c.ws().skip_messages();
}

template <class Io>
void ShardCore<Io>::start_draining(std::uint32_t slot, Connection& c, bool linger) {
  if (c.state >= ConnectionState::kDraining) return;
  leave(c);
  read_on(slot, c);  // its FIN is awaited
  end_throttle(slot, c);
  c.state = ConnectionState::kDraining;
  c.linger = linger;
  // A page may take its time over a thin line; a close frame may not.
  set_deadline(slot, c, c.http() != nullptr ? options_.http_answer_ms : options_.close_deadline_ms);
  if (!c.in_input) leave_http(slot, c);  // a handler may still look at its request
  if (c.egress == nullptr) finish_draining(slot, c);
}

template <class Io>
void ShardCore<Io>::finish_draining(std::uint32_t slot, Connection& c) {
  // Counted among the requests that keep the slot: done late, it would end the slot's next connection.
  ++c.requests;
  io_.shutdown_write(slot, key(runtime::OpKind::kCancel, slot, c));
  if (c.linger && !c.saw_fin) {
    c.state = ConnectionState::kLingering;
    set_deadline(slot, c, options_.linger_ms);
    return;
  }
  end(slot, c);
}

// Nothing more is said or heard.
template <class Io>
void ShardCore<Io>::end(std::uint32_t slot, Connection& c) {
  if (c.state >= ConnectionState::kEnding) return;
  leave(c);
  leave_sessionless(slot, c);
  drop_queue(c);
  (void)take_unread(slot, c);
  c.state = ConnectionState::kEnding;
  clear_deadline(c);
  const auto cancel = [&](runtime::OpKind kind) {
    ++c.requests;
    io_.cancel(key(kind, slot, c), key(runtime::OpKind::kCancel, slot, c));
  };
  if (c.recv_armed && !c.recv_cancelled) cancel(runtime::OpKind::kRecv);
  if (c.poll_armed) cancel(runtime::OpKind::kWritable);
  close_if_quiet(slot, c);
}

// A close while a recv is armed sends no FIN, and a slot with requests outstanding must not be reused.
template <class Io>
void ShardCore<Io>::close_if_quiet(std::uint32_t slot, Connection& c) {
  if (c.state != ConnectionState::kEnding || c.recv_armed || c.poll_armed || c.requests > 0) return;
  c.state = ConnectionState::kClosing;
  io_.close(slot, key(runtime::OpKind::kClose, slot, c));
}

template <class Io>
void ShardCore<Io>::drop_connection(std::uint32_t slot, Connection& c) {
  if (c.was_open) {
    counters_.websockets.add(-1);
    (c.clean ? counters_.closed_clean : counters_.closed_abnormal).add();
    handler_.on_closed(id_of(slot, c), {.clean = c.clean, .code = c.close_code});
  }
  timers_.cancel(c.timer);
  drop_input(slot, c);
  leave_clients(c);
  table_.give_back(slot);
  counters_.connections.set(table_.used());
}

// --- Deadlines ------------------------------------------------------------------------------------------------------

template <class Io>
void ShardCore<Io>::set_deadline(std::uint32_t slot, Connection& c, std::uint32_t after_ms) {
  c.has_deadline = true;
  c.deadline_ms = now_ms() + after_ms;
  arm_timer(slot, c);
}

// One timer per connection, at the earliest of what may be due. It is moved only to an earlier time; hearing from the
// peer costs nothing here.
template <class Io>
void ShardCore<Io>::arm_timer(std::uint32_t slot, Connection& c) {
  const std::uint32_t now = now_ms();
  std::int32_t due_in = -1;
  const auto consider = [&](std::uint32_t at) {
    const std::int32_t in = std::max<std::int32_t>(0, static_cast<std::int32_t>(at - now));
    if (due_in < 0 || in < due_in) due_in = in;
  };
  if (c.has_deadline) consider(c.deadline_ms);
  if (c.owes) consider(c.read_again_ms);
  if (c.state == ConnectionState::kOpen && !c.paused && !c.throttled) {
    if (options_.ping_interval_ms > 0 && !c.ping_sent)
      consider(c.heard_ms + options_.ping_interval_ms);
    if (options_.idle_timeout_ms > 0) consider(c.heard_ms + options_.idle_timeout_ms);
  }
  if (due_in < 0) return;
  const std::uint32_t at = now + static_cast<std::uint32_t>(due_in);
  // Truncated milliseconds: one more, or the timer would fire before the deadline has passed.
  const std::int64_t at_us = (now_.monotonic_us / 1000 + due_in + 1) * 1000;
  if (c.timer.is_set()) {
    if (static_cast<std::int32_t>(at - c.timer_ms) >= 0) return;
    timers_.rearm(c.timer, at_us);
  } else {
    c.timer = timers_.arm(at_us, (std::uint64_t{c.generation} << 32U) | slot);
  }
  c.timer_ms = at;
}

template <class Io>
void ShardCore<Io>::on_timer(std::uint64_t timer_key) {
  const auto slot = static_cast<std::uint32_t>(timer_key);
  Connection* c = table_.find(slot, static_cast<std::uint32_t>(timer_key >> 32U));
  if (c == nullptr) return;
  c->timer = {};
  if (c->owes && life::passed(now_ms(), c->read_again_ms)) end_throttle(slot, *c);
  if (c->has_deadline && life::passed(now_ms(), c->deadline_ms)) {
    c->has_deadline = false;
    on_deadline(slot, *c);
  } else if (c->state == ConnectionState::kOpen && !c->doomed && !c->paused && !c->throttled) {
    const std::uint32_t silent_ms = now_ms() - c->heard_ms;
    if (options_.idle_timeout_ms > 0 && silent_ms >= options_.idle_timeout_ms) {
      counters_.idle_timeouts.add();
      begin_close(slot, *c, ws::CloseCode::kHeartbeatTimeout, "nothing heard");
    } else if (options_.ping_interval_ms > 0 && silent_ms >= options_.ping_interval_ms &&
               !c->ping_sent) {
      c->ping_sent = true;
      (void)queue_frame(slot, *c,
                        SharedBytes::copy_of(ws::control_frame(ws::Opcode::kPing, {}).view()), 0,
                        DeliveryClass::kReceipt, EgressQueue::kNoTag);
    }
  }
  if (c->state != ConnectionState::kFree && c->state < ConnectionState::kEnding &&
      !c->timer.is_set()) {
    arm_timer(slot, *c);
  }
}

template <class Io>
void ShardCore<Io>::on_deadline(std::uint32_t slot, Connection& c) {
  switch (c.state) {
    case ConnectionState::kHttp:
      if (c.http()->awaiting_answer()) {
        counters_.deadline_answer.add();
        const std::string body = error_body("unavailable", "no answer in time");
        respond(id_of(slot, c),
                {.status = 503, .content_type = "application/json", .headers = {}, .body = body},
                true);
      } else if (c.http()->idle()) {  // nothing was begun: nothing to answer
        (c.served ? counters_.deadline_http_idle : counters_.deadline_handshake).add();
        start_draining(slot, c, false);
      } else {
        counters_.deadline_handshake.add();
        refuse(slot, c,
               {.status = 408,
                .code = error_code_of(408),
                .message = "the request did not arrive in time",
                .header = {}});
      }
      return;
    case ConnectionState::kOpen:
      counters_.deadline_fragment.add();
      fail(slot, c, ws::CloseCode::kPolicyViolation, "the message did not arrive in time");
      return;
    case ConnectionState::kCloseSent:
    case ConnectionState::kDraining:
      counters_.deadline_close.add();
      end(slot, c);
      return;
    case ConnectionState::kLingering:
      end(slot, c);
      return;
    default:
      return;
  }
}

template <class Io>
void ShardCore<Io>::on_tick(Now now) {
  now_ = now;
  unsubmitted_ = false;  // the turn's submit lies between flush() and here
  timers_.advance(now.monotonic_us, life::kTimerStepsPerTickMax,
                  [this](std::uint64_t k) { on_timer(k); });
  clients_.trim(now.monotonic_us);
  if (draining_) drain_some();
  arm_listeners();
}

template <class Io>
std::optional<std::int64_t> ShardCore<Io>::next_deadline() const {
  std::int64_t next = timers_.next_deadline_us();
  if (draining_ && !drain_walk_done_) next = std::min(next, now_.monotonic_us + life::kDrainStepUs);
  const bool unarmed =
      std::any_of(listeners_.begin(), listeners_.end(), [](const Listener& l) { return !l.armed; });
  if (unarmed && !draining_ && !accept_paused_) next = std::min(next, accept_again_us_);
  if (next == runtime::TimerWheel::kNever) return std::nullopt;
  return next;
}

}  // namespace uproar::net
