#pragma once

// What is inside a request target: path segments, query parameters, escapes (RFC 3986 §2.1, §3.4), and its form
// for logs. Pure; results are bounded by limits.h.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/result.h"
#include "proto/http/limits.h"

namespace uproar::http {

enum class TargetError : std::uint8_t {
  kNone,
  kBadEscape,          // '%' not followed by two hex digits, or %00
  kTooLong,            // a value above kQueryValueBytesMax
  kTooManyParameters,  // above kQueryParametersMax
  kRepeatedParameter,  // the one asked for stands there twice
  kTooManySegments,    // above kPathSegmentsMax
  kNotAPath,           // does not begin with '/'
};

// All escapes decoded; '+' stays '+'. The result may hold any byte but NUL: check UTF-8 where it matters.
[[nodiscard]] Result<std::string, TargetError> percent_decode(std::string_view text);

// Value of the parameter `name` in a raw query, decoded ('+' is a space, as forms have it); nullopt if it is not
// there, "" for both "name" and "name=". A parameter given twice is an error: two readers would differ on it.
[[nodiscard]] Result<std::optional<std::string>, TargetError> query_value(std::string_view query,
                                                                          std::string_view name);

// Segments of a raw path: views into it, escapes not decoded, so that %2F never separates.
//   "/" has none; "/a/b" has "a" and "b"; "/a/" has "a" and ""; "." and ".." are plain text.
struct PathSegments {
  std::array<std::string_view, kPathSegmentsMax> items;
  std::size_t size = 0;

  [[nodiscard]] std::string_view operator[](std::size_t index) const { return items[index]; }
};
[[nodiscard]] Result<PathSegments, TargetError> split_path(std::string_view path);

}  // namespace uproar::http
