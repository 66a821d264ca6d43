#include "proto/http/response_writer.h"

#include <algorithm>
#include <charconv>

#include "proto/http/chars.h"
#include "proto/http/request_parser.h"

namespace uproar::http {
namespace {

constexpr std::uint16_t kSwitchingProtocols = 101;

struct Reason {
  std::uint16_t status;
  std::string_view phrase;
};
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

bool has_no_body(std::uint16_t status) {
  return status < 200 || status == 204 || status == 304;
}

bool is_reserved(std::string_view name, std::uint16_t status) {
  if (equals_ignoring_case(name, "connection")) return status != kSwitchingProtocols;
  return equals_ignoring_case(name, "content-length") ||
         equals_ignoring_case(name, "transfer-encoding") || equals_ignoring_case(name, "date");
}

ResponseError check(const Response& response, const ResponseContext& context) {
  if (response.status < 100 || response.status > 599) return ResponseError::kBadStatus;
  if (!is_field_value(response.content_type) || !is_field_value(context.date))
    return ResponseError::kBadHeaderValue;
  for (const Header& header : response.headers) {
    if (!is_token(header.name)) return ResponseError::kBadHeaderName;
    if (is_reserved(header.name, response.status)) return ResponseError::kReservedHeader;
    if (!is_field_value(header.value)) return ResponseError::kBadHeaderValue;
  }
  if (has_no_body(response.status) && !response.body.empty()) return ResponseError::kBodyNotAllowed;
  return ResponseError::kNone;
}

void put_number(std::uint64_t number, std::string& out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void put_header(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void put_connection(const Response& response, const ResponseContext& context, std::string& out) {
  if (response.status < 200) return;  // interim, or the caller's own "Connection: Upgrade"
  if (!context.keep_alive) put_header("Connection", "close", out);
  if (context.keep_alive && context.version_minor == 0) put_header("Connection", "keep-alive", out);
}

}  // namespace

Result<void, ResponseError> write_response(const Response& response, const ResponseContext& context,
                                           std::string& out) {
  const ResponseError error = check(response, context);
  if (error != ResponseError::kNone) return Err{error};

  out.append("HTTP/1.1 ");
  put_number(response.status, out);
  out.append(" ").append(reason_phrase(response.status)).append("\r\n");
  if (!context.date.empty()) put_header("Date", context.date, out);
  put_connection(response, context, out);
  if (!response.content_type.empty()) put_header("Content-Type", response.content_type, out);
  for (const Header& header : response.headers) put_header(header.name, header.value, out);
  if (!has_no_body(response.status)) {
    out.append("Content-Length: ");
    put_number(response.body.size(), out);
    out.append("\r\n");
  }
  out.append("\r\n");
  if (!context.head_request) out.append(response.body);
  return {};
}

std::string_view reason_phrase(std::uint16_t status) {
  const auto* row =
      std::find_if(std::begin(kReasons), std::end(kReasons),
                   [status](const Reason& reason) { return reason.status == status; });
  return row == std::end(kReasons) ? std::string_view() : row->phrase;
}

}  // namespace uproar::http
