#pragma once

// Owners of the objects of cjose and jansson. Private to proto/auth.

#include <memory>
#include <string>
#include <string_view>

#include <cjose/cjose.h>
#include <jansson.h>

#include "proto/auth/jwks.h"

namespace uproar::auth {

struct FreeJwk {
  void operator()(cjose_jwk_t* jwk) const { cjose_jwk_release(jwk); }
};
struct FreeJws {
  void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};
struct FreeHeader {
  void operator()(cjose_header_t* header) const { cjose_header_release(header); }
};
struct FreeJson {
  void operator()(json_t* json) const { json_decref(json); }
};
using Jwk = std::unique_ptr<cjose_jwk_t, FreeJwk>;
using Jws = std::unique_ptr<cjose_jws_t, FreeJws>;
using JoseHeader = std::unique_ptr<cjose_header_t, FreeHeader>;
using Json = std::unique_ptr<json_t, FreeJson>;

class VerifyKey {
 public:
  std::string kid;  // may be empty
  cjose_jwk_kty_t type = CJOSE_JWK_KTY_RSA;
  std::size_t signature_bytes = 0;  // of every signature by this key
  bool has_algorithm = false;       // the document pins one
  Algorithm algorithm = Algorithm::kRs256;
  Jwk jwk;

  // Whether the key may verify signatures of that algorithm.
  [[nodiscard]] bool fits(Algorithm wanted) const;
};

// The whole text as a JSON object; null when it is something else or repeats a member name. `depth` of nesting is bound
// by jansson (2048), sizes by the callers.
[[nodiscard]] Json parse_object(std::string_view text);

// The member when it is a string; empty view when absent or not a string. Lives as long as `object`.
[[nodiscard]] std::string_view string_member(const json_t* object, const char* name);

[[nodiscard]] bool parse_algorithm(std::string_view name, Algorithm& out);

// A symmetric key of kHmacKeyBytesMin to kHmacKeyBytesMax, or null.
[[nodiscard]] Jwk make_hmac_key(std::string_view key);

}  // namespace uproar::auth
