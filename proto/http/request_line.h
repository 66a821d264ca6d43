#pragma once

// The request line (RFC 9112 §3) and the four forms of its target (§3.2).
//
//   origin-form     /path?query                     accepted
//   absolute-form   http://host:port/path?query     accepted; its authority stands in for Host (§3.2.2)
//   asterisk-form   *                               accepted for OPTIONS alone
//   authority-form  host:port                       CONNECT is answered 501
//
// Characters of a target: visible ASCII without # " < >. Browsers send { } | ^ ` unescaped in queries, so those
// pass; bytes above 127 and white space never do.

#include <cstdint>
#include <string_view>

#include "proto/http/request_error.h"

namespace uproar::http {

struct RequestLine {
  std::string_view method;
  std::string_view target;         // as sent
  std::string_view path;           // begins with '/', or is "*"; escapes not decoded
  std::string_view query;          // after the first '?', without it; escapes not decoded
  std::string_view authority;      // absolute-form only, else empty
  std::uint8_t version_minor = 0;  // 0 or 1
};

// `line` comes without its CRLF. On kNone `out` holds views into it.
[[nodiscard]] RequestError parse_request_line(std::string_view line, RequestLine& out);

// host [":" port] with a host of at least one character (RFC 3986 §3.2.2; names, IPv4 and [IPv6]).
[[nodiscard]] bool is_host_and_port(std::string_view text);

}  // namespace uproar::http
