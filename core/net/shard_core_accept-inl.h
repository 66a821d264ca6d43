#pragma once

// How a connection begins: listeners, and who is let in.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/net/shard_core.h"
#include "core/net/shard_core_life-inl.h"
#include "core/net/shard_core_share-inl.h"
#include "proto/base/check.h"
#include "proto/base/weakness.h"

namespace uproar::net {

template <class Io>
void ShardCore<Io>::add_listener(int fd) {
  UPROAR_CHECK(listeners_.size() < kListenersMax);
  listeners_.push_back({.fd = fd, .armed = false, .cancelling = false});
  arm_listeners();
}

template <class Io>
void ShardCore<Io>::arm_listeners() {
  if (draining_ || now_.monotonic_us < accept_again_us_) return;
  if (accept_paused_) {
    // A little room first, or each close would start and stop accepting.
    if (table_.used() + spare_slots(table_.slots_max()) > table_.slots_max()) return;
    accept_paused_ = false;
  }
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (listener.armed) continue;
    listener = {.fd = listener.fd, .armed = true, .cancelling = false};
    io_.arm_accept(listener.fd, {.kind = runtime::OpKind::kAccept, .generation = 0, .slot = i});
  }
}

template <class Io>
void ShardCore<Io>::pause_accept() {
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (!listener.armed || listener.cancelling) continue;
    listener.cancelling = true;
    io_.cancel({.kind = runtime::OpKind::kAccept, .generation = 0, .slot = i},
               {.kind = runtime::OpKind::kCancel, .generation = 0, .slot = i});
  }
}

template <class Io>
void ShardCore<Io>::on_accept(const runtime::Completion& completion) {
  if (completion.key.slot >= listeners_.size()) {
    if (completion.result >= 0) ::close(completion.result);
    return;
  }
  Listener& listener = listeners_[completion.key.slot];
  if (!completion.more) listener.armed = false;
  if (completion.result >= 0) admit(completion.result);
  if (draining_) {
    if (!listener.armed) stop_listening(listener);
    return;
  }
  if (completion.result >= 0) return;
  switch (-completion.result) {
    case ECANCELED:
      return;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      counters_.accept_exhausted.add();
      break;
    default:  // the peer gave up before it was accepted, and the like
      counters_.accept_errors.add();
  }
  accept_again_us_ = now_.monotonic_us + life::kAcceptRetryUs;
}

template <class Io>
void ShardCore<Io>::admit(int fd) {
  if (table_.used() >= table_.slots_max()) {
    counters_.refused_full.add();
    ::close(fd);
    return;
  }
  const auto known_peer = PeerAddress::of_socket(fd);
  if (!known_peer) {  // reset while it waited to be accepted: of no address, and worth no slot
    counters_.accept_errors.add();
    ::close(fd);
    return;
  }
  const PeerAddress peer = *known_peer;
  const bool is_own = peer == PeerAddress{};  // a probe of ours over a Unix socket
  const bool is_proxy = is_in(options_.trusted_proxies, peer);
  if (options_.proxy_protocol && !is_own && !is_proxy) {
    counters_.refused_no_proxy.add();
    ::close(fd);
    return;
  }
  // Whose connection a proxy brings is not known yet: shard_core_proxy-inl.h.
  if (!is_own && !is_proxy && !refusal_of(peer, true).empty()) {
    ::close(fd);
    return;
  }
  make_room();
  const std::uint32_t slot = table_.take();
  if (!io_.adopt(slot, fd)) {  // closes fd in any case
    counters_.adopt_refused.add();
    table_.give_back(slot);
    return;
  }
  counters_.accepted.add();
  counters_.connections.set(table_.used());
  Connection& c = table_[slot];
  c.state = ConnectionState::kHttp;
  c.stage = std::make_unique<HttpStage>(
      request_limits_, origins_,
      HttpPeer{.address = peer,
               .trusted_proxies = options_.trusted_proxies,
               .sends_proxy_header = options_.proxy_protocol && is_proxy});
  if (!is_proxy) join_address(slot, c, peer);
  c.heard_ms = now_ms();
  arm_recv(slot, c);
  c.late = draining_;
  set_deadline(slot, c,
               draining_ ? std::min(options_.handshake_deadline_ms, life::kLateDeadlineMs)
                         : options_.handshake_deadline_ms);
  if (table_.used() >= table_.slots_max()) {
    accept_paused_ = true;
    counters_.accept_paused.add();
    pause_accept();
  }
}

// Why an address may have no further connection; empty: it may, and a handshake is counted.
template <class Io>
std::string_view ShardCore<Io>::refusal_of(const PeerAddress& client, bool is_handshake) {
  if (is_handshake &&
      !addresses_.allow(client, now_s(), options_.handshakes_per_address_per_second_max) &&
      !weakened(Weakness::kHandshakesPerAddress)) {
    counters_.refused_address_rate.add();
    return "too many new connections from this address; wait a second";
  }
  if (address_is_full(client)) {
    counters_.refused_address_open.add();
    return "too many open connections from this address";
  }
  return {};
}

}  // namespace uproar::net
