#include "proto/auth/jose.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/auth/limits.h"
#include "proto/auth/secret.h"

namespace uproar::auth {
namespace {

constexpr std::array<std::string_view, 4> kAlgorithms = {"HS256", "RS256", "PS256", "ES256"};

}  // namespace

bool parse_algorithm(std::string_view name, Algorithm& out) {
  for (std::size_t i = 0; i < kAlgorithms.size(); ++i) {
    if (kAlgorithms[i] != name) continue;
    out = static_cast<Algorithm>(i);
    return true;
  }
  return false;
}

bool VerifyKey::fits(Algorithm wanted) const {
  if (has_algorithm && algorithm != wanted) return false;
  switch (wanted) {
    case Algorithm::kRs256:
    case Algorithm::kPs256:
      return type == CJOSE_JWK_KTY_RSA;
    case Algorithm::kEs256:
      return type == CJOSE_JWK_KTY_EC;
    case Algorithm::kHs256:
      return type == CJOSE_JWK_KTY_OCT;
  }
  return false;
}

Json parse_object(std::string_view text) {
  // A repeated name would let two readers of one token see two values.
  Json json(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr));
  if (json != nullptr && !json_is_object(json.get())) json.reset();
  return json;
}

std::string_view string_member(const json_t* object, const char* name) {
  const json_t* const member = json_object_get(object, name);
  if (!json_is_string(member)) return {};
  return {json_string_value(member), json_string_length(member)};
}

Jwk make_hmac_key(std::string_view key) {
  if (key.size() < kHmacKeyBytesMin || key.size() > kHmacKeyBytesMax) return nullptr;
  const SecretAllocations scope;
  return Jwk(cjose_jwk_create_oct_spec(reinterpret_cast<const std::uint8_t*>(key.data()),
                                       key.size(), nullptr));
}

}  // namespace uproar::auth
