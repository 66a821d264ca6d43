#pragma once

// Hot path: per byte of every request head. Allocations: 0.
// Character classes of RFC 9110 §5.6 and small comparisons on header text.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace uproar::http {

// Bits of kCharClasses.
inline constexpr std::uint8_t kTokenChar = 1;   // tchar: method and header names
inline constexpr std::uint8_t kTargetChar = 2;  // of a request target; see request_line.h
inline constexpr std::uint8_t kHostChar = 4;  // host and port of RFC 3986 §3.2, without the comma

namespace detail {

constexpr std::array<std::uint8_t, 256> char_classes() {
  std::array<std::uint8_t, 256> table{};
  const auto add = [&table](std::string_view characters, std::uint8_t bits) {
    for (const char c : characters) table[static_cast<unsigned char>(c)] |= bits;
  };
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", kTokenChar | kHostChar);
  add("!#$%&'*+-.^_`|~", kTokenChar);
  add("-._~!$&'()*+;=%:[]", kHostChar);
  for (unsigned c = 0x21; c < 0x7F; ++c) table[c] |= kTargetChar;
  for (const char c : std::string_view("#\"<>"))
    table[static_cast<unsigned char>(c)] &= static_cast<std::uint8_t>(~kTargetChar);
  return table;
}

}  // namespace detail

inline constexpr std::array<std::uint8_t, 256> kCharClasses = detail::char_classes();

[[nodiscard]] inline bool is_in(char c, std::uint8_t char_class) {
  return (kCharClasses[static_cast<unsigned char>(c)] & char_class) != 0;
}

[[nodiscard]] inline bool all_in(std::string_view text, std::uint8_t char_class) {
  std::uint8_t common = char_class;
  for (const char c : text) common &= kCharClasses[static_cast<unsigned char>(c)];
  return common != 0;
}

[[nodiscard]] inline bool is_token(std::string_view text) {
  return !text.empty() && all_in(text, kTokenChar);
}

// field-content of RFC 9110 §5.5: visible characters, space, tab and the bytes above 127. Written without
// branches or tables so that the compiler turns it into vector code.
[[nodiscard]] inline bool is_field_value(std::string_view text) {
  unsigned bad = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    bad |=
        static_cast<unsigned>((byte < 0x20) & (byte != '\t')) | static_cast<unsigned>(byte == 0x7F);
  }
  return bad == 0;
}

[[nodiscard]] inline char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

[[nodiscard]] inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

// Without optional white space (space, tab) at both ends.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Splits off the part of `list` before the next `separator`; `list` keeps what follows it. Without a separator
// the whole list is the part and `list` becomes empty; the caller stops when it had nothing left to split.
[[nodiscard]] inline std::string_view split_off(std::string_view& list, char separator) {
  const std::size_t at = list.find(separator);
  const std::string_view part = list.substr(0, at);
  list = at == std::string_view::npos ? std::string_view() : list.substr(at + 1);
  return part;
}

}  // namespace uproar::http
