#include <cstdint>
#include <cstdlib>
#include <utility>

#include "proto/auth/jose.h"
#include "proto/auth/token.h"
#include "proto/base/check.h"

namespace uproar::auth {
namespace {

void set_string(json_t* object, const char* name, std::string_view value) {
  const int set = json_object_set_new(object, name, json_stringn(value.data(), value.size()));
  UPROAR_CHECK(set == 0, std::string_view(name));  // not UTF-8: the caller's mistake
}

}  // namespace

struct TokenSigner::State {
  Jwk key;
  std::string issuer;
};

TokenSigner::TokenSigner(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenSigner::TokenSigner(TokenSigner&&) noexcept = default;
TokenSigner& TokenSigner::operator=(TokenSigner&&) noexcept = default;
TokenSigner::~TokenSigner() = default;

std::optional<TokenSigner> TokenSigner::make(std::string_view key, std::string_view issuer) {
  auto state = std::make_unique<State>();
  state->key = make_hmac_key(key);
  if (state->key == nullptr) return std::nullopt;
  state->issuer.assign(issuer);
  return TokenSigner(std::move(state));
}

std::string TokenSigner::sign(const Spec& spec) const {
  const Json claims(json_object());
  if (!state_->issuer.empty()) set_string(claims.get(), "iss", state_->issuer);
  set_string(claims.get(), "sub", spec.user.text());
  if (!spec.sid.empty()) set_string(claims.get(), "sid", spec.sid);
  if (!spec.name.empty()) set_string(claims.get(), "name", spec.name);
  json_object_set_new(claims.get(), "iat", json_integer(spec.issued_at_s));
  json_object_set_new(claims.get(), "exp", json_integer(spec.expires_at_s));
  const std::unique_ptr<char, void (*)(void*)> text(json_dumps(claims.get(), JSON_COMPACT),
                                                    std::free);
  UPROAR_CHECK(text != nullptr);

  const JoseHeader header(cjose_header_new(nullptr));
  UPROAR_CHECK(header != nullptr);
  UPROAR_CHECK(cjose_header_set(header.get(), CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, nullptr));
  UPROAR_CHECK(cjose_header_set(header.get(), "typ", "JWT", nullptr));
  const std::string_view plain(text.get());
  const Jws jws(cjose_jws_sign(state_->key.get(), header.get(),
                               reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size(),
                               nullptr));
  UPROAR_CHECK(jws != nullptr);
  const char* compact = nullptr;  // lives as long as jws
  UPROAR_CHECK(cjose_jws_export(jws.get(), &compact, nullptr));
  return compact;
}

}  // namespace uproar::auth
