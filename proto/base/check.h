#pragma once

// Assertions on our own assumptions. UPROAR_CHECK stays on in release and aborts, printing the values it is
// given; UPROAR_DCHECK is for per-byte and per-recipient loops and exists in debug builds only. What a peer
// sends is never checked with these: a peer's mistake is an enum value (docs/decisions/0006).

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace uproar::base {

// One printed value of a failed check. Text is borrowed for the duration of the call.
struct CheckValue {
  std::string_view text;
  std::int64_t number = 0;
  bool is_text = false;

  template <class T>
  static CheckValue of(const T& value) {
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      return {.text = value, .number = 0, .is_text = true};
    } else if constexpr (std::is_enum_v<T>) {
      return {.text = {}, .number = static_cast<std::int64_t>(value), .is_text = false};
    } else {
      return {.text = {}, .number = static_cast<std::int64_t>(value), .is_text = false};
    }
  }
};

[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const CheckValue* values, unsigned count);

template <class... Values>
[[noreturn]] void check_failed_with(const char* condition, const char* file, int line,
                                    const Values&... values) {
  const CheckValue list[] = {CheckValue::of(values)..., CheckValue{}};
  check_failed(condition, file, line, list, sizeof...(values));
}

}  // namespace uproar::base

#define UPROAR_CHECK(condition, ...)                                          \
  do {                                                                        \
    if (!(condition)) [[unlikely]]                                            \
      ::uproar::base::check_failed_with(#condition, __FILE__,                 \
                                        __LINE__ __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

#ifdef NDEBUG
#define UPROAR_DCHECK(condition, ...) \
  do {                                \
  } while (false)
#else
#define UPROAR_DCHECK(condition, ...) UPROAR_CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif
