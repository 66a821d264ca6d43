#pragma once

// Reading stops while the peer's own requests or commands wait, and goes on behind them:
// backpressure by TCP. What had been received before the kernel heard of it is kept, in order, and
// charged to the shard's budget for such bytes.
//
//   HTTP       more than kPipelinedBytesMax behind an unanswered request; until what is kept has been looked at again
//   WebSocket  from Handler's pause() to its resume(); the rest of what was received waits in `unread_`
//
// The same is kept of whoever is over their share (shard_core_share-inl.h): `throttled` beside `paused`, so that neither
// ends the other.
//
// A multishot recv ends by being cancelled, and its last completion may come after reading has
// begun again: it is armed anew there (on_recv), never twice.

#include <iterator>
#include <utility>
#include <vector>

#include "core/net/shard_core.h"
#include "core/net/shard_core_life-inl.h"

namespace uproar::net {

template <class Io>
void ShardCore<Io>::stop_reading(std::uint32_t slot, Connection& c) {
  if (c.paused) return;
  c.paused = true;
  end_receive(slot, c);
}

template <class Io>
void ShardCore<Io>::end_receive(std::uint32_t slot, Connection& c) {
  if (!c.recv_armed || c.recv_cancelled) return;
  counters_.reading_paused.add();
  c.recv_cancelled = true;
  ++c.requests;
  io_.cancel(key(runtime::OpKind::kRecv, slot, c), key(runtime::OpKind::kCancel, slot, c));
}

template <class Io>
void ShardCore<Io>::read_on(std::uint32_t slot, Connection& c) {
  if (!c.paused) return;
  c.paused = false;
  c.heard_ms = now_ms();  // what it may have said meanwhile lies in the kernel: it was not silent
  // Its timer may have run out meanwhile without a word, and hearing from the peer arms none.
  if (c.state == ConnectionState::kOpen) arm_timer(slot, c);
  list_resumed(slot, c);
}

template <class Io>
void ShardCore<Io>::list_resumed(std::uint32_t slot, Connection& c) {
  if (c.resume) return;
  c.resume = true;
  resume_.push_back(id_of(slot, c));
}

template <class Io>
void ShardCore<Io>::pause(ConnectionId id) {
  Connection* c = find_open(id);
  if (c == nullptr) return;
  stop_reading(id.slot, *c);
  clear_deadline(*c);  // that of a fragment: its rest may lie in the kernel
}

template <class Io>
void ShardCore<Io>::resume(ConnectionId id) {
  if (Connection* c = find_open(id)) read_on(id.slot, *c);
}

// REQUIRES: what it has said before is kept as well, or it may not go on; and a WebSocket.
template <class Io>
void ShardCore<Io>::keep_unread(std::uint32_t slot, Connection& c, MutableBytes bytes) {
  if (bytes.empty()) return;
  std::vector<std::byte>& unread = unread_[slot];
  if (unread.empty()) unread.reserve(bytes.size() + runtime::kReadablePadding);
  unread.insert(unread.end(), bytes.begin(), bytes.end());
  c.has_unread = true;
  count_held(slot, c);
  if (unread.size() > kUnreadBytesMax && !c.paused) throttle(slot, c);
}

template <class Io>
std::vector<std::byte> ShardCore<Io>::take_unread(std::uint32_t slot, Connection& c) {
  if (!c.has_unread) return {};
  c.has_unread = false;
  const auto kept = unread_.find(slot);
  std::vector<std::byte> bytes = std::move(kept->second);
  unread_.erase(kept);
  count_held(slot, c);
  return bytes;
}

template <class Io>
bool ShardCore<Io>::keeps_input(const Connection& c) {
  return c.has_unread || (c.http() != nullptr && c.http()->stash_bytes() > 0);
}

// What waited is looked at, in its order; what is received next comes behind it.
template <class Io>
void ShardCore<Io>::resume_reading(std::uint32_t slot, Connection& c) {
  c.resume = false;
  c.throttled = false;
  c.owes = false;
  const bool is_http = c.state == ConnectionState::kHttp;
  std::vector<std::byte> kept = is_http ? c.http()->take_stash() : take_unread(slot, c);
  const std::size_t bytes = kept.size();
  kept.resize(bytes + runtime::kReadablePadding);
  const MutableBytes input = MutableBytes(kept).first(bytes);
  if (is_http) {
    on_http_bytes(slot, c, input);
    // Half of the bound: else each answer would let a little in and stop again.
    if (c.state != ConnectionState::kHttp || c.http()->stash_bytes() <= kPipelinedBytesMax / 2)
      read_on(slot, c);
  } else if (c.state == ConnectionState::kOpen || c.state == ConnectionState::kCloseSent) {
    on_ws_bytes(slot, c, input);
  }
  if (c.saw_fin && !c.paused && !c.throttled && !c.resume) on_peer_fin(slot, c);
  if (life::wants_recv(c)) arm_recv(slot, c);
}

}  // namespace uproar::net
