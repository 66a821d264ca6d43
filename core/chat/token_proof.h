#pragma once

// What an access token proves, and who can say so.

#include <cstdint>
#include <string_view>

#include "proto/base/result.h"
#include "proto/chat/error_code.h"
#include "proto/chat/ids.h"

namespace uproar::chat {

struct TokenProof {
  UserId user;
  SessionId session;              // the login that it belongs to; nil: none of ours
  std::int64_t expires_at_s = 0;  // Unix seconds
};

// Knows keys and logouts. Owned by core/gateway.
class TokenJudge {
 public:
  virtual ~TokenJudge() = default;
  // The error is what its bearer is told.
  [[nodiscard]] virtual Result<TokenProof, Error> judge(std::string_view token) = 0;
};

}  // namespace uproar::chat
