#pragma once

// Hot path: per socket operation. Budget: allocations 0, system calls 0 except at submit.
//
// Ring: one io_uring, one thread. The production model of concept Io (io.h).
//
// Life: create() on any thread (disabled), enable() on the shard thread, which is then the only one
// to call anything here except fd() and counters(), and calls shut_down() before it ends. Set-up
// flags: SINGLE_ISSUER, DEFER_TASKRUN (completions run when we ask for them, so a busy shard does
// not empty its buffer ring behind its own back), SUBMIT_ALL (one refused entry does not stop a
// batch), R_DISABLED, CLAMP, CQSIZE. It takes no other operations than those below
// (ring_restrictions.h).
//
// Sends use MSG_NOSIGNAL|MSG_DONTWAIT|MSG_WAITALL and IOSQE_CQE_SKIP_SUCCESS. The pair matters:
// without WAITALL a short send counts as success and is silent. ring_send_test.cc holds the truth
// table against the running kernel.
//
// Close order (a close with an armed recv sends no FIN): cancel(recv key) -> wait for the recv's
// completion with more == false -> close(slot). The cancel's own completion proves nothing.

#include <cstdint>
#include <memory>
#include <utility>

#include "core/runtime/io.h"
#include "core/runtime/limits.h"
#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/counters.h"
#include "proto/base/result.h"

struct io_uring;
struct io_uring_sqe;

namespace uproar::runtime {

class BufferPool;

// Written by the shard thread, read by anyone.
struct RingCounters {
  Counter enters;       // io_uring_enter calls
  Counter submitted;    // entries given to the kernel
  Counter completions;  // completions handed to the handler
  Counter recv_bytes;
  Counter buffers_exhausted;  // recv ended with -ENOBUFS, which is no error of the peer
  Counter cq_overflows;       // turns that found the completion queue overflowed: alarm on it
  Counter sends;              // OP_SEND and OP_SENDMSG started
  Counter send_troubles;      // kSend completions: short, -EAGAIN or an error
  Counter adopts_refused;     // direct table refused a descriptor
  Counter wakes_sent;         // MSG_RING to other rings
  Counter wakes_refused;      // their failures; -EOVERFLOW there means "already awake"
  Counter submit_retries;     // the kernel was out of memory for requests
};

class Ring {
 public:
  struct Options {
    std::uint32_t sq_entries = kSqEntries;
    std::uint32_t cq_entries = kCqEntries;
    std::uint32_t direct_slots = kDirectSlots;  // see direct_slots() for what was granted
    std::uint32_t recv_buffers = kRecvBuffers;  // power of two
    std::uint32_t recv_buffer_bytes = kRecvBufferBytes;
    std::uint32_t recv_buffers_at_first = kRecvBuffersAtFirst;  // doubled at -ENOBUFS
  };
  enum class PollMode : std::uint8_t {
    kOnce,       // one completion, then armed again by the caller: level-triggered in effect
    kMultishot,  // a completion per event: edge-triggered, so read until -EAGAIN
  };

  // Any thread. Raises the soft RLIMIT_NOFILE to the hard one; a table larger than that is cut to
  // it. Errors carry the likely cause and remedy (probe.h explains at length).
  [[nodiscard]] static Result<std::unique_ptr<Ring>, SystemError> create(const Options& options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // The calling thread becomes the ring's thread. Once.
  [[nodiscard]] Result<void, SystemError> enable();
  // The ring's thread: cancels everything, drops the completions and gives the ring back to the
  // kernel, which closes what is in the direct table. Only counters() may be used afterwards. Once
  // enabled, call it before the thread ends; the destructor calls it otherwise.
  void shut_down();

  // ---- started here, done by the next submit; each may submit by itself when the queue is full

  // Multishot accept on a listening socket. Completion kAccept: result is a plain descriptor (so
  // that the peer's address can be asked for), which the handler must adopt() or ::close(). more ==
  // false: ended, arm again; after -EMFILE/-ENFILE only once descriptors have been given back, or
  // it ends again at once.
  void arm_accept(int listen_fd, CompletionKey key);
  // Puts a plain descriptor into the direct table at `slot` (which must be empty) and closes the
  // descriptor in any case. Takes effect at once. False: refused and counted; the socket is closed
  // then. O_NONBLOCK is cleared: a non-blocking file would make recv answer -EAGAIN instead of
  // waiting.
  [[nodiscard]] bool adopt(std::uint32_t slot, int fd);
  // Multishot recv into the shard's buffers. Ends (more == false) at end of stream (result 0), on
  // an error, on -ENOBUFS (arm again when buffers_free() > 0), and for reasons of the kernel's own
  // with result > 0: then arm it again.
  void arm_recv(std::uint32_t slot, CompletionKey key);
  // Never twice for one slot between two submits, send and send_gather together: a window that
  // opens between them would let the second through after a short first. `bytes` must live until
  // submit() returns.
  void send(std::uint32_t slot, ByteView bytes, CompletionKey key);
  void send_gather(std::uint32_t slot, const msghdr* message, CompletionKey key);
  void poll_writable(std::uint32_t slot, CompletionKey key);  // oneshot POLLOUT
  void cancel(CompletionKey what, CompletionKey key);         // completion: 0, -ENOENT or -EALREADY
  // FIN after what was sent. Completion: 0 or -errno. A kernel worker does it, and looks the slot up only then: whoever
  // reuses slots must wait for this before close(), or the next socket of the slot is shut down instead.
  void shutdown_write(std::uint32_t slot, CompletionKey key);
  void close(std::uint32_t slot, CompletionKey key);  // completion: 0 or -errno
  // Poll of a plain descriptor of a library. Completion kPoll: result is the event mask.
  // cancel(key, …) ends it; cancel before the library closes the descriptor.
  void arm_poll(int fd, std::uint32_t events, CompletionKey key, PollMode mode);
  // Posts a kWake completion to another ring of this process; nothing comes back here. Use Waker.
  void wake(int other_ring_fd, std::uint32_t from_shard);
  // Does nothing and completes with 0. For tests, probes and benchmarks.
  void nop(CompletionKey key);

  // ---- submit and reap

  // Everything started is in the kernel when it returns. Runs no deferred work: receives stay where
  // they are.
  void submit();
  // The same, and runs what is deferred (GETEVENTS), without waiting: for a look at the queue
  // between two batches.
  void submit_and_run();
  // The same, and waits for `wait_nr` completions or the timeout; one system call. 0 does not wait.
  void submit_and_wait(std::uint32_t wait_nr, std::int64_t timeout_us);

  // Calls on_completion(const Completion&) for at most `completions_max` completions, in order;
  // makes no system call. A recv buffer goes back to the kernel as soon as the handler returns. The
  // handler may start operations and submit(); it must not reap (checked).
  template <class F>
  unsigned reap(F&& on_completion, unsigned completions_max) {
    UPROAR_CHECK(!reaping_);  // a handler's buffer would die under it
    reaping_ = true;
    unsigned count = 0;
    Completion completion;
    while (count < completions_max && take(completion)) {
      on_completion(std::as_const(completion));
      give_back();
      ++count;
    }
    reaping_ = false;
    return count;
  }
  // Completions in the queue now (internal ones included).
  [[nodiscard]] std::uint32_t ready() const;
  // Entries started and not yet submitted.
  [[nodiscard]] std::uint32_t unsubmitted() const { return sq_tail_ - sq_submitted_; }

  // Lower bound of the recv buffers that the kernel holds: every unreaped completion is taken to
  // hold one.
  [[nodiscard]] std::uint32_t buffers_free() const;
  // Slots of the direct table: what was asked for, or less if RLIMIT_NOFILE is lower.
  [[nodiscard]] std::uint32_t direct_slots() const { return direct_slots_; }
  [[nodiscard]] int fd() const;  // any thread; for Waker
  [[nodiscard]] const RingCounters& counters() const { return counters_; }

 private:
  Ring() = default;

  io_uring_sqe* next_entry(std::uint64_t user_data);
  void enter(std::uint32_t wait_nr, std::uint32_t flags, std::int64_t timeout_us);
  bool take(Completion& completion);
  void give_back();

  std::unique_ptr<io_uring> ring_;
  std::unique_ptr<BufferPool> buffers_;
  std::uint32_t sq_tail_ = 0;       // next entry to fill
  std::uint32_t sq_submitted_ = 0;  // up to here the kernel has taken them
  std::uint32_t sq_mask_ = 0;
  std::uint32_t cq_mask_ = 0;
  std::uint32_t direct_slots_ = 0;
  std::int32_t lent_buffer_ = -1;  // buffer of the completion being handled
  bool reaping_ = false;
  bool offered_more_ = false;  // since the last enter: one shortage starves many receives
  bool enabled_ = false;
  bool registered_ = false;  // ring descriptor registered for this thread: 22 ns less per enter
  RingCounters counters_;
};

static_assert(Io<Ring>);

}  // namespace uproar::runtime
