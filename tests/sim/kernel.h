#pragma once

// The machine that simulated nodes run on: virtual time, a queue of what happens next, one seed behind every choice, the
// processors that run shards, and TCP between clients and nodes. READ FIRST in this folder.
//
// runtime::Ring, ShardThread, Waker, the clock and the source of random bytes are declared by production headers; this
// folder defines them anew over the kernel (sim_ring.cc, sim_thread.cc), and the linker takes these instead of the
// library's. Everything above, server::Shard included, is the code that serves.
//
// One thread. A kernel is made, used and ended on it; at most one lives at a time, since production code that reads the
// clock can only ask current().

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "core/runtime/io.h"
#include "proto/base/now.h"
#include "tests/core/net/sim_io.h"

namespace uproar::sim {

// A client's end of a TCP connection. The kernel calls it at the moment at which a peer would see it.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void on_bytes() = 0;   // Link::received has more, or its end
  virtual void on_broken() = 0;  // reset, or nobody listens
  // The server has given `bytes` to its socket: earlier than anybody reads them.
  virtual void on_sent(std::string_view bytes) = 0;
};

struct Link {
  Peer* peer = nullptr;  // null: it has gone
  std::uint32_t ring = 0;
  std::uint32_t slot = 0;
  std::uint32_t life = 0;
  bool is_accepted = false;
  bool is_broken = false;
  bool has_vanished = false;  // the client's host is gone: nothing arrives, and nothing says so
  bool is_ended = false;      // the server's FIN has been received
  std::int64_t latency_us = 0;
  std::int64_t next_in_us = 0;   // towards the server: what is said later arrives later
  std::int64_t next_out_us = 0;  // towards the client
  std::string unsent;            // said before it was accepted
  std::string received;
};
using LinkPtr = std::shared_ptr<Link>;

class Kernel {
 public:
  explicit Kernel(std::uint64_t seed);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  [[nodiscard]] static Kernel& current();
  static constexpr std::int64_t kStartUs = 1'000'000'000;  // monotonic time at which it begins

  // --- chance -------------------------------------------------------------------------------------------------------
  std::uint64_t random(std::uint64_t below);
  std::int64_t between(std::int64_t low, std::int64_t high);  // both included
  bool chance(std::uint32_t percent) { return random(100) < percent; }

  // --- time ---------------------------------------------------------------------------------------------------------
  [[nodiscard]] std::int64_t now_us() const { return now_us_; }
  // As the shard that runs sees it: its node's wall clock may be wrong.
  [[nodiscard]] Now now() const;
  // As that node would see it.
  [[nodiscard]] Now now_of(std::uint32_t node) const;
  void after(std::int64_t delay_us, std::function<void()> run);
  // The earliest that is due. False: nothing will ever happen.
  bool step();
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Of what has happened, in its order: the same for the same seed.
  [[nodiscard]] std::uint64_t trace() const { return trace_; }
  // With UPROAR_SIM_LOG set: a line on stderr, with the time.
  void tell(std::string_view what) const;
  void note(std::uint64_t value) { trace_ = (trace_ ^ value) * 1099511628211ULL; }

  // --- nodes --------------------------------------------------------------------------------------------------------
  // Rings that are made from now on belong to it.
  void make_rings_of(std::uint32_t node) { making_node_ = node; }
  void set_wall_offset(std::uint32_t node, std::int64_t offset_us) {
    wall_offset_[node] = offset_us;
  }
  // Its process gets no processor until then (SIGSTOP, or a host that swaps).
  void pause(std::uint32_t node, std::int64_t until_us);
  // Its process ends here and now. Whoever talked to it is told by a reset, or not at all. Shards are to be destroyed next.
  void kill(std::uint32_t node, bool resets);
  // Receive buffers of the node's rings: few are run out of.
  void set_buffers(std::uint32_t node, std::uint32_t buffers);
  // What sockets take of what is not read; for those accepted from now on.
  void set_socket_room(std::size_t bytes) { socket_room_ = bytes; }

  // Planted bugs of sockets; for nodes that are started from now on.
  struct Wrong {
    bool silent_short_sends = false;
    bool loses_writable = false;
  };
  void set_wrong(Wrong wrong) { wrong_ = wrong; }

  // --- TCP ----------------------------------------------------------------------------------------------------------
  LinkPtr connect(std::uint32_t node, Peer& peer, std::int64_t latency_us);
  void say(const LinkPtr& link, std::string bytes);
  // Takes what was received, at most `bytes_max`, which makes room for more.
  std::string read(Link& link, std::size_t bytes_max);
  void finish(const LinkPtr& link);  // FIN
  void abort(const LinkPtr& link);   // reset
  void vanish(Link& link);

  // --- for sim_ring.cc and sim_thread.cc ----------------------------------------------------------------------------
  struct RingState {
    explicit RingState(std::uint64_t seed) : io(seed) {}
    net::SimIo io;
    std::uint32_t node = 0;
    bool is_alive = true;
    std::vector<runtime::CompletionKey> wakes;  // that others have sent
    std::vector<std::pair<int, std::uint32_t>>
        sends_wakes;                         // with the next submit: ring, and from whom
    std::vector<std::byte> buffer;           // of the completion that is being handled
    std::map<int, LinkPtr> accepting;        // by descriptor
    std::map<std::uint32_t, LinkPtr> links;  // by slot
    std::function<void()> turn;
    std::int64_t due_us = 0;        // of its next turn; 0: it is not scheduled
    std::uint64_t appointment = 0;  // the newest: older ones do nothing
  };
  std::uint32_t add_ring();
  RingState& ring(std::uint32_t index) { return *rings_[index]; }
  static constexpr int kRingFds = 1 << 25;  // ring descriptors: this and the index
  void started(std::uint32_t ring, std::function<void()> turn);
  // A turn of it is due at the latest then; an earlier appointment stands.
  void schedule(std::uint32_t ring, std::int64_t at_us);
  // Something is there for it: within the time that a processor takes to come round.
  void poke(std::uint32_t ring);
  void adopted(std::uint32_t ring, std::uint32_t slot, int fd);
  void submitted(std::uint32_t ring);
  void end_ring(std::uint32_t ring);

 private:
  struct Happening {
    std::int64_t at_us;
    std::uint64_t order;
    std::function<void()> run;
    bool operator>(const Happening& other) const {
      return at_us != other.at_us ? at_us > other.at_us : order > other.order;
    }
  };

  [[nodiscard]] bool is_there(const Link& link);
  void arrives(const LinkPtr& link, std::int64_t& next_us, std::function<void()> run);
  void break_link(const LinkPtr& link);

  std::uint64_t random_state_;
  std::int64_t now_us_ = kStartUs;
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t trace_ = 1469598103934665603ULL;
  std::vector<Happening> happenings_;  // a heap, the earliest on top
  std::vector<std::unique_ptr<RingState>> rings_;
  std::uint32_t making_node_ = 0;
  std::uint32_t running_node_ = UINT32_MAX;
  std::map<std::uint32_t, std::int64_t> wall_offset_;
  std::map<std::uint32_t, std::int64_t> paused_until_;
  std::map<std::uint32_t, std::uint32_t> buffers_;
  std::size_t socket_room_ = SIZE_MAX;
  Wrong wrong_;
  int next_fd_ = 1 << 24;  // no process has so many: a system call with one fails, and nothing else
};

}  // namespace uproar::sim
