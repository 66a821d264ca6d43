#pragma once

// The outside world of a shard, simulated: sockets with as much room as the test gives them, sends that come back short,
// receive buffers that run out, cancels and closes that race, ends in any order; all from one seed. It also holds the
// rules of runtime::Io against its user: no second send for a socket between two submits, no close while a request
// is armed, no adoption of a slot in use.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/runtime/io.h"
#include "proto/base/check.h"

namespace uproar::net {

class SimIo {
 public:
  using Key = runtime::CompletionKey;

  struct Socket {
    bool in_use = false;
    std::uint32_t life = 0;  // counts the sockets that had this slot
    bool recv_armed = false;
    Key recv_key;
    bool poll_armed = false;
    Key poll_key;
    bool fin_sent = false;  // shutdown_write or close reached the peer
    bool peer_fin = false;
    bool broken = false;          // reset by the peer
    std::size_t room = SIZE_MAX;  // bytes the socket takes before it is full
    std::string wire;             // everything the peer has been sent
    std::string inbound;          // said by the peer, not received yet
    std::uint32_t sends = 0;      // send operations that reached it
  };

  explicit SimIo(std::uint64_t seed = 1) : random_(seed) {}

  // --- runtime::Io --------------------------------------------------------------------------------------------------

  bool adopt(std::uint32_t slot, int fd) {
    ::close(fd);
    if (refuse_adopts) return false;
    UPROAR_CHECK(!socket(slot).in_use, slot);
    const std::uint32_t life = sockets_[slot].life + 1;
    sockets_[slot] = Socket{};
    sockets_[slot].life = life;
    sockets_[slot].in_use = true;
    sockets_[slot].room = room_of_new;
    return true;
  }
  void arm_accept(int, Key key) { accepts_[key.slot] = key; }
  void arm_recv(std::uint32_t slot, Key key) {
    defer([this, slot, key] {
      Socket& s = socket(slot);
      UPROAR_CHECK(s.in_use && !s.recv_armed, slot);
      s.recv_armed = true;
      s.recv_key = key;
    });
  }
  void send(std::uint32_t slot, ByteView bytes, Key key) {
    UPROAR_CHECK(sent_to_.insert(slot).second,
                 slot);  // never twice for one socket between two submits
    defer([this, slot, bytes, key] { take(slot, std::string(as_text(bytes)), key); });
    ++sends;
  }
  void send_gather(std::uint32_t slot, const msghdr* message, Key key) {
    UPROAR_CHECK(sent_to_.insert(slot).second, slot);
    defer([this, slot, message, key] {
      std::string all;
      for (std::size_t i = 0; i < message->msg_iovlen; ++i) {
        all.append(static_cast<const char*>(message->msg_iov[i].iov_base),
                   message->msg_iov[i].iov_len);
      }
      take(slot, all, key);
    });
    ++sends;
    ++gathers;
  }
  void poll_writable(std::uint32_t slot, Key key) {
    defer([this, slot, key] {
      Socket& s = socket(slot);
      UPROAR_CHECK(s.in_use && !s.poll_armed, slot);
      s.poll_armed = true;
      s.poll_key = key;
    });
  }
  void cancel(Key what, Key key) {
    defer([this, what, key] { do_cancel(what, key); });
  }
  // A kernel worker does it some time later, to whatever socket has the slot then.
  void shutdown_write(std::uint32_t slot, Key key) {
    defer([this, slot, key] {
      shutdowns_.push_back({.slot = slot, .life = socket(slot).life, .key = key});
    });
  }
  void close(std::uint32_t slot, Key key) {
    defer([this, slot, key] {
      Socket& s = socket(slot);
      UPROAR_CHECK(s.in_use, slot);
      UPROAR_CHECK(!s.recv_armed && !s.poll_armed,
                   slot);  // a close with an armed recv sends no FIN
      end_for_peer(slot, s);
      s.in_use = false;
      closed_.push_back(slot);
      post(key, 0, false);
    });
  }
  void submit() {
    ++submits;
    sent_to_.clear();
    std::deque<std::function<void()>> work = std::exchange(deferred_, {});
    for (auto& operation : work) operation();
  }
  std::uint32_t buffers_free() const { return buffers; }
  std::uint32_t ready() const { return static_cast<std::uint32_t>(completions_.size()); }
  [[nodiscard]] bool working() const { return !shutdowns_.empty(); }

