// runtime::Ring over the kernel of the simulator: what core/runtime/ring.h declares, with net::SimIo for the sockets. The
// linker takes this instead of the library's ring.cc.
#include <liburing.h>

#include "core/runtime/buffer_pool.h"
#include "core/runtime/ring.h"
#include "tests/sim/kernel.h"

// `sq_mask_` is the number of the ring in the kernel; the other members of the kernel's ring are not used.
namespace uproar::runtime {
namespace {

sim::Kernel::RingState& state_of(std::uint32_t number) {
  return sim::Kernel::current().ring(number);
}

}  // namespace

Result<std::unique_ptr<Ring>, SystemError> Ring::create(const Options& options) {
  std::unique_ptr<Ring> ring(new Ring);
  ring->sq_mask_ = sim::Kernel::current().add_ring();
  ring->direct_slots_ = options.direct_slots;
  return ring;
}
Result<void, SystemError> Ring::enable() {
  enabled_ = true;
  return {};
}
void Ring::shut_down() {
  if (!enabled_) return;
  enabled_ = false;
  sim::Kernel::current().end_ring(sq_mask_);
}
Ring::~Ring() {
  shut_down();
}
int Ring::fd() const {
  return sim::Kernel::kRingFds + static_cast<int>(sq_mask_);
}

void Ring::arm_accept(int listen_fd, CompletionKey key) {
  state_of(sq_mask_).io.arm_accept(listen_fd, key);
}
bool Ring::adopt(std::uint32_t slot, int fd) {
  if (slot >= direct_slots_ || !state_of(sq_mask_).io.adopt(slot, fd)) {
    counters_.adopts_refused.add();
    return false;
  }
  sim::Kernel::current().adopted(sq_mask_, slot, fd);
  return true;
}
void Ring::arm_recv(std::uint32_t slot, CompletionKey key) {
  state_of(sq_mask_).io.arm_recv(slot, key);
}
void Ring::send(std::uint32_t slot, ByteView bytes, CompletionKey key) {
  state_of(sq_mask_).io.send(slot, bytes, key);
  counters_.sends.add();
}
void Ring::send_gather(std::uint32_t slot, const msghdr* message, CompletionKey key) {
  state_of(sq_mask_).io.send_gather(slot, message, key);
  counters_.sends.add();
}
void Ring::poll_writable(std::uint32_t slot, CompletionKey key) {
  state_of(sq_mask_).io.poll_writable(slot, key);
}
void Ring::cancel(CompletionKey what, CompletionKey key) {
  if (what.kind == OpKind::kPoll) return;  // nothing is ever armed
  state_of(sq_mask_).io.cancel(what, key);
}
void Ring::shutdown_write(std::uint32_t slot, CompletionKey key) {
  state_of(sq_mask_).io.shutdown_write(slot, key);
}
void Ring::close(std::uint32_t slot, CompletionKey key) {
  state_of(sq_mask_).io.close(slot, key);
}
void Ring::arm_poll(int, std::uint32_t, CompletionKey, PollMode) {
}  // the simulated services need no descriptors
void Ring::wake(int other_ring_fd, std::uint32_t from_shard) {
  state_of(sq_mask_).sends_wakes.emplace_back(other_ring_fd, from_shard);
  counters_.wakes_sent.add();
}
void Ring::nop(CompletionKey) {}

void Ring::submit() {
  state_of(sq_mask_).io.submit();
  sim::Kernel::current().submitted(sq_mask_);
}
void Ring::submit_and_run() {
  submit();
  state_of(sq_mask_).io.poll_world();
}
void Ring::submit_and_wait(std::uint32_t, std::int64_t) {
  submit_and_run();
}
std::uint32_t Ring::ready() const {
  const auto& state = state_of(sq_mask_);
  return state.io.ready() + static_cast<std::uint32_t>(state.wakes.size());
}
std::uint32_t Ring::buffers_free() const {
  return state_of(sq_mask_).io.buffers_free();
}
bool Ring::take(Completion& completion) {
  auto& state = state_of(sq_mask_);
  if (!state.wakes.empty()) {
    completion = {};
    completion.key = state.wakes.back();
    state.wakes.pop_back();
    return true;
  }
  if (!state.io.take_completion(completion, state.buffer)) return false;
  counters_.completions.add();
  return true;
}
void Ring::give_back() {}

}  // namespace uproar::runtime
