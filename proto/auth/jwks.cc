#include "proto/auth/jwks.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "proto/auth/jose.h"
#include "proto/auth/limits.h"
#include "proto/crypto/base64.h"

namespace uproar::auth {
namespace {

constexpr std::size_t kKidBytesMax = 256;
constexpr std::size_t kP256CoordinateBytes = 32;

// Bits of the modulus, or 0. Counted here, from the document, because the library rounds.
std::size_t modulus_bits(std::string_view encoded) {
  const auto modulus = crypto::base64url_decode(encoded);
  if (!modulus) return 0;
  std::size_t at = 0;
  while (at < modulus->size() && (*modulus)[at] == '\0') ++at;
  if (at == modulus->size()) return 0;
  std::size_t bits = (modulus->size() - at) * 8;
  for (auto top = static_cast<unsigned char>((*modulus)[at]); (top & 0x80U) == 0;
       top = static_cast<unsigned char>(top << 1)) {
    --bits;
  }
  return bits;
}

bool is_coordinate(std::string_view encoded) {
  const auto bytes = crypto::base64url_decode(encoded);
  return bytes && bytes->size() == kP256CoordinateBytes;
}

// An odd exponent of 3 or more that fits 32 bits: 65537 in practice.
bool is_exponent(std::string_view encoded) {
  const auto bytes = crypto::base64url_decode(encoded);
  if (!bytes || bytes->empty() || bytes->size() > 4) return false;
  std::uint64_t value = 0;
  for (const char c : *bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value >= 3 && (value & 1U) == 1;
}

// Only the public members, so that a set with private keys in it (a mistake of the issuer) leaves none in memory, and the
// library sees nothing that was not looked at.
Jwk import_public(const json_t* key, std::initializer_list<const char*> members) {
  Json reduced(json_object());
  for (const char* name : members) json_object_set(reduced.get(), name, json_object_get(key, name));
  return Jwk(cjose_jwk_import_json(reinterpret_cast<cjose_header_t*>(reduced.get()), nullptr));
}

std::optional<VerifyKey> usable_key(const json_t* json) {
  if (!json_is_object(json)) return std::nullopt;
  VerifyKey key;
  if (json_object_get(json, "use") != nullptr && string_member(json, "use") != "sig")
    return std::nullopt;
  const std::string_view kid = string_member(json, "kid");
  if (kid.size() > kKidBytesMax) return std::nullopt;
  key.kid.assign(kid);
  if (json_object_get(json, "alg") != nullptr) {
    key.has_algorithm = true;
    if (!parse_algorithm(string_member(json, "alg"), key.algorithm)) return std::nullopt;
  }

  const std::string_view type = string_member(json, "kty");
  if (type == "RSA") {
    const std::size_t bits = modulus_bits(string_member(json, "n"));
    if (bits < kRsaBitsMin || bits > kRsaBitsMax || !is_exponent(string_member(json, "e")))
      return std::nullopt;
    key.type = CJOSE_JWK_KTY_RSA;
    key.signature_bytes = (bits + 7) / 8;
    key.jwk = import_public(json, {"kty", "n", "e"});
  } else if (type == "EC" && string_member(json, "crv") == "P-256") {
    if (!is_coordinate(string_member(json, "x")) || !is_coordinate(string_member(json, "y")))
      return std::nullopt;
    key.type = CJOSE_JWK_KTY_EC;
    key.signature_bytes = 2 * kP256CoordinateBytes;
    key.jwk = import_public(json, {"kty", "crv", "x", "y"});
  } else {
    return std::nullopt;
  }
  if (key.jwk == nullptr) return std::nullopt;
  if (key.has_algorithm && !key.fits(key.algorithm)) return std::nullopt;
  return key;
}

}  // namespace

std::string_view jwks_error_text(JwksError error) {
  switch (error) {
    case JwksError::kTooLarge:
      return "the key set is larger than 256 KiB";
    case JwksError::kNotJson:
      return "the key set is not a JSON object, or repeats a member name";
    case JwksError::kNotKeySet:
      return "the key set has no \"keys\" array";
    case JwksError::kTooManyKeys:
      return "the key set holds more than 64 keys";
    case JwksError::kNoUsableKey:
      return "the key set holds no RSA (2048 to 8192 bits) or P-256 key for signatures";
  }
  return "unknown";
}

KeySet::KeySet() = default;
KeySet::~KeySet() = default;
KeySet::KeySet(KeySet&&) noexcept = default;
KeySet& KeySet::operator=(KeySet&&) noexcept = default;
std::size_t KeySet::size() const {
  return keys_.size();
}

Result<KeySet, JwksError> parse_jwks(std::string_view document) {
  if (document.size() > kJwksBytesMax) return Err{JwksError::kTooLarge};
  const Json json = parse_object(document);
  if (json == nullptr) return Err{JwksError::kNotJson};
  const json_t* const keys = json_object_get(json.get(), "keys");
  if (!json_is_array(keys)) return Err{JwksError::kNotKeySet};
  const std::size_t count = json_array_size(keys);
  if (count > kJwksKeysMax) return Err{JwksError::kTooManyKeys};

  KeySet set;
  for (std::size_t i = 0; i < count; ++i) {
    auto key = usable_key(json_array_get(keys, i));
    if (key) {
      set.keys_.push_back(std::move(*key));
    } else {
      ++set.skipped_;
    }
  }
  if (set.keys_.empty()) return Err{JwksError::kNoUsableKey};
  return set;
}

}  // namespace uproar::auth
