#pragma once

// What both doors, WebSocket and REST, do with what strangers send: errors, query parameters and
// bytes that outlive their receive buffer.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/chat/error_code.h"
#include "proto/chat/limits.h"
#include "proto/http/request_parser.h"
#include "proto/http/target.h"

namespace uproar::gateway {

[[nodiscard]] inline chat::Error error(chat::ErrorCode code, std::string_view detail = {},
                                       std::uint32_t retry_after_ms = 0) {
  return {.code = code, .detail = detail, .retry_after_ms = retry_after_ms};
}

// WWW-Authenticate of a 401 (RFC 9110 §15.5.2). RFC 6750 §3.1: who gave no token is told of no error.
[[nodiscard]] constexpr std::string_view challenge(bool token_refused) {
  return token_refused ? R"(Bearer error="invalid_token")" : "Bearer";
}

// The query parameter, or empty: a broken query has none.
[[nodiscard]] inline std::string parameter(const http::Request& request, std::string_view name) {
  auto value = http::query_value(request.query, name);
  if (!value.ok() || !value.value()) return {};
  return std::move(*value.value());
}

// A copy of a payload or body with the padding that the decoder reads into.
class PaddedBytes {
 public:
  explicit PaddedBytes(ByteView bytes) : text_(as_text(bytes)), size_(bytes.size()) {
    text_.resize(size_ + chat::kDecodePaddingBytes);
  }
  // Dies with this object.
  [[nodiscard]] MutableBytes bytes() { return {reinterpret_cast<std::byte*>(text_.data()), size_}; }

 private:
  std::string text_;
  std::size_t size_;
};

}  // namespace uproar::gateway
