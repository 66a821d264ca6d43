#pragma once

// A note that other threads leave for one thread: the latest wins, and there is always room for it.

#include <atomic>
#include <memory>
#include <utility>

namespace uproar::server {

template <class T>
class Latest {
 public:
  Latest() = default;
  ~Latest() { delete note_.load(std::memory_order_acquire); }
  Latest(const Latest&) = delete;
  Latest& operator=(const Latest&) = delete;

  // From any thread. What was left before and is not taken yet is forgotten.
  void leave(T note) { delete note_.exchange(new T(std::move(note)), std::memory_order_acq_rel); }
  [[nodiscard]] bool is_waiting() const { return note_.load(std::memory_order_acquire) != nullptr; }
  // Null: nothing new.
  [[nodiscard]] std::unique_ptr<T> take() {
    if (!is_waiting()) return nullptr;
    return std::unique_ptr<T>(note_.exchange(nullptr, std::memory_order_acq_rel));
  }

 private:
  std::atomic<T*> note_{nullptr};
};

}  // namespace uproar::server
