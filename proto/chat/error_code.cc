#include "proto/chat/error_code.h"

#include <array>
#include <cstddef>

#include "proto/base/check.h"

namespace uproar::chat {
namespace {

constexpr std::size_t kErrors = static_cast<std::size_t>(ErrorCode::kCount);

using enum ErrorCode;
constexpr std::array<ErrorInfo, kErrors> kTable = {{
    {kBadJson, "bad_json", 400, 0, "The message is not a JSON object.", 0},
    {kUnknownType, "unknown_type", 400, 0, "There is no command of this type.", 0},
    {kMissingField, "missing_field", 400, 0, "A required field is missing.", 0},
    {kInvalidField, "invalid_field", 400, 0, "A field has a value that is not allowed.", 0},
    {kUnknownSubprotocol, "unknown_subprotocol", 400, 0,
     "The subprotocol spoken here is uproar.v1; offer it, or none.", 0},
    {kTooLarge, "too_large", 413, 0, "The message or one of its fields is too large.", 0},
    {kUnauthorized, "unauthorized", 401, 4401, "Log in, or present a valid token.", 4401},
    {kTokenExpired, "token_expired", 401, 4101,
     "The token has expired; refresh it and connect again.", 4101},
    {kTokenRevoked, "token_revoked", 401, 4102,
     "The login behind this token was ended; log in again.", 4102},
    {kForbidden, "forbidden", 403, 0, "You may not do this.", 0},
    {kNotMember, "not_member", 403, 0, "You are not a member of this conversation.", 0},
    {kNotFound, "not_found", 404, 0, "There is nothing of that name or id.", 0},
    {kNameTaken, "name_taken", 409, 0, "Somebody else has this name.", 0},
    {kKeyReused, "key_reused", 409, 0, "This client_id was used before with another body.", 0},
    {kConflict, "conflict", 409, 0, "The present state does not allow this.", 0},
    {kMethodNotAllowed, "method_not_allowed", 405, 0, "This path does not know this method.", 0},
    {kRateLimited, "rate_limited", 429, 0, "Too many requests; wait and try again.", 4202},
    {kTooManyConnections, "too_many_connections", 429, 4009, "You have too many connections open.",
     4009},
    {kOverloaded, "overloaded", 503, 0, "The server is overloaded; try again with backoff.", 4200},
    {kUnavailable, "unavailable", 503, 0,
     "The store cannot commit now; nothing was stored, try again.", 0},
    {kSlowReader, "slow_reader", 503, 4201, "You read too slowly; connect again and sync.", 4201},
    {kHeartbeatTimeout, "heartbeat_timeout", 408, 4208, "No heartbeat arrived in time.", 4208},
    {kDraining, "draining", 503, 4300, "The server is going down; connect again.", 4300},
    {kSessionOpenTimeout, "session_open_timeout", 408, 4401, "No session.open arrived in time.",
     4401},
    {kAlreadyOpen, "already_open", 409, 0, "The session is open already.", 0},
    {kInternal, "internal", 500, 0, "The server made a mistake.", 1011},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kErrors; ++i) {
    if (static_cast<std::size_t>(kTable[i].code) != i) return false;
  }
  return true;
}
static_assert(in_order(), "error_info() indexes the table by code");

}  // namespace

const ErrorInfo& error_info(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  UPROAR_CHECK(index < kErrors, index);
  return kTable[index];
}

std::optional<ErrorCode> error_code_of(std::string_view name) {
  for (const ErrorInfo& info : kTable) {
    if (info.name == name) return info.code;
  }
  return std::nullopt;
}

std::span<const ErrorInfo> error_table() {
  return kTable;
}

}  // namespace uproar::chat
