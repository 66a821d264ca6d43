#pragma once

// All that a storage backend knows of an event loop. core/server implements it over the ring; tests over a plain
// queue or poll(). Everything but post() is called on the reactor's own thread.

#include <cstdint>
#include <functional>

namespace uproar::storage {

class Reactor {
 public:
  using Task = std::function<void()>;
  using WatchId = std::uint32_t;
  using TimerId = std::uint64_t;

  virtual ~Reactor() = default;

  // Thread-safe. Runs `task` on the reactor's thread in a later turn, in the order of posting from one thread.
  virtual void post(Task task) = 0;
  // Calls `ready` with the poll(2) mask whenever one of `events` (POLLIN, POLLOUT) holds, until unwatch().
  virtual WatchId watch(int fd, short events, std::function<void(short)> ready) = 0;
  virtual void unwatch(WatchId id) = 0;
  // Once, after `delay_ms`. A fired or cancelled id is forgotten; cancelling it again is harmless.
  virtual TimerId arm_timer(std::uint32_t delay_ms, Task task) = 0;
  virtual void cancel_timer(TimerId id) = 0;
};

}  // namespace uproar::storage
