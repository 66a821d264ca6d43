#pragma once

// The Date header (RFC 9110 §5.6.7, IMF-fixdate). Pure: whoever drives formats it once per second and shares it.

#include <array>
#include <cstdint>
#include <string_view>

namespace uproar::http {

struct HttpDate {
  std::array<char, 29> text{};  // "Sun, 06 Nov 1994 08:49:37 GMT"
  [[nodiscard]] std::string_view view() const { return {text.data(), text.size()}; }
};

// REQUIRES: a time in the years 1970 to 9999 (seconds below 253,402,300,800).
[[nodiscard]] HttpDate http_date(std::int64_t unix_seconds);

}  // namespace uproar::http
