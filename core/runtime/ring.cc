#include "core/runtime/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/runtime/buffer_pool.h"
#include "core/runtime/probe.h"
#include "core/runtime/ring_restrictions.h"
#include "core/runtime/uring_abi.h"

namespace uproar::runtime {
namespace {

constexpr std::uint16_t kRecvGroup = 0;

// A wake completes only when it fails. It travels under kind 0, which no OpKind has.
constexpr std::uint64_t kSilentWake = 1;

// WAITALL makes a short send a completion instead of a silent success; DONTWAIT makes it end inside
// submit.
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;

std::uint32_t load_acquire(unsigned* shared) {
  return std::atomic_ref<unsigned>(*shared).load(std::memory_order_acquire);
}
std::uint32_t load_relaxed(unsigned* shared) {
  return std::atomic_ref<unsigned>(*shared).load(std::memory_order_relaxed);
}
void store_release(unsigned* shared, std::uint32_t value) {
  std::atomic_ref<unsigned>(*shared).store(value, std::memory_order_release);
}

// The direct table may be as large as the soft limit, each table for itself.
std::uint32_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<std::uint32_t>(std::min<rlim_t>(limit.rlim_cur, kDirectSlotsMax));
}

}  // namespace

Result<std::unique_ptr<Ring>, SystemError> Ring::create(const Options& options) {
  std::unique_ptr<Ring> ring(new Ring);
  ring->direct_slots_ = std::min(options.direct_slots, descriptor_limit());

  auto kernel_ring = std::make_unique<io_uring>();
  io_uring_params params{};
  params.flags = abi::kShardSetup;
  params.cq_entries = options.cq_entries;
  if (const int rc = ::io_uring_queue_init_params(options.sq_entries, kernel_ring.get(), &params);
      rc < 0) {
    return Err{explain_ring_refusal("io_uring_setup", -rc)};
  }
  ring->ring_ = std::move(kernel_ring);
  ring->sq_mask_ = params.sq_entries - 1;
  ring->cq_mask_ = params.cq_entries - 1;
  // Entries are used in order, so the index array is the identity, once and for all. From 2.5 the
  // library asks newer kernels to leave the array out, which means the same.
  if (unsigned* array = ring->ring_->sq.array; array != nullptr) {
    for (std::uint32_t i = 0; i < params.sq_entries; ++i) array[i] = i;
  }

  if (const int rc = ::io_uring_register_files_sparse(ring->ring_.get(), ring->direct_slots_);
      rc < 0) {
    return Err{explain_ring_refusal("io_uring_register file table", -rc)};
  }
  auto buffers = BufferPool::create(*ring->ring_, kRecvGroup, options.recv_buffers,
                                    options.recv_buffers_at_first, options.recv_buffer_bytes);
  if (!buffers.ok()) return Err{buffers.error()};
  ring->buffers_ = std::move(*buffers);
  if (const int rc = restrict_ring(*ring->ring_); rc < 0)
    return Err{explain_ring_refusal("io_uring_register restrictions", -rc)};
  return ring;
}

Result<void, SystemError> Ring::enable() {
  UPROAR_CHECK(!enabled_);
  if (const int rc = abi::enable_ring(*ring_); rc < 0) {
    return Err{explain_ring_refusal("io_uring_register enable", -rc)};
  }
  enabled_ = true;
  registered_ = ::io_uring_register_ring_fd(ring_.get()) == 1;  // a saving, not a need
  unsigned workers[2] = {kKernelWorkersMax, kKernelWorkersMax};
  (void)::io_uring_register_iowq_max_workers(ring_.get(),
                                             workers);  // refused: the kernel's own bound stays
  return {};
}

void Ring::shut_down() {
  if (ring_ == nullptr) return;
  if (enabled_) {
    submit();
    io_uring_sync_cancel_reg everything{};
    everything.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    everything.timeout = {.tv_sec = 1, .tv_nsec = 0};
    (void)::io_uring_register_sync_cancel(ring_.get(), &everything);  // none in flight: -ENOENT
    submit_and_run();
    while (reap([](const Completion&) {}, cq_mask_ + 1) != 0) submit_and_run();
  }
  ::io_uring_queue_exit(ring_.get());
  ring_.reset();
  buffers_.reset();  // only now: the kernel no longer writes there
}

Ring::~Ring() {
  shut_down();
}

int Ring::fd() const {
  return ring_->ring_fd;
}

