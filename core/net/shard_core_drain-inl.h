#pragma once

// How a shard stops: it listens no more, and closes its connections one after the other.

#include <algorithm>
#include <cstdint>

#include "core/net/listener.h"
#include "core/net/shard_core_life-inl.h"

namespace uproar::net {

template <class Io>
void ShardCore<Io>::drain(std::uint32_t closes_per_second) {
  if (draining_) return;
  draining_ = true;
  drain_per_second_ = closes_per_second;
  drain_from_us_ = now_.monotonic_us;
  pause_accept();
  for (const Listener& listener : listeners_) {
    if (!listener.armed) stop_listening(listener);
  }
}

template <class Io>
void ShardCore<Io>::drain_some() {
  if (drain_walk_done_) return;
  std::uint64_t may_close = life::kDrainPerTickMax;
  if (drain_per_second_ > 0) {
    const auto elapsed_us = static_cast<std::uint64_t>(now_.monotonic_us - drain_from_us_);
    const std::uint64_t due = 1 + elapsed_us * drain_per_second_ / 1'000'000;
    may_close = std::min(may_close, due > drain_closed_ ? due - drain_closed_ : 0);
  }
  for (; may_close > 0 && drain_cursor_ < table_.made(); ++drain_cursor_) {
    Connection& c = table_[drain_cursor_];
    if (c.state == ConnectionState::kOpen && !c.doomed) {
      handler_.on_draining(
          id_of(drain_cursor_, c));  // its last words go out before the close frame
      if (c.state == ConnectionState::kOpen && !c.doomed) {
        begin_close(drain_cursor_, c, ws::CloseCode::kDraining, "draining");
      }
    } else if (c.state == ConnectionState::kHttp && !c.late && !c.http()->awaiting_answer()) {
      start_draining(drain_cursor_, c, true);
    } else {
      continue;
    }
    --may_close;
    ++drain_closed_;
  }
  drain_walk_done_ = drain_cursor_ >= table_.made();
}

// Who waits to be accepted would be reset when the process ends, and until then wait in vain. So they are let in, to be
// answered, and whoever comes later is refused by the kernel: a balancer goes elsewhere at once.
template <class Io>
void ShardCore<Io>::stop_listening(const Listener& listener) {
  for (int n = 0; n < kListenBacklog; ++n) {
    const int fd = accept_waiting(listener.fd);
    if (fd < 0) break;
    admit(fd);
  }
  net::stop_listening(listener.fd);
}

}  // namespace uproar::net
