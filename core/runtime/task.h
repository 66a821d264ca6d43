#pragma once

// Task: a move-only void() of any size, run at most once. For work that crosses threads off the
// message path (blocking jobs and their results, start and stop); one allocation each.

#include <memory>
#include <type_traits>
#include <utility>

namespace uproar::runtime {

class Task {
 public:
  Task() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Task>)
      Task(F&& function)  // NOLINT: implicit by design, a lambda is a task
      : body_(std::make_unique<Body<std::remove_cvref_t<F>>>(std::forward<F>(function))) {}

  [[nodiscard]] explicit operator bool() const { return body_ != nullptr; }
  // Runs it and lets go of what it holds.
  void operator()() {
    const std::unique_ptr<Base> body = std::move(body_);
    body->run();
  }

 private:
  struct Base {
    Base() = default;
    Base(const Base&) = delete;
    Base& operator=(const Base&) = delete;
    virtual ~Base() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Body final : Base {
    explicit Body(F&& f) : function(std::move(f)) {}
    explicit Body(const F& f) : function(f) {}
    void run() override { function(); }
    F function;
  };

  std::unique_ptr<Base> body_;
};

}  // namespace uproar::runtime
