#pragma once

// Refresh tokens: 32 random bytes shown once as base64url (43 characters). The store keeps the sha256 alone: with 256
// random bits there is nothing to guess, so no slow hash is needed. Look up by digest: no compare that could leak.

#include <optional>
#include <string>
#include <string_view>

#include "proto/crypto/digest.h"

namespace uproar::auth {

struct RefreshToken {
  std::string text;             // to the client
  crypto::Sha256Digest digest;  // to the store
};

[[nodiscard]] RefreshToken make_refresh_token();

// The digest under which the token is stored, or nullopt when `text` cannot be one of ours.
[[nodiscard]] std::optional<crypto::Sha256Digest> refresh_token_digest(std::string_view text);

}  // namespace uproar::auth
