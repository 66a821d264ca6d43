// Tokens and key sets: any bytes. Three readings of the input: as a token, as a key set, and as claims signed with the
// right key, so that what lies behind the signature is reached, too.

#include "proto/auth/token.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/auth/limits.h"
#include "proto/auth/refresh_token.h"
#include "proto/base/check.h"
#include "proto/crypto/base64.h"
#include "tests/proto/auth/hmac.h"

namespace {

using namespace uproar;

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";
constexpr Now kNow{.monotonic_us = 0, .wall_us = 1'800'000'000'000'000};

// The P-256 key of RFC 7515 A.3 and the RSA key of A.2.
constexpr std::string_view kJwks =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"e"},)"
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs)"
    R"(D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV)"
    R"(MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB","kid":"r"}]})";

auth::TokenVerifier make_verifier() {
  auto verifier = auth::TokenVerifier::make(kKey);
  auto keys = auth::parse_jwks(kJwks);
  UPROAR_CHECK(verifier.has_value());
  UPROAR_CHECK(keys.ok() && keys->size() == 2);
  UPROAR_CHECK(
      verifier->add_issuer({.issuer = "i", .audience = "a", .keys = std::move(keys).value()}));
  return std::move(*verifier);
}

void check(const Result<auth::Claims, auth::TokenError>& claims) {
  if (!claims.ok()) {
    UPROAR_CHECK(!auth::token_error_name(claims.error()).empty());
    return;
  }
  UPROAR_CHECK(!claims->user.is_nil());
  UPROAR_CHECK(claims->expires_at_s > kNow.wall_us / 1'000'000);
  UPROAR_CHECK(claims->name.size() <= auth::kNameClaimBytesMax &&
               claims->sid.size() <= auth::kSidBytesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auth::TokenVerifier verifier = make_verifier();
  const std::string text(reinterpret_cast<const char*>(data), size);
  check(verifier.verify(text, kNow));
  (void)auth::parse_jwks(text).ok();
  (void)auth::refresh_token_digest(text).has_value();
  if (size > auth::kTokenBytesMax) return 0;
  std::string token = crypto::base64url_encode(as_bytes(R"({"alg":"HS256"})")) + '.' +
                      crypto::base64url_encode(as_bytes(text));
  token += '.' + crypto::base64url_encode(auth::testing::hmac_sha256(kKey, token));
  check(verifier.verify(token, kNow));
  return 0;
}
