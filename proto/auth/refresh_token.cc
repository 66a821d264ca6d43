#include "proto/auth/refresh_token.h"

#include "proto/auth/limits.h"
#include "proto/crypto/base64.h"
#include "proto/crypto/random.h"

namespace uproar::auth {

RefreshToken make_refresh_token() {
  const auto secret = crypto::random_bytes<kRefreshTokenBytes>();
  return {.text = crypto::base64url_encode(secret), .digest = crypto::sha256(secret)};
}

std::optional<crypto::Sha256Digest> refresh_token_digest(std::string_view text) {
  constexpr std::size_t kTextBytes = (kRefreshTokenBytes * 4 + 2) / 3;  // base64url without padding
  if (text.size() != kTextBytes) return std::nullopt;
  const auto secret = crypto::base64url_decode(text);
  if (!secret || secret->size() != kRefreshTokenBytes) return std::nullopt;
  return crypto::sha256(as_bytes(*secret));
}

}  // namespace uproar::auth
