#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace uproar {

// The whole of `text` as an integer that fits: digits, and a minus before them where Number has one. No spaces, no plus.
template <class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

}  // namespace uproar
