// The order of the checks is the order of trust: shape, algorithm and header first, then who should have signed, then the
// signature, and only then are the claims believed.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proto/auth/jose.h"
#include "proto/auth/limits.h"
#include "proto/auth/token.h"
#include "proto/crypto/base64.h"
#include "proto/crypto/digest.h"

namespace uproar::auth {
namespace {

constexpr std::size_t kHs256SignatureBytes = 32;

constexpr std::array<std::string_view, static_cast<std::size_t>(TokenError::kCount)> kErrorNames = {
    "too_large",      "malformed",     "algorithm_refused", "critical_header", "unknown_issuer",
    "unknown_key",    "bad_signature", "bad_claim",         "bad_subject",     "wrong_audience",
    "missing_expiry", "expired",       "not_yet_valid",
};
static_assert(kErrorNames.back() == "not_yet_valid");

// The three parts, each decoded once by our strict decoder: the library's own decoder takes padding and other texts for
// the same bytes.
struct Parts {
  Json header;
  Json claims;
  std::size_t signature_bytes = 0;
};

Result<Parts, TokenError> split(std::string_view token) {
  if (token.size() > kTokenBytesMax) return Err{TokenError::kTooLarge};
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return Err{TokenError::kMalformed};
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return Err{TokenError::kMalformed};
  const auto header = crypto::base64url_decode(token.substr(0, first));
  const auto claims = crypto::base64url_decode(token.substr(first + 1, second - first - 1));
  const auto signature =
      crypto::base64url_decode(token.substr(second + 1));  // a third dot is no base64url
  if (!header || !claims || !signature) return Err{TokenError::kMalformed};
  Parts parts{.header = parse_object(*header),
              .claims = parse_object(*claims),
              .signature_bytes = signature->size()};
  if (parts.header == nullptr || parts.claims == nullptr) return Err{TokenError::kMalformed};
  return parts;
}

Result<Algorithm, TokenError> check_header(const json_t* header) {
  if (json_object_get(header, "crit") != nullptr) return Err{TokenError::kCriticalHeader};
  Algorithm algorithm{};
  if (!parse_algorithm(string_member(header, "alg"), algorithm))
    return Err{TokenError::kAlgorithmRefused};
  const json_t* const kid = json_object_get(header, "kid");
  if (kid != nullptr && !json_is_string(kid)) return Err{TokenError::kMalformed};
  return algorithm;
}

bool signature_is_good(std::string_view token, const cjose_jwk_t* key) {
  const Jws jws(cjose_jws_import(token.data(), token.size(), nullptr));
  return jws != nullptr && cjose_jws_verify(jws.get(), key, nullptr);
}

// An absent claim leaves `out` alone; false when it is there and no sensible NumericDate (RFC 7519 §2).
bool read_date(const json_t* claims, const char* name, std::optional<std::int64_t>& out) {
  const json_t* const claim = json_object_get(claims, name);
  if (claim == nullptr) return true;
  if (!json_is_number(claim)) return false;
  const double value = json_number_value(claim);
  if (!(value >= 0 && value <= static_cast<double>(kNumericDateMax))) return false;
  out = json_is_integer(claim) ? json_integer_value(claim)
                               : static_cast<std::int64_t>(std::floor(value));
  return true;
}

// An absent claim leaves `out` empty; false when it is there and no string, or longer than it should be.
bool read_text(const json_t* claims, const char* name, std::size_t bytes_max, std::string& out) {
  const json_t* const claim = json_object_get(claims, name);
  if (claim == nullptr || json_is_null(claim)) return true;
  if (!json_is_string(claim) || json_string_length(claim) > bytes_max) return false;
  out.assign(json_string_value(claim), json_string_length(claim));
  return true;
}

bool names_audience(const json_t* claims, std::string_view audience) {
  const json_t* const claim = json_object_get(claims, "aud");
  if (json_is_string(claim)) return string_member(claims, "aud") == audience;
  for (std::size_t i = 0; i < json_array_size(claim); ++i) {  // 0 for anything but an array
    const json_t* const each = json_array_get(claim, i);
    if (json_is_string(each) &&
        std::string_view(json_string_value(each), json_string_length(each)) == audience)
      return true;
  }
  return false;
}

std::optional<TokenError> check_times(const json_t* json, Now now, Claims& claims) {
  std::optional<std::int64_t> expires, not_before, issued;
  if (!read_date(json, "exp", expires) || !read_date(json, "nbf", not_before) ||
      !read_date(json, "iat", issued)) {
    return TokenError::kBadClaim;
  }
  if (!expires) return TokenError::kMissingExpiry;
  const std::int64_t now_s = now.wall_us / 1'000'000;
  if (now_s >= *expires) return TokenError::kExpired;
  if (not_before.value_or(0) > now_s + kClockLeewayS) return TokenError::kNotYetValid;
  if (issued.value_or(0) > now_s + kClockLeewayS) return TokenError::kNotYetValid;
  claims.expires_at_s = *expires;
  claims.issued_at_s = issued.value_or(0);
  return std::nullopt;
}

}  // namespace

std::string_view token_error_name(TokenError error) {
  return kErrorNames[static_cast<std::size_t>(error)];
}

chat::ErrorCode error_code_of(TokenError error) {
  return error == TokenError::kExpired ? chat::ErrorCode::kTokenExpired
                                       : chat::ErrorCode::kUnauthorized;
}

UserId user_of_external(std::string_view issuer, std::string_view subject) {
  if (const auto user = UserId::parse(subject); user && !user->is_nil()) return *user;
  std::string text(issuer);
  text.push_back('\0');
  text.append(subject);
  const crypto::Sha256Digest digest = crypto::sha256(as_bytes(text));
  return UserId(Uuid::v8(digest.data()));
}

struct TokenVerifier::State {
  Jwk own_key;
  std::vector<ExternalIssuer> issuers;

