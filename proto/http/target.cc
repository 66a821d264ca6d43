#include "proto/http/target.h"

#include "proto/http/chars.h"

namespace uproar::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Result<std::string, TargetError> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (text.size() - i < 3) return Err{TargetError::kBadEscape};
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return Err{TargetError::kBadEscape};
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Whether a raw parameter name decodes to `name`; decodes only where it can matter.
bool names(std::string_view raw, std::string_view name) {
  if (raw == name) return true;
  if (raw.find_first_of("%+") == std::string_view::npos) return false;
  auto decoded = decode(raw, true);
  return decoded.ok() && *decoded == name;
}

}  // namespace

Result<std::string, TargetError> percent_decode(std::string_view text) {
  return decode(text, false);
}

Result<std::optional<std::string>, TargetError> query_value(std::string_view query,
                                                            std::string_view name) {
  std::optional<std::string> found;
  for (std::size_t seen = 0; !query.empty(); ++seen) {
    if (seen == kQueryParametersMax) return Err{TargetError::kTooManyParameters};
    std::string_view value = split_off(query, '&');
    if (!names(split_off(value, '='), name)) continue;
    if (found) return Err{TargetError::kRepeatedParameter};
    auto decoded = decode(value, true);
    if (!decoded.ok()) return Err{decoded.error()};
    if (decoded->size() > kQueryValueBytesMax) return Err{TargetError::kTooLong};
    found = std::move(*decoded);
  }
  return found;
}

Result<PathSegments, TargetError> split_path(std::string_view path) {
  if (!path.starts_with('/')) return Err{TargetError::kNotAPath};
  PathSegments segments;
  if (path == "/") return segments;
  for (bool more = true; more;) {
    path.remove_prefix(1);  // the slash before the segment
    const std::size_t slash = path.find('/');
    more = slash != std::string_view::npos;
    if (segments.size == kPathSegmentsMax) return Err{TargetError::kTooManySegments};
    segments.items[segments.size++] = path.substr(0, slash);
    if (more) path.remove_prefix(slash);
  }
  return segments;
}

}  // namespace uproar::http
