#pragma once

// What both doors, WebSocket and REST, do with what strangers send: errors, query parameters and
// bytes that outlive their receive buffer.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/gateway/limits.h"
#include "proto/base/bytes.h"
#include "proto/base/result.h"
#include "proto/base/spread.h"
#include "proto/chat/error_code.h"
#include "proto/chat/limits.h"
#include "proto/crypto/random.h"
#include "proto/http/request_parser.h"
#include "proto/http/target.h"

namespace uproar::gateway {

[[nodiscard]] inline chat::Error error(chat::ErrorCode code, const chat::ErrorDetail& detail = {},
                                       std::uint32_t retry_after_ms = 0) {
  return {.code = code, .detail = detail, .retry_after_ms = retry_after_ms};
}

[[nodiscard]] inline std::uint32_t random_u32() {
  return static_cast<std::uint32_t>(crypto::random_u64());
}
[[nodiscard]] inline std::uint32_t busy_retry_ms() {
  return spread_ms(kBusyRetryMs, kBusyRetryMs, random_u32());
}
// Another shard is behind, or the threads that hash are, or a table is full.
[[nodiscard]] inline chat::Error busy() {
  return error(chat::ErrorCode::kOverloaded, {}, busy_retry_ms());
}

// WWW-Authenticate of a 401 (RFC 9110 §15.5.2). RFC 6750 §3.1: who gave no token is told of no error.
[[nodiscard]] constexpr std::string_view challenge(bool token_refused) {
  return token_refused ? R"(Bearer error="invalid_token")" : "Bearer";
}

// The parameters that the doors know, each with the sentence for one that cannot be read.
struct QueryParameter {
  std::string_view name;
  std::string_view unreadable;
};
namespace query {
inline constexpr QueryParameter kLimit{"limit", "limit: given twice, too long or badly escaped"};
inline constexpr QueryParameter kBeforeSeq{"before_seq",
                                           "before_seq: given twice, too long or badly escaped"};
inline constexpr QueryParameter kAfterSeq{"after_seq",
                                          "after_seq: given twice, too long or badly escaped"};
inline constexpr QueryParameter kAfter{"after", "after: given twice, too long or badly escaped"};
inline constexpr QueryParameter kName{"name", "name: given twice, too long or badly escaped"};
inline constexpr QueryParameter kToken{"token", "token: given twice, too long or badly escaped"};
inline constexpr QueryParameter kTicket{"ticket", "ticket: given twice, too long or badly escaped"};
inline constexpr QueryParameter kResume{"resume", "resume: given twice, too long or badly escaped"};
}  // namespace query

// Its value, nullopt without one. A value that cannot be read is an error: a default in its place would be a guess.
[[nodiscard]] inline Result<std::optional<std::string>, chat::Error> parameter(
    const http::Request& request, const QueryParameter& wanted) {
  auto value = http::query_value(request.query, wanted.name);
  if (!value.ok()) return Err{error(chat::ErrorCode::kInvalidField, wanted.unreadable)};
  return std::move(value.value());
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