  // --- The test's side ----------------------------------------------------------------------------------------------

  // A peer connects to listener `index`; nothing happens while no accept is armed. `fd`: what accept gives; by default a
  // real one.
  bool peer_connects(std::uint32_t index = 0, int fd = -1) {
    const auto armed = accepts_.find(index);
    if (armed == accepts_.end()) return false;
    post(armed->second, fd >= 0 ? fd : ::open("/dev/null", O_RDONLY | O_CLOEXEC), true);
    return true;
  }
  void accept_fails(int error, std::uint32_t index = 0) {
    const auto armed = accepts_.find(index);
    UPROAR_CHECK(armed != accepts_.end());
    const Key key = armed->second;
    accepts_.erase(armed);
    post(key, -error, false);
  }
  [[nodiscard]] bool accepting(std::uint32_t index = 0) const { return accepts_.contains(index); }
  void peer_says(std::uint32_t slot, std::string_view bytes) { socket(slot).inbound.append(bytes); }
  void peer_ends(std::uint32_t slot) { socket(slot).peer_fin = true; }
  // Its side is reset: what comes from there is an error, what goes there too.
  void peer_breaks(std::uint32_t slot) { socket(slot).broken = true; }
  // The socket takes `bytes` more.
  void peer_reads(std::uint32_t slot, std::size_t bytes) {
    Socket& s = socket(slot);
    s.room = bytes == SIZE_MAX ? SIZE_MAX : s.room + bytes;
  }
  Socket& socket(std::uint32_t slot) {
    if (sockets_.size() <= slot) sockets_.resize(slot + 1);
    return sockets_[slot];
  }

  // One look at the kernel: received bytes and writable sockets become completions.
  void poll_world() {
    for (std::size_t i = 0; i < shutdowns_.size();) {
      if (random_() % 2 == 0) {
        ++i;
        continue;
      }
      const Shutdown late = shutdowns_[i];
      shutdowns_.erase(shutdowns_.begin() + static_cast<std::ptrdiff_t>(i));
      Socket& s = socket(late.slot);
      UPROAR_CHECK(s.in_use && s.life == late.life,
                   late.slot);  // it would hit another connection, or nothing
      end_for_peer(late.slot, s);
      post(late.key, 0, false);
    }
    for (std::uint32_t slot = 0; slot < sockets_.size(); ++slot) {
      Socket& s = sockets_[slot];
      if (s.poll_armed && (s.room > 0 || s.broken)) {
        s.poll_armed = false;
        if (loses_writable && random_() % 4 == 0) continue;
        post(s.poll_key, s.broken ? POLLOUT | POLLERR | POLLHUP : POLLOUT, false);
      }
      if (s.broken) s.inbound.clear();
      if (s.recv_armed && s.broken) {
        s.recv_armed = false;
        post(s.recv_key, -ECONNRESET, false);
      }
      while (s.recv_armed && (!s.inbound.empty() || s.peer_fin)) {
        if (s.inbound.empty()) {
          s.recv_armed = false;
          post(s.recv_key, 0, false);
        } else if (buffers == 0) {
          s.recv_armed = false;
          post(s.recv_key, -ENOBUFS, false);
        } else {
          const std::size_t bytes = std::min<std::size_t>(
              s.inbound.size(), recv_bytes_max == 0 ? 1 + random_() % 64 : recv_bytes_max);
          Posted posted{.key = s.recv_key,
                        .result = static_cast<std::int32_t>(bytes),
                        .more = true,
                        .data = {}};
          posted.data = s.inbound.substr(0, bytes);
          s.inbound.erase(0, bytes);
          if (end_multishots && random_() % 4 == 0) {
            posted.more = false;
            s.recv_armed = false;
          }
          completions_.push_back(std::move(posted));
        }
      }
    }
  }
  // Hands over at most `max` completions in order. on_completion(const Completion&).
  template <class F>
  std::size_t reap(F&& on_completion, std::size_t max = SIZE_MAX) {
    std::size_t count = 0;
    runtime::Completion completion;
    std::vector<std::byte> buffer;
    while (count < max && take_completion(completion, buffer)) {
      on_completion(static_cast<const runtime::Completion&>(completion));
      ++count;
    }
    return count;
  }
  // The next completion; its bytes are in `buffer`, made anew for it.
  bool take_completion(runtime::Completion& completion, std::vector<std::byte>& buffer) {
    if (completions_.empty()) return false;
    const Posted posted = std::move(completions_.front());
    completions_.pop_front();
    // Exactly the bytes received and the padding behind them, so that a read beyond shows under asan.
    buffer = std::vector<std::byte>(
        posted.data.empty() ? 0 : posted.data.size() + runtime::kReadablePadding);
    if (!posted.data.empty()) std::memcpy(buffer.data(), posted.data.data(), posted.data.size());
    completion = {.key = posted.key,
                  .result = posted.result,
                  .more = posted.more,
                  .buffer = MutableBytes(buffer).first(posted.data.size())};
    return true;
  }
  [[nodiscard]] const std::vector<std::uint32_t>& closed() const { return closed_; }

