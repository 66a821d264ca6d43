#include "bench/floor/ring_floor.h"

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "bench/floor/rooms.h"
#include "bench/load/program.h"
#include "core/runtime/ring.h"

namespace uproar::bench {
namespace {

using runtime::Completion;
using runtime::OpKind;

constexpr std::uint32_t kConnections = 18'432;
constexpr std::uint32_t kBatchSends = 512;
constexpr std::int64_t kWaitUs = 1'000'000;

class RingFloor {
 public:
  explicit RingFloor(int listener) : listener_(listener) {
    auto ring = runtime::Ring::create({.direct_slots = kConnections});
    if (!ring) die(ring.error().text());
    ring_ = std::move(*ring);
    if (auto enabled = ring_->enable(); !enabled) die(enabled.error().text());
    for (std::uint32_t slot = ring_->direct_slots(); slot > 0; --slot) free_.push_back(slot - 1);
    ring_->arm_accept(listener_, {.kind = OpKind::kAccept});
  }

  [[noreturn]] void serve() {
    for (;;) {
      ring_->submit_and_wait(1, kWaitUs);
      ring_->reap([this](const Completion& completion) { on_completion(completion); }, 4096);
      ring_->submit();  // answers: a socket has one send between two submits
      answers_.clear();
      send_all();
    }
  }

 private:
  void on_completion(const Completion& completion) {
    const std::uint32_t slot = completion.key.slot;
    switch (completion.key.kind) {
      case OpKind::kAccept:
        if (completion.result >= 0) accept(completion.result);
        if (!completion.more) ring_->arm_accept(listener_, {.kind = OpKind::kAccept});
        return;
      case OpKind::kRecv:
        return on_recv(slot, completion);
      case OpKind::kSend:
        if (completion.result != -EPIPE && completion.result != -ECONNRESET)
          die("a member's socket is full: no floor");
        return;
      case OpKind::kClose:
        free_.push_back(slot);
        return;
      default:
        return;
    }
  }

  void accept(int fd) {
    if (free_.empty()) die("more connections than this floor has room for");
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    rooms_.open(slot);
    if (!ring_->adopt(slot, fd)) die("the ring refused a connection");
    ring_->arm_recv(slot, {.kind = OpKind::kRecv, .slot = slot});
  }

  void on_recv(std::uint32_t slot, const Completion& completion) {
    if (completion.result > 0) {
      const FloorRooms::Outcome outcome = rooms_.on_bytes(
          slot,
          {reinterpret_cast<const char*>(completion.buffer.data()), completion.buffer.size()});
      if (!outcome.answer.empty()) {  // must live until the next submit
        answers_.push_back(std::make_unique<std::string>(outcome.answer));
        ring_->send(slot, as_bytes(*answers_.back()), {.kind = OpKind::kSend, .slot = slot});
      }
    }
    if (completion.more) return;
    if (completion.result > 0 || completion.result == -ENOBUFS)
      return ring_->arm_recv(slot, {.kind = OpKind::kRecv, .slot = slot});
    rooms_.close(slot);
    ring_->close(slot, {.kind = OpKind::kClose, .slot = slot});
  }

  void send_all() {
    std::uint32_t started = 0;
    for (const std::uint32_t index : rooms_.active()) {
      FloorRoom& room = rooms_.room(index);
      for (const std::uint32_t member : room.members) {
        ring_->send(member, as_bytes(room.run), {.kind = OpKind::kSend, .slot = member});
        if (++started % kBatchSends == 0) ring_->submit();
      }
    }
    ring_->submit();
    for (const std::uint32_t index : rooms_.active()) rooms_.room(index).clear();
    rooms_.active().clear();
  }

  int listener_;
  std::unique_ptr<runtime::Ring> ring_;
  FloorRooms rooms_;
  std::vector<std::uint32_t> free_;
  std::vector<std::unique_ptr<std::string>> answers_;
};

}  // namespace

void serve_by_ring(int listener) {
  static RingFloor floor(listener);
  floor.serve();
}

}  // namespace uproar::bench
