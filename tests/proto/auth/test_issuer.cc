#include "tests/proto/auth/test_issuer.h"

#include <cstdint>
#include <utility>
#include <vector>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "proto/base/check.h"
#include "proto/crypto/base64.h"
#include "tests/proto/auth/hmac.h"

namespace uproar::auth::testing {
namespace {

std::string encode(const std::vector<unsigned char>& bytes) {
  return crypto::base64url_encode(
      as_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

std::string number_of(EVP_PKEY* key, const char* name, int bytes) {
  BIGNUM* number = nullptr;
  UPROAR_CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  std::vector<unsigned char> out(
      static_cast<std::size_t>(bytes > 0 ? bytes : BN_num_bytes(number)));
  BN_bn2binpad(number, out.data(), static_cast<int>(out.size()));
  BN_free(number);
  return encode(out);
}

std::vector<unsigned char> sign_digest(EVP_PKEY* key, std::string_view input, bool pss) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  UPROAR_CHECK(EVP_DigestSignInit(context, &options, EVP_sha256(), nullptr, key) == 1);
  if (pss) {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  const auto* data = reinterpret_cast<const unsigned char*>(input.data());
  std::size_t size = 0;
  UPROAR_CHECK(EVP_DigestSign(context, nullptr, &size, data, input.size()) == 1);
  std::vector<unsigned char> out(size);
  UPROAR_CHECK(EVP_DigestSign(context, out.data(), &size, data, input.size()) == 1);
  out.resize(size);
  EVP_MD_CTX_free(context);
  return out;
}

// JOSE wants r and s side by side, OpenSSL gives ASN.1.
std::vector<unsigned char> raw_signature(const std::vector<unsigned char>& der) {
  const unsigned char* at = der.data();
  ECDSA_SIG* parsed = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  UPROAR_CHECK(parsed != nullptr);
  std::vector<unsigned char> out(64);
  BN_bn2binpad(ECDSA_SIG_get0_r(parsed), out.data(), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(parsed), out.data() + 32, 32);
  ECDSA_SIG_free(parsed);
  return out;
}

}  // namespace

struct TestIssuer::Key {
  EVP_PKEY* pkey = nullptr;
};

TestIssuer::TestIssuer(Kind kind, std::string kid, unsigned rsa_bits)
    : kind_(kind), kid_(std::move(kid)), key_(new Key) {
  key_->pkey = kind == Kind::kRsa ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256");
  UPROAR_CHECK(key_->pkey != nullptr);
}

TestIssuer::~TestIssuer() {
  EVP_PKEY_free(key_->pkey);
  delete key_;
}

std::string TestIssuer::jwk(std::string_view extra) const {
  std::string out = kind_ == Kind::kRsa
                        ? R"({"kty":"RSA","n":")" +
                              number_of(key_->pkey, OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" +
                              number_of(key_->pkey, OSSL_PKEY_PARAM_RSA_E, 0) + '"'
                        : R"({"kty":"EC","crv":"P-256","x":")" +
                              number_of(key_->pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32) + R"(","y":")" +
                              number_of(key_->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32) + '"';
  if (!kid_.empty()) out += R"(,"kid":")" + kid_ + '"';
  return out.append(extra).append("}");
}

std::string TestIssuer::public_pem() const {
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(memory, key_->pkey);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(memory);
  return out;
}

std::string TestIssuer::sign(std::string_view header, std::string_view claims) const {
  std::string token = signing_input(header, claims);
  auto signature = sign_digest(key_->pkey, token, false);
  if (kind_ == Kind::kEc) signature = raw_signature(signature);
  return token + '.' + encode(signature);
}

std::string TestIssuer::sign_pss(std::string_view header, std::string_view claims) const {
  std::string token = signing_input(header, claims);
  return token + '.' + encode(sign_digest(key_->pkey, token, true));
}

std::string signing_input(std::string_view header, std::string_view claims) {
  return crypto::base64url_encode(as_bytes(header)) + '.' +
         crypto::base64url_encode(as_bytes(claims));
}

std::string sign_hs256(std::string_view key, std::string_view header, std::string_view claims) {
  std::string token = signing_input(header, claims);
  const auto signature = hmac_sha256(key, token);
  return token + '.' + crypto::base64url_encode(signature);
}

}  // namespace uproar::auth::testing
