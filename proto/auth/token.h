#pragma once

// Access tokens: JWTs in compact form (RFC 7519, RFC 7515 §7.1), checked with pinned algorithms.
//
// Two kinds of issuer. The own key (HS256) signs what this server hands out and what trusted backends mint; its subjects
// are UUIDs. External issuers (Clerk, Auth0, any OIDC) are known by "iss", sign with RS256, PS256 or ES256 by keys of
// their set, and must name our audience. A token's "alg" never chooses the kind of key: HS256 is only ever tried with the
// own key, everything else only with the key set of the issuer that the token names.
//
// Neither class is thread-safe: one per shard. A verification takes about 10 us (HS256) to 100 us (RSA 4096).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/auth/jwks.h"
#include "proto/base/now.h"
#include "proto/base/result.h"
#include "proto/chat/error_code.h"
#include "proto/chat/ids.h"

namespace uproar::auth {

struct Claims {
  UserId user;          // own key: "sub"; external: user_of_external()
  std::string subject;  // "sub" as it stands in the token
  std::string
      sid;  // own key only, optional: the login this token belongs to. An issuer's "sid" is none of ours
  std::string
      name;  // optional: how the person wants to be shown; unchecked text, at most 256 bytes
  std::string issuer;             // "iss"; may be empty for the own key
  bool external = false;          // signed by an external issuer
  std::int64_t issued_at_s = 0;   // 0: not stated
  std::int64_t expires_at_s = 0;  // Unix seconds; the token is valid before it
};

enum class TokenError : std::uint8_t {
  kTooLarge,  // above kTokenBytesMax
  kMalformed,  // not three strict base64url parts, header or claims no JSON object, a repeated member name
  kAlgorithmRefused,  // "none", unknown, or not allowed for this issuer
  kCriticalHeader,    // "crit" (RFC 7515 §4.1.11): we understand no extension
  kUnknownIssuer,     // no external issuer of that "iss"
  kUnknownKey,        // no key of that "kid", or none that fits the algorithm
  kBadSignature,
  kBadClaim,    // a claim of the wrong type or out of range
  kBadSubject,  // "sub" missing, empty, too long or, with the own key, no UUID
  kWrongAudience,
  kMissingExpiry,
  kExpired,
  kNotYetValid,  // "nbf" or "iat" in the future
  kCount
};
[[nodiscard]] std::string_view token_error_name(
    TokenError error);  // for logs and metrics: "bad_signature"
// What the client is told: kTokenExpired or kUnauthorized, nothing finer.
[[nodiscard]] chat::ErrorCode error_code_of(TokenError error);

// The user behind an external subject: the subject itself where it is a UUID (an issuer that is trusted with logins is
// trusted with its ids), else UUID version 8 over sha256(issuer || 0 || subject), which never changes.
[[nodiscard]] UserId user_of_external(std::string_view issuer, std::string_view subject);

class TokenSigner {
 public:
  struct Spec {
    UserId user;
    std::string_view sid;   // may be empty
    std::string_view name;  // may be empty
    std::int64_t issued_at_s = 0;
    std::int64_t expires_at_s = 0;
  };

  // nullopt when the key is shorter than kHmacKeyBytesMin or longer than kHmacKeyBytesMax. `issuer` may be empty.
  [[nodiscard]] static std::optional<TokenSigner> make(std::string_view key,
                                                       std::string_view issuer = "uproar");
  TokenSigner(TokenSigner&&) noexcept;
  TokenSigner& operator=(TokenSigner&&) noexcept;
  ~TokenSigner();

  // REQUIRES: texts are UTF-8 without U+0000.
  [[nodiscard]] std::string sign(const Spec& spec) const;

 private:
  struct State;
  explicit TokenSigner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct ExternalIssuer {
  std::string issuer;    // "iss", compared byte by byte; not empty
  std::string audience;  // must be among "aud"; not empty
  std::vector<Algorithm> algorithms = {Algorithm::kRs256, Algorithm::kPs256,
                                       Algorithm::kEs256};  // never kHs256
  KeySet keys;                                              // may be empty until the first fetch
};

class TokenVerifier {
 public:
  // nullopt when the key is shorter than kHmacKeyBytesMin or longer than kHmacKeyBytesMax.
  [[nodiscard]] static std::optional<TokenVerifier> make(std::string_view own_key);
  TokenVerifier(TokenVerifier&&) noexcept;
  TokenVerifier& operator=(TokenVerifier&&) noexcept;
  ~TokenVerifier();

  // False, and nothing changed, when issuer or audience is empty, kHs256 is allowed, the issuer is known already, or
  // there are kIssuersMax.
  [[nodiscard]] bool add_issuer(ExternalIssuer issuer);
  // A fresh key set of a known issuer. False when the issuer is not known.
  [[nodiscard]] bool replace_keys(std::string_view issuer, KeySet keys);

  [[nodiscard]] Result<Claims, TokenError> verify(std::string_view token, Now now) const;

 private:
  struct State;
  explicit TokenVerifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace uproar::auth