io_uring_sqe* Ring::next_entry(std::uint64_t user_data) {
  if (unsubmitted() > sq_mask_) [[unlikely]]
    submit();
  io_uring_sqe* entry = &ring_->sq.sqes[sq_tail_ & sq_mask_];
  ++sq_tail_;
  std::memset(entry, 0, sizeof *entry);  // newer prep functions leave the rest as it was
  entry->user_data = user_data;
  return entry;
}

void Ring::arm_accept(int listen_fd, CompletionKey key) {
  // No address argument: all completions of a multishot share it. Not SOCK_NONBLOCK: see adopt().
  ::io_uring_prep_multishot_accept(next_entry(key.pack()), listen_fd, nullptr, nullptr,
                                   SOCK_CLOEXEC);
}

bool Ring::adopt(std::uint32_t slot, int fd) {
  const int file_flags = ::fcntl(fd, F_GETFL);
  if (file_flags >= 0 && (file_flags & O_NONBLOCK) != 0)
    (void)::fcntl(fd, F_SETFL, file_flags & ~O_NONBLOCK);
  const bool installed =
      slot < direct_slots_ && ::io_uring_register_files_update(ring_.get(), slot, &fd, 1) == 1;
  if (!installed) counters_.adopts_refused.add();
  ::close(fd);
  return installed;
}

void Ring::arm_recv(std::uint32_t slot, CompletionKey key) {
  io_uring_sqe* entry = next_entry(key.pack());
  ::io_uring_prep_recv_multishot(entry, static_cast<int>(slot), nullptr, 0, 0);
  entry->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  entry->buf_group = kRecvGroup;
}

void Ring::send(std::uint32_t slot, ByteView bytes, CompletionKey key) {
  io_uring_sqe* entry = next_entry(key.pack());
  ::io_uring_prep_send(entry, static_cast<int>(slot), bytes.data(), bytes.size(), kSendFlags);
  entry->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
  counters_.sends.add();
}

void Ring::send_gather(std::uint32_t slot, const msghdr* message, CompletionKey key) {
  io_uring_sqe* entry = next_entry(key.pack());
  ::io_uring_prep_sendmsg(entry, static_cast<int>(slot), message,
                          static_cast<unsigned>(kSendFlags));
  entry->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
  counters_.sends.add();
}

void Ring::poll_writable(std::uint32_t slot, CompletionKey key) {
  io_uring_sqe* entry = next_entry(key.pack());
  ::io_uring_prep_poll_add(entry, static_cast<int>(slot), POLLOUT);
  entry->flags = IOSQE_FIXED_FILE;
}

void Ring::cancel(CompletionKey what, CompletionKey key) {
  ::io_uring_prep_cancel64(next_entry(key.pack()), what.pack(), 0);
}

void Ring::shutdown_write(std::uint32_t slot, CompletionKey key) {
  io_uring_sqe* entry = next_entry(key.pack());
  ::io_uring_prep_shutdown(entry, static_cast<int>(slot), SHUT_WR);
  entry->flags = IOSQE_FIXED_FILE;
}

void Ring::close(std::uint32_t slot, CompletionKey key) {
  ::io_uring_prep_close_direct(next_entry(key.pack()), slot);
}

void Ring::arm_poll(int fd, std::uint32_t events, CompletionKey key, PollMode mode) {
  io_uring_sqe* entry = next_entry(key.pack());
  if (mode == PollMode::kMultishot) {
    ::io_uring_prep_poll_multishot(entry, fd, events);
  } else {
    ::io_uring_prep_poll_add(entry, fd, events);
  }
}

void Ring::wake(int other_ring_fd, std::uint32_t from_shard) {
  io_uring_sqe* entry = next_entry(kSilentWake);
  const CompletionKey at_target{.kind = OpKind::kWake, .generation = 0, .slot = from_shard};
  ::io_uring_prep_msg_ring(entry, other_ring_fd, 0, at_target.pack(), 0);
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
  counters_.wakes_sent.add();
}

void Ring::nop(CompletionKey key) {
  ::io_uring_prep_nop(next_entry(key.pack()));
}

void Ring::submit() {
  if (unsubmitted() != 0) enter(0, 0, 0);
}

void Ring::submit_and_run() {
  enter(0, IORING_ENTER_GETEVENTS, 0);
}

void Ring::submit_and_wait(std::uint32_t wait_nr, std::int64_t timeout_us) {
  enter(wait_nr, IORING_ENTER_GETEVENTS, timeout_us);
}

