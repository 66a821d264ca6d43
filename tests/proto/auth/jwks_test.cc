#include "proto/auth/jwks.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/auth/limits.h"
#include "tests/proto/auth/test_issuer.h"

namespace uproar::auth {
namespace {

using testing::TestIssuer;

std::string set_of(const std::string& keys) {
  return R"({"keys":[)" + keys + "]}";
}

const TestIssuer& rsa() {
  static const TestIssuer issuer(TestIssuer::Kind::kRsa, "r");
  return issuer;
}
const TestIssuer& ec() {
  static const TestIssuer issuer(TestIssuer::Kind::kEc, "e");
  return issuer;
}

TEST(Jwks, KeepsRsaAndP256Keys) {
  const auto keys =
      parse_jwks(set_of(rsa().jwk(R"(,"use":"sig","alg":"RS256","x5t":"abc")") + ',' + ec().jwk()));
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(keys->size(), 2U);
  EXPECT_EQ(keys->skipped(), 0U);
}

TEST(Jwks, SkipsAndCountsWhatItCannotUse) {
  const std::string n(342, 'A');
  const std::string unusable[] = {
      R"({"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})",  // a published secret is no secret
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
      R"({"kty":"EC","crv":"P-384","x":"AAAA","y":"AAAA"})",
      R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})",
      R"({"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"})",
      R"({"kty":"RSA","n":")" + n + R"(","e":"AQAB"})",  // zero
      R"({"kty":"RSA","e":"AQAB"})",
      R"({"kty":"RSA","n":7,"e":"AQAB"})",
      rsa().jwk(R"(,"use":"enc")"),
      rsa().jwk(R"(,"use":7)"),
      rsa().jwk(R"(,"alg":"RSA-OAEP")"),
      rsa().jwk(R"(,"alg":"ES256")"),
      rsa().jwk(R"(,"alg":"HS256")"),
      rsa().jwk(R"(,"alg":null)"),
      ec().jwk(R"(,"alg":"RS256")"),
      "{}",
      "7",
      "null",
      "[]",
  };
  for (const std::string& key : unusable) {
    const auto keys = parse_jwks(set_of(rsa().jwk() + ',' + key));
    ASSERT_TRUE(keys.ok()) << key;
    EXPECT_EQ(keys->size(), 1U) << key;
    EXPECT_EQ(keys->skipped(), 1U) << key;
  }
}

TEST(Jwks, SkipsWeakRsaKeysAndBadExponents) {
  const TestIssuer weak(TestIssuer::Kind::kRsa, "w", 1024);
  const auto keys = parse_jwks(set_of(weak.jwk() + ',' + ec().jwk()));
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(keys->skipped(), 1U);
  const std::string good = rsa().jwk();
  const std::size_t at = good.find(R"("e":"AQAB")");
  ASSERT_NE(at, std::string::npos);
  for (const char* exponent :
       {"AQ", "Ag", "AA", "", "AQAA", "AQABAQAB", "AQAB="}) {  // 1, 2, 0, none, even, huge, padded
    std::string bad = good;
    bad.replace(at, 10, R"("e":")" + std::string(exponent) + '"');
    const auto set = parse_jwks(set_of(bad + ',' + ec().jwk()));
    ASSERT_TRUE(set.ok()) << exponent;
    EXPECT_EQ(set->skipped(), 1U) << exponent;
  }
}

TEST(Jwks, RefusesDocumentsThatAreNoKeySet) {
  const struct {
    std::string document;
    JwksError error;
  } cases[] = {
      {"", JwksError::kNotJson},
      {"{", JwksError::kNotJson},
      {"[]", JwksError::kNotJson},
      {"<html>", JwksError::kNotJson},
      {R"({"keys":[],"keys":[]})", JwksError::kNotJson},
      {"{}", JwksError::kNotKeySet},
      {R"({"keys":{}})", JwksError::kNotKeySet},
      {R"({"keys":[]})", JwksError::kNoUsableKey},
      {R"({"keys":[7]})", JwksError::kNoUsableKey},
      {std::string(kJwksBytesMax + 1, ' '), JwksError::kTooLarge},
  };
  for (const auto& each : cases) {
    const auto keys = parse_jwks(each.document);
    ASSERT_FALSE(keys.ok()) << each.document.substr(0, 40);
    EXPECT_EQ(keys.error(), each.error) << each.document.substr(0, 40);
    EXPECT_FALSE(jwks_error_text(each.error).empty());
  }
}

TEST(Jwks, BoundsTheNumberOfKeys) {
  std::string keys = ec().jwk();
  for (std::size_t i = 1; i < kJwksKeysMax; ++i) keys += ",7";
  EXPECT_TRUE(parse_jwks(set_of(keys)).ok());
  const auto more = parse_jwks(set_of(keys + ",7"));
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error(), JwksError::kTooManyKeys);
}

}  // namespace
}  // namespace uproar::auth
