// Hot path: per header line. Allocations: 0, copies: 0.
#include "proto/http/headers.h"

#include "proto/http/chars.h"

namespace uproar::http {
namespace {

// Cold: the line is refused anyway; which rule did it break?
RequestError field_line_error(std::string_view line) {
  if (line.empty()) return RequestError::kBadHeaderName;
  if (line.find('\r') != std::string_view::npos) return RequestError::kBareCr;
  if (line.front() == ' ' || line.front() == '\t') return RequestError::kObsFold;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return RequestError::kBadHeaderName;
  const std::string_view name = line.substr(0, colon);
  if (is_token(name)) return RequestError::kBadHeaderValue;
  // RFC 9112 §5.1: a space here has been used to smuggle requests past proxies, so it has its own name.
  if (is_token(trimmed(name))) return RequestError::kSpaceBeforeColon;
  return RequestError::kBadHeaderName;
}

}  // namespace

RequestError parse_field_line(std::string_view line, Header& out) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) [[unlikely]]
    return field_line_error(line);
  out.name = line.substr(0, colon);
  out.value = trimmed(line.substr(colon + 1));
  if (!is_token(out.name) || !is_field_value(out.value)) [[unlikely]]
    return field_line_error(line);
  return RequestError::kNone;
}

Header Headers::Iterator::operator*() const {
  const std::size_t colon = rest_.find(':');
  const std::size_t line_end = rest_.find('\r', colon);
  return {.name = rest_.substr(0, colon),
          .value = trimmed(rest_.substr(colon + 1, line_end - colon - 1))};
}

Headers::Iterator& Headers::Iterator::operator++() {
  rest_.remove_prefix(rest_.find('\n') + 1);
  return *this;
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Header header : *this) {
    if (equals_ignoring_case(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t lines = 0;
  for (const Header header : *this) lines += equals_ignoring_case(header.name, name) ? 1 : 0;
  return lines;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const Header header : *this) {
    if (equals_ignoring_case(header.name, name) && list_has_token(header.value, token)) return true;
  }
  return false;
}

bool Headers::has_element(std::string_view name, std::string_view element) const {
  for (const Header header : *this) {
    if (!equals_ignoring_case(header.name, name)) continue;
    for (std::string_view rest = header.value; !rest.empty();) {
      if (trimmed(split_off(rest, ',')) == element) return true;
    }
  }
  return false;
}

bool list_has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    if (equals_ignoring_case(trimmed(split_off(list, ',')), token)) return true;
  }
  return false;
}

}  // namespace uproar::http
