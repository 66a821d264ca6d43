#pragma once

// Every error a client can meet, in one table: name on the wire, HTTP status, WebSocket close code (0: the connection
// stays open) and the sentence that helps.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proto/chat/error_detail.h"

namespace uproar::chat {

enum class ErrorCode : std::uint8_t {
  kBadJson,  // not JSON, not an object, or not Unicode
  kUnknownType,
  kMissingField,
  kInvalidField,        // of the wrong type, out of its range, or given twice; `message` names it
  kUnknownSubprotocol,  // a handshake that offers subprotocols, none of them ours
  kTooLarge,            // content, data or list beyond its limit
  kUnauthorized,        // no token, a bad one, or a wrong password
  kTokenExpired,
  kTokenRevoked,
  kForbidden,  // known to the server, not allowed to you
  kNotMember,
  kNotFound,
  kNameTaken,
  kKeyReused,  // client_id was used before with another body
  kConflict,  // the state does not allow it (direct conversations have two members, last owner may not leave)
  kMethodNotAllowed,  // REST only
  kRateLimited,
  kTooManyConnections,
  kOverloaded,
  kUnavailable,  // the store cannot commit now; nothing was stored
  kSlowReader,
  kHeartbeatTimeout,
  kDraining,
  kSessionOpenTimeout,  // no session.open within 10 s
  kAlreadyOpen,         // session.open on an open session
  kInternal,
  kCount
};

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;  // "rate_limited"
  std::uint16_t http_status;
  std::uint16_t close_code;  // 0: the connection stays
  std::string_view message;  // default sentence
  // The close code when the server ends the connection for it after all (a flood, a full node); same as close_code
  // where that is not 0; 0: never.
  std::uint16_t last_close_code;
};

[[nodiscard]] const ErrorInfo& error_info(ErrorCode code);
[[nodiscard]] std::optional<ErrorCode> error_code_of(std::string_view name);
[[nodiscard]] std::span<const ErrorInfo> error_table();

// An error on its way to a client.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  ErrorDetail detail;                // replaces the default sentence; may be empty
  std::uint32_t retry_after_ms = 0;  // 0: not sent
};

}  // namespace uproar::chat