void Ring::enter(std::uint32_t wait_nr, std::uint32_t flags, std::int64_t timeout_us) {
  UPROAR_DCHECK(enabled_);
  io_uring_sq& sq = ring_->sq;
  if ((load_relaxed(sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0) {
    counters_.cq_overflows.add();
    flags |= IORING_ENTER_GETEVENTS;  // moves the overflowed ones into the queue
  }
  __kernel_timespec timeout{.tv_sec = timeout_us / 1'000'000,
                            .tv_nsec = timeout_us % 1'000'000 * 1000};
  abi::GetEventsArg arg;
  void* arg_address = nullptr;
  std::size_t arg_bytes = 0;
  if (wait_nr != 0) {
    arg.timeout = reinterpret_cast<std::uint64_t>(&timeout);
    arg_address = &arg;
    arg_bytes = sizeof arg;
    flags |= IORING_ENTER_EXT_ARG;
  }
  if (registered_) flags |= IORING_ENTER_REGISTERED_RING;
  const auto enter_fd = static_cast<unsigned>(ring_->enter_ring_fd);

  counters_.submitted.add(unsubmitted());
  offered_more_ = false;
  store_release(sq.ktail, sq_tail_);
  for (std::uint32_t tries = 0;; ++tries) {
    counters_.enters.add();
    // A declaration's sigset_t* is what the library calls the argument; with EXT_ARG the kernel
    // reads our struct.
    const int rc = ::io_uring_enter2(enter_fd, unsubmitted(), wait_nr, flags,
                                     static_cast<sigset_t*>(arg_address), arg_bytes);
    sq_submitted_ = load_acquire(sq.khead);
    if (unsubmitted() == 0 &&
        (rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EBUSY || rc == -EAGAIN))
      return;
    // -EBADR: the kernel had no memory to keep a completion. Nobody can tell which, so nothing can
    // be relied on.
    UPROAR_CHECK(
        rc >= 0 || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY || rc == -ENOMEM || rc == -ETIME,
        rc);
    if (rc <= 0) {  // nothing taken: otherwise the loop comes nearer to its end
      counters_.submit_retries.add();
      UPROAR_CHECK(tries < kSubmitTriesMax, rc, unsubmitted());
      ::sched_yield();
    }
  }
}

std::uint32_t Ring::ready() const {
  return load_acquire(ring_->cq.ktail) - load_relaxed(ring_->cq.khead);
}

std::uint32_t Ring::buffers_free() const {
  const std::uint32_t unreaped = ready();
  return buffers_->free() > unreaped ? buffers_->free() - unreaped : 0;
}

bool Ring::take(Completion& completion) {
  io_uring_cq& cq = ring_->cq;
  for (;;) {
    const std::uint32_t head = load_relaxed(cq.khead);
    if (head == load_acquire(cq.ktail)) return false;
    const io_uring_cqe cqe_user_part = [&] {
      io_uring_cqe copy;  // the entry's flexible tail is not ours
      const io_uring_cqe& entry = cq.cqes[head & cq_mask_];
      copy.user_data = entry.user_data;
      copy.res = entry.res;
      copy.flags = entry.flags;
      return copy;
    }();
    store_release(cq.khead, head + 1);

    const std::uint64_t user_data = cqe_user_part.user_data;
    if (user_data == kSilentWake) {
      counters_.wakes_refused.add();
      continue;
    }
    completion.key = CompletionKey::unpack(user_data);
    completion.result = cqe_user_part.res;
    completion.more = (cqe_user_part.flags & IORING_CQE_F_MORE) != 0;
    completion.buffer = {};
    if ((cqe_user_part.flags & IORING_CQE_F_BUFFER) != 0) {
      const auto id = static_cast<std::uint16_t>(cqe_user_part.flags >> IORING_CQE_BUFFER_SHIFT);
      const auto size = static_cast<std::size_t>(std::max(cqe_user_part.res, 0));
      completion.buffer = buffers_->lend(id, size);
      lent_buffer_ = id;
      counters_.recv_bytes.add(size);
    } else if (completion.key.kind == OpKind::kRecv && completion.result == -ENOBUFS) {
      counters_.buffers_exhausted.add();
      if (!std::exchange(offered_more_, true)) buffers_->offer_more();
    } else if (completion.key.kind == OpKind::kSend) {
      counters_.send_troubles.add();
    }
    counters_.completions.add();
    return true;
  }
}

void Ring::give_back() {
  if (lent_buffer_ < 0) return;
  buffers_->recycle(static_cast<std::uint16_t>(lent_buffer_));
  lent_buffer_ = -1;
}

}  // namespace uproar::runtime
