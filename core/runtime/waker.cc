#include "core/runtime/waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "core/runtime/ring.h"

namespace uproar::runtime {

Result<std::unique_ptr<Waker>, SystemError> Waker::create(int ring_fd) {
  const int event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd < 0) {
    return Err{SystemError{.operation = "eventfd",
                           .subject = {},
                           .code = errno,
                           .hint = "raise RLIMIT_NOFILE (LimitNOFILE=)"}};
  }
  return std::unique_ptr<Waker>(new Waker(ring_fd, event_fd));
}

Waker::~Waker() {
  ::close(event_fd_);
}

void Waker::clear_event() {
  std::uint64_t count = 0;
  (void)!::read(event_fd_, &count, sizeof count);  // -EAGAIN: cleared before
}

bool Waker::wake_from(Ring& sender, std::uint32_t sender_shard) {
  if (!claim()) return false;
  sender.wake(ring_fd_, sender_shard);
  return true;
}

bool Waker::wake_from_thread() {
  if (!claim()) return false;
  const std::uint64_t one = 1;
  (void)!::write(event_fd_, &one,
                 sizeof one);  // fails only if the count is at its end: then it is readable
  return true;
}

}  // namespace uproar::runtime
