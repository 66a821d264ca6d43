#pragma once

// Result<T, E>: a value or the reason why there is none. A peer's mistakes are small enums, the environment's
// are SystemError. Both kinds must be looked at: the types are [[nodiscard]].

#include <string>
#include <utility>
#include <variant>

#include "proto/base/check.h"

namespace uproar {

template <class E>
struct [[nodiscard]] Err {
  E error;
};
template <class E>
Err(E) -> Err<E>;

template <class T, class E>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Err<E> err)
      : state_(std::in_place_index<1>, std::move(err.error)) {}  // NOLINT: implicit by design

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  [[nodiscard]] T& value() & {
    UPROAR_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    UPROAR_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  // By value: a reference into a temporary would die before `for (auto& x : load().value().rows)` begins.
  [[nodiscard]] T value() && {
    UPROAR_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok().
  [[nodiscard]] const E& error() const {
    UPROAR_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  Result(Err<E> err) : ok_(false), error_(std::move(err.error)) {}  // NOLINT: implicit by design

  [[nodiscard]] bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  [[nodiscard]] const E& error() const {
    UPROAR_CHECK(!ok_);
    return error_;
  }

 private:
  bool ok_ = true;
  E error_{};
};

// What the kernel, the disk or a service refused: which operation, on what, errno (0 when there is none) and,
// where we know it, the change that mends it. Shown to operators as it is.
struct SystemError {
  std::string operation;  // "open", "io_uring_setup", "sqlite: begin"
  std::string subject;    // path, address, setting; may be empty
  int code = 0;           // errno or 0
  std::string hint;       // "raise LimitMEMLOCK= to 64M"; may be empty

  // "open /x/y: No such file or directory (errno 2). Try: create the folder"
  [[nodiscard]] std::string text() const;
};

}  // namespace uproar