  ExternalIssuer* find(std::string_view issuer) {
    const auto found =
        std::find_if(issuers.begin(), issuers.end(),
                     [issuer](const ExternalIssuer& each) { return each.issuer == issuer; });
    return found == issuers.end() ? nullptr : &*found;
  }

  std::optional<TokenError> check_own(std::string_view token, const Parts& parts, Claims& claims);
  std::optional<TokenError> check_external(std::string_view token, const Parts& parts,
                                           Algorithm algorithm, Claims& claims);
};

std::optional<TokenError> TokenVerifier::State::check_own(std::string_view token,
                                                          const Parts& parts, Claims& claims) {
  if (parts.signature_bytes != kHs256SignatureBytes) return TokenError::kBadSignature;
  if (!signature_is_good(token, own_key.get())) return TokenError::kBadSignature;
  // Trusted backends may leave "iss" out or name themselves, but not somebody who has keys of their own.
  if (find(claims.issuer) != nullptr) return TokenError::kAlgorithmRefused;
  const auto user = UserId::parse(claims.subject);
  if (!user || user->is_nil()) return TokenError::kBadSubject;
  claims.user = *user;
  return std::nullopt;
}

std::optional<TokenError> TokenVerifier::State::check_external(std::string_view token,
                                                               const Parts& parts,
                                                               Algorithm algorithm,
                                                               Claims& claims) {
  const ExternalIssuer* const issuer = find(claims.issuer);
  if (issuer == nullptr) return TokenError::kUnknownIssuer;
  if (std::find(issuer->algorithms.begin(), issuer->algorithms.end(), algorithm) ==
      issuer->algorithms.end()) {
    return TokenError::kAlgorithmRefused;
  }
  // With a "kid" only keys of that name are tried; without one, every key that fits. Both are few (kJwksKeysMax).
  const std::string_view kid = string_member(parts.header.get(), "kid");
  bool tried = false;
  bool good = false;
  for (const VerifyKey& key : issuer->keys.keys()) {
    if (!kid.empty() && key.kid != kid) continue;
    if (!key.fits(algorithm)) continue;
    tried = true;
    // Checked here because the library reads the two halves of an ES256 signature without looking at its length.
    if (key.signature_bytes != parts.signature_bytes) continue;
    good = signature_is_good(token, key.jwk.get());
    if (good) break;
  }
  if (!tried) return TokenError::kUnknownKey;
  if (!good) return TokenError::kBadSignature;
  if (!names_audience(parts.claims.get(), issuer->audience)) return TokenError::kWrongAudience;
  if (claims.subject.empty()) return TokenError::kBadSubject;
  claims.user = user_of_external(claims.issuer, claims.subject);
  claims.external = true;
  return std::nullopt;
}

TokenVerifier::TokenVerifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenVerifier::TokenVerifier(TokenVerifier&&) noexcept = default;
TokenVerifier& TokenVerifier::operator=(TokenVerifier&&) noexcept = default;
TokenVerifier::~TokenVerifier() = default;

std::optional<TokenVerifier> TokenVerifier::make(std::string_view own_key) {
  auto state = std::make_unique<State>();
  state->own_key = make_hmac_key(own_key);
  if (state->own_key == nullptr) return std::nullopt;
  return TokenVerifier(std::move(state));
}

bool TokenVerifier::add_issuer(ExternalIssuer issuer) {
  if (issuer.issuer.empty() || issuer.audience.empty() || issuer.algorithms.empty()) return false;
  const bool symmetric = std::find(issuer.algorithms.begin(), issuer.algorithms.end(),
                                   Algorithm::kHs256) != issuer.algorithms.end();
  if (symmetric || state_->find(issuer.issuer) != nullptr || state_->issuers.size() >= kIssuersMax)
    return false;
  state_->issuers.push_back(std::move(issuer));
  return true;
}

bool TokenVerifier::replace_keys(std::string_view issuer, KeySet keys) {
  ExternalIssuer* const known = state_->find(issuer);
  if (known == nullptr) return false;
  known->keys = std::move(keys);
  return true;
}

Result<Claims, TokenError> TokenVerifier::verify(std::string_view token, Now now) const {
  const auto parts = split(token);
  if (!parts.ok()) return Err{parts.error()};
  const auto algorithm = check_header(parts->header.get());
  if (!algorithm.ok()) return Err{algorithm.error()};

  // Read before the signature is checked, used after it; "iss" alone decides whose keys are tried.
  const json_t* const json = parts->claims.get();
  Claims claims;
  if (!read_text(json, "iss", kSubjectBytesMax, claims.issuer)) return Err{TokenError::kBadClaim};
  if (!read_text(json, "sub", kSubjectBytesMax, claims.subject))
    return Err{TokenError::kBadSubject};
  const auto refused = *algorithm == Algorithm::kHs256
                           ? state_->check_own(token, *parts, claims)
                           : state_->check_external(token, *parts, *algorithm, claims);
  if (refused) return Err{*refused};

  if (const auto wrong = check_times(json, now, claims)) return Err{*wrong};
  if (!claims.external && !read_text(json, "sid", kSidBytesMax, claims.sid))
    return Err{TokenError::kBadClaim};
  if (!read_text(json, "name", kNameClaimBytesMax, claims.name)) return Err{TokenError::kBadClaim};
  return claims;
}

}  // namespace uproar::auth
