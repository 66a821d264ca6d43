#include "proto/auth/names.h"

#include <cstddef>

#include "proto/auth/limits.h"

namespace uproar::auth {
namespace {

constexpr std::size_t kDisplayNameBytesMax = 64;

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
constexpr bool is_separator(char c) {
  return c == '_' || c == '.' || c == '-';
}
constexpr bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7F;
}

// Bytes of the UTF-8 character that `text` begins with (RFC 3629 §4), or 0 when it begins with none.
std::size_t character_bytes(std::string_view text) {
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;   // no overlong forms
    const unsigned high = first == 0xED ? 0x9F : 0xBF;  // no surrogates
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;  // nothing above U+10FFFF
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// C1 controls, U+0080 to U+009F, and the characters that turn the direction of what follows them.
bool is_hidden(std::string_view character) {
  if (character.size() == 2)
    return character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
  if (character.size() != 3 || character[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  if (second == 0x80) return (third >= 0x8E && third <= 0x8F) || (third >= 0xA8 && third <= 0xAE);
  return second == 0x81 && third >= 0xA6 && third <= 0xA9;
}

}  // namespace

std::optional<std::string> normalize_name(std::string_view name) {
  if (name.size() < kNameBytesMin || name.size() > kNameBytesMax) return std::nullopt;
  std::string folded(name);
  bool after_separator = true;  // none may come first
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (is_alphanumeric(c)) {
      after_separator = false;
    } else if (is_separator(c) && !after_separator) {
      after_separator = true;
    } else {
      return std::nullopt;
    }
  }
  if (after_separator) return std::nullopt;
  return folded;
}

bool password_acceptable(std::string_view password) {
  if (password.size() < kPasswordBytesMin || password.size() > kPasswordBytesMax) return false;
  while (!password.empty()) {
    const std::size_t bytes = character_bytes(password);
    if (bytes == 0 || is_control(static_cast<unsigned char>(password[0]))) return false;
    password.remove_prefix(bytes);
  }
  return true;
}

std::string display_name(std::string_view name) {
  std::string shown;
  while (!name.empty()) {
    const std::size_t bytes = character_bytes(name);
    if (bytes == 0) return {};
    const std::string_view character = name.substr(0, bytes);
    name.remove_prefix(bytes);
    if (is_control(static_cast<unsigned char>(character[0])) || is_hidden(character)) continue;
    if (shown.size() + bytes > kDisplayNameBytesMax) break;
    shown.append(character);
  }
  return shown;
}

}  // namespace uproar::auth
