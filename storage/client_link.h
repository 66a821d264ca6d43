#pragma once

// How a backend's threads reach a client's reactor for as long as the client lives, and not a moment longer. Shared
// between the client and the work it has under way; one reference per batch or read.

#include <memory>
#include <mutex>

#include "storage/reactor.h"

namespace uproar::storage {

class ClientLink : public std::enable_shared_from_this<ClientLink> {
 public:
  explicit ClientLink(Reactor& reactor) : reactor_(&reactor) {}

  // From any thread. `task` runs on the reactor unless close() comes first: then it is dropped.
  void post(Reactor::Task task) {
    const std::lock_guard lock(mutex_);
    if (reactor_ == nullptr) return;
    reactor_->post([self = shared_from_this(), task = std::move(task)] {
      if (!self->is_closed()) task();
    });
  }
  // On the reactor's thread. No task runs and the reactor is not touched after it returns.
  void close() {
    const std::lock_guard lock(mutex_);
    reactor_ = nullptr;
  }

 private:
  [[nodiscard]] bool is_closed() {
    const std::lock_guard lock(mutex_);
    return reactor_ == nullptr;
  }

  std::mutex mutex_;
  Reactor* reactor_;
};

}  // namespace uproar::storage
