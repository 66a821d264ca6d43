#include "proto/http/request_line.h"

#include <algorithm>

#include "proto/http/chars.h"

namespace uproar::http {
namespace {

constexpr std::string_view kVersionPrefix = "HTTP/";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

RequestError parse_version(std::string_view text, std::uint8_t& minor) {
  if (text.size() != kVersionPrefix.size() + 3 || !text.starts_with(kVersionPrefix))
    return RequestError::kBadVersion;
  if (!is_digit(text[5]) || text[6] != '.' || !is_digit(text[7])) return RequestError::kBadVersion;
  if (text[5] != '1' || text[7] > '1') return RequestError::kVersionUnsupported;
  minor = static_cast<std::uint8_t>(text[7] - '0');
  return RequestError::kNone;
}

void split_query(std::string_view text, RequestLine& out) {
  out.query = text;
  out.path = split_off(out.query, '?');
}

// "http://" or "https://", which is all a client may send to us; the length of the prefix or 0.
std::size_t scheme_bytes(std::string_view target) {
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (equals_ignoring_case(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

RequestError parse_target(RequestLine& out) {
  const std::string_view target = out.target;
  if (target.empty() || !all_in(target, kTargetChar)) return RequestError::kBadTarget;
  if (target.front() == '/') {
    split_query(target, out);
    return RequestError::kNone;
  }
  if (target == "*") {
    out.path = target;
    return out.method == "OPTIONS" ? RequestError::kNone : RequestError::kBadTarget;
  }
  const std::size_t scheme = scheme_bytes(target);
  if (scheme == 0) return RequestError::kBadTarget;
  const std::string_view rest = target.substr(scheme);
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  out.authority = rest.substr(0, authority_end);
  if (!is_host_and_port(out.authority))
    return RequestError::kBadTarget;  // also refuses user:password@
  split_query(rest.substr(authority_end), out);
  if (out.path.empty()) out.path = "/";
  return RequestError::kNone;
}

}  // namespace

RequestError parse_request_line(std::string_view line, RequestLine& out) {
  out = RequestLine{};
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  RequestError error = RequestError::kNone;
  if (first == std::string_view::npos || first == last) {
    error = RequestError::kBadRequestLine;
  } else {
    out.method = line.substr(0, first);
    out.target = line.substr(first + 1, last - first - 1);
    if (!is_token(out.method)) error = RequestError::kBadMethod;
    if (error == RequestError::kNone)
      error = parse_version(line.substr(last + 1), out.version_minor);
    if (error == RequestError::kNone && out.method == "CONNECT")
      error = RequestError::kMethodUnsupported;
    if (error == RequestError::kNone) error = parse_target(out);
  }
  if (error != RequestError::kNone && line.find('\r') != std::string_view::npos)
    return RequestError::kBareCr;
  return error;
}

bool is_host_and_port(std::string_view text) {
  if (!all_in(text, kHostChar)) return false;
  std::size_t host_end = 0;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || bracket == 1) return false;
    const std::string_view address = text.substr(1, bracket - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
      return false;
    host_end = bracket + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
    if (host_end == 0 || text.find_first_of("[]") != std::string_view::npos) return false;
  }
  if (host_end == text.size()) return true;
  const std::string_view port = text.substr(host_end + 1);
  return text[host_end] == ':' && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), is_digit);
}

}  // namespace uproar::http
