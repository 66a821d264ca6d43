#pragma once

// As much JSON as these tests need (the parser of the product lives behind proto/chat): is it well-formed, and what is
// the text of a member.

#include <cctype>
#include <string>
#include <string_view>

namespace uproar::server {

class JsonCheck {
 public:
  // True for exactly one JSON value with nothing but white space around it (RFC 8259; escapes are not looked into).
  [[nodiscard]] static bool well_formed(std::string_view text) {
    JsonCheck check{text};
    return check.value(0) && (check.blank(), check.rest_.empty());
  }

 private:
  explicit JsonCheck(std::string_view text) : rest_(text) {}

  void blank() {
    while (!rest_.empty() &&
           std::string_view(" \t\r\n").find(rest_.front()) != std::string_view::npos)
      rest_.remove_prefix(1);
  }
  bool take(char c) {
    blank();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  bool text() {
    if (!take('"')) return false;
    while (!rest_.empty() && rest_.front() != '"') {
      if (static_cast<unsigned char>(rest_.front()) < 0x20) return false;
      rest_.remove_prefix(rest_.front() == '\\' && rest_.size() > 1 ? 2 : 1);
    }
    return word("\"");
  }
  bool number() {
    std::size_t digits = 0;
    if (!rest_.empty() && rest_.front() == '-') rest_.remove_prefix(1);
    while (!rest_.empty() &&
           (std::isdigit(static_cast<unsigned char>(rest_.front())) != 0 || rest_.front() == '.')) {
      rest_.remove_prefix(1);
      ++digits;
    }
    return digits > 0;
  }
  // "[" has been taken: items up to the closing bracket. `named`: each behind its name.
  bool items(char closing, bool named, int depth) {
    if (take(closing)) return true;
    do {
      if (named && !(text() && take(':'))) return false;
      if (!value(depth + 1)) return false;
    } while (take(','));
    return take(closing);
  }
  bool value(int depth) {
    if (depth > 32) return false;
    blank();
    if (take('{')) return items('}', true, depth);
    if (take('[')) return items(']', false, depth);
    if (!rest_.empty() && rest_.front() == '"') return text();
    return word("true") || word("false") || word("null") || number();
  }

  std::string_view rest_;
};

// The text of the first member `name` that is a string without escapes; "" when there is none.
inline std::string json_text(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":\"";
  const auto at = json.find(key);
  if (at == std::string_view::npos) return {};
  const auto start = at + key.size();
  return std::string(json.substr(start, json.find('"', start) - start));
}

}  // namespace uproar::server