  std::uint32_t buffers = 4096;
  std::size_t recv_bytes_max = 2048;  // 0: random small pieces
  bool end_multishots = false;        // recv may end although data came
  bool refuse_adopts = false;
  std::size_t room_of_new = SIZE_MAX;
  std::uint64_t sends = 0;
  std::uint64_t gathers = 0;
  std::uint64_t submits = 0;
  // Kernels that are wrong, to prove that somebody would notice: each once in a while.
  bool silent_short_sends = false;
  bool loses_writable = false;
  // Set: it gets what the peer is sent, instead of Socket::wire; and the end of it, once.
  std::function<void(std::uint32_t slot, std::string_view bytes)> when_sent;
  std::function<void(std::uint32_t slot)> when_ended;

 private:
  struct Posted {
    Key key;
    std::int32_t result = 0;
    bool more = false;
    std::string data;
  };

  void defer(std::function<void()> operation) { deferred_.push_back(std::move(operation)); }
  void post(Key key, std::int32_t result, bool more) {
    completions_.push_back({.key = key, .result = result, .more = more, .data = {}});
  }
  void take(std::uint32_t slot, const std::string& bytes, Key key) {
    Socket& s = socket(slot);
    ++s.sends;
    UPROAR_CHECK(!s.fin_sent, slot);  // nothing is said after FIN
    if (s.broken) return post(key, -EPIPE, false);
    const std::size_t taken = std::min(s.room, bytes.size());
    if (when_sent) {
      when_sent(slot, std::string_view(bytes).substr(0, taken));
    } else {
      s.wire.append(bytes, 0, taken);
    }
    if (s.room != SIZE_MAX) s.room -= taken;
    if (taken == bytes.size() || (silent_short_sends && random_() % 4 == 0)) return;
    post(key, taken == 0 ? -EAGAIN : static_cast<std::int32_t>(taken), false);
  }
  void end_for_peer(std::uint32_t slot, Socket& s) {
    if (s.fin_sent) return;
    s.fin_sent = true;
    if (when_ended) when_ended(slot);
  }
  void do_cancel(Key what, Key key) {
    if (what.kind == runtime::OpKind::kAccept) {
      accepts_.erase(what.slot);
      post(what, -ECANCELED, false);
      post(key, 0, false);
      return;
    }
    Socket& s = socket(what.slot);
    const bool recv = what.kind == runtime::OpKind::kRecv;
    const bool found =
        recv ? s.recv_armed && s.recv_key == what : s.poll_armed && s.poll_key == what;
    if (!found) {
      post(key, -ENOENT, false);  // it ended by itself just before
      return;
    }
    (recv ? s.recv_armed : s.poll_armed) = false;
    const bool own_first = random_() % 2 == 0;
    if (own_first) post(key, 0, false);
    post(what, -ECANCELED, false);
    if (!own_first) post(key, 0, false);
  }

  struct Shutdown {
    std::uint32_t slot;
    std::uint32_t life;
    Key key;
  };

  std::mt19937_64 random_;
  std::vector<Shutdown> shutdowns_;
  std::vector<Socket> sockets_;
  std::map<std::uint32_t, Key> accepts_;
  std::deque<std::function<void()>> deferred_;
  std::set<std::uint32_t> sent_to_;
  std::deque<Posted> completions_;
  std::vector<std::uint32_t> closed_;
};
static_assert(runtime::Io<SimIo>);

}  // namespace uproar::net
