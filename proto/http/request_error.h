#pragma once

// Every way a request can be wrong, each with the HTTP status of the answer. One table: kRequestErrors.

#include <cstdint>
#include <string_view>

namespace uproar::http {

enum class RequestError : std::uint8_t {
  kNone,
  // Lines (RFC 9112 §2.2)
  kBareLf,  // a line that ends in LF without CR
  kBareCr,  // CR anywhere but before LF
  // Request line (RFC 9112 §3)
  kBadRequestLine,     // not three parts with one space between; an empty line too many before it
  kBadMethod,          // not a token
  kMethodUnsupported,  // CONNECT: we are no proxy
  kBadTarget,   // a form or a character that no target has, or a form the method does not allow
  kBadVersion,  // not HTTP/digit.digit
  kVersionUnsupported,  // neither 1.0 nor 1.1
  kRequestLineTooLong,
  // Header lines (RFC 9112 §5)
  kBadHeaderName,  // empty, no colon, or not a token
  kSpaceBeforeColon,
  kObsFold,         // a line that begins with white space
  kBadHeaderValue,  // NUL and other control characters
  kHeadTooLarge,    // bytes of head, or of trailers and chunk extensions
  kTooManyHeaders,
  // Meaning of the head
  kMissingHost,  // HTTP/1.1 without Host
  kRepeatedHost,
  kBadHost,
  kBadExpect,  // anything but 100-continue
  // Body framing (RFC 9112 §6, §7)
  kBadContentLength,       // signed, hex, a list, empty, or past 19 digits
  kRepeatedContentLength,  // also when the values agree
  kBodyTooLarge,
  kBadTransferEncoding,  // malformed, or chunked not last or not once
  kUnknownTransferEncoding,
  kTransferEncodingOnHttp10,
  kLengthAndTransferEncoding,
  kBadChunkSize,  // signed, 0x, empty, past 16 digits, or followed by anything but an extension
  kBadChunkExtension,
  kChunkLineTooLong,
  kBadChunkEnd,  // chunk data not followed by CRLF
};
inline constexpr int kRequestErrorCount = static_cast<int>(RequestError::kBadChunkEnd) + 1;

struct RequestErrorInfo {
  std::uint16_t status;
  std::string_view text;  // for logs and the body of the answer; static storage
};

// After any of these the connection is closed once the answer is out: what follows in the stream has no
// trustworthy beginning. REQUIRES: error is not kNone.
[[nodiscard]] const RequestErrorInfo& request_error_info(RequestError error);

}  // namespace uproar::http
