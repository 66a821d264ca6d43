#pragma once

// Responses into a buffer: status line, headers, Content-Length, body (RFC 9112 §4, §6.3). Pure.
//
// The writer owns the framing: Content-Length, Transfer-Encoding, Connection and Date are its own and refused among
// `headers` (but on 101, where Connection says "Upgrade"). A value with a line end or another control character is
// refused, so nothing a client sent can become a header line of ours.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proto/base/result.h"
#include "proto/http/headers.h"

namespace uproar::http {

struct Request;

struct Response {
  std::uint16_t status = 200;
  std::string_view content_type{};    // left out when empty
  std::span<const Header> headers{};  // further ones, in this order
  std::string_view body{};            // empty on 1xx, 204, 304
};

// What the request and the moment say about the answer.
struct ResponseContext {
  std::string_view date{};         // http_date(now).view() (date.h); left out when empty
  bool head_request = false;       // HEAD: Content-Length of the body, but not the body
  bool keep_alive = true;          // false writes "Connection: close"; close after sending
  std::uint8_t version_minor = 1;  // of the request: HTTP/1.0 has to be told about keep-alive
};

enum class ResponseError : std::uint8_t {
  kNone,
  kBadStatus,       // not 100..599
  kBadHeaderName,   // not a token
  kBadHeaderValue,  // a control character, CR and LF above all
  kReservedHeader,  // one that the writer owns
  kBodyNotAllowed,  // a body on 1xx, 204 or 304
};

// Appends to `out`; on an error `out` is as it was. An error means that a value from outside was passed on
// unchecked or that the program is wrong: answer 500.
[[nodiscard]] Result<void, ResponseError> write_response(const Response& response,
                                                         const ResponseContext& context,
                                                         std::string& out);

// "HTTP/1.1 100 Continue", due when RequestParser::take_continue() says so.
inline constexpr std::string_view kContinueResponse = "HTTP/1.1 100 Continue\r\n\r\n";

// Reason phrase of RFC 9110 §15; empty for a status we never send. Static storage.
[[nodiscard]] std::string_view reason_phrase(std::uint16_t status);

}  // namespace uproar::http
