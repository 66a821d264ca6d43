#pragma once

// Header fields as views over text that has already been checked line by line. Nothing is indexed or copied: a
// lookup walks the text, which is some hundreds of bytes, and costs no memory between requests.

#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

#include "proto/http/request_error.h"

namespace uproar::http {

struct Header {
  std::string_view name;   // as sent; compare ignoring case
  std::string_view value;  // without white space at its ends; may be empty
};

// One field line without its CRLF (RFC 9112 §5). On kNone `out` holds views into `line`.
[[nodiscard]] RequestError parse_field_line(std::string_view line, Header& out);

// Borrowed: dies with the text it was made of. Names are matched ignoring case.
class Headers {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Header;
    using difference_type = std::ptrdiff_t;
    using pointer = const Header*;
    using reference = Header;

    explicit Iterator(std::string_view rest) : rest_(rest) {}
    [[nodiscard]] Header operator*() const;
    Iterator& operator++();
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.rest_.size() == b.rest_.size();
    }

   private:
    std::string_view rest_;
  };

  Headers() = default;
  // REQUIRES: every line of `lines` passed parse_field_line and ends in CRLF.
  explicit Headers(std::string_view lines) : lines_(lines) {}

  [[nodiscard]] Iterator begin() const { return Iterator(lines_); }
  [[nodiscard]] Iterator end() const { return Iterator({}); }
  [[nodiscard]] bool empty() const { return lines_.empty(); }

  // Value of the first header of that name; nullopt if there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  // How many lines have that name.
  [[nodiscard]] std::size_t count(std::string_view name) const;
  // Whether a comma-separated element of any header of that name equals `token`, ignoring case.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;
  // The same for an element that has to be as it is written.
  [[nodiscard]] bool has_element(std::string_view name, std::string_view element) const;

 private:
  std::string_view lines_;
};

// Whether a comma-separated element of `list` equals `token`, ignoring case and the white space around it.
[[nodiscard]] bool list_has_token(std::string_view list, std::string_view token);

}  // namespace uproar::http
