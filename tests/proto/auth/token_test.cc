// Every way to forge or bend a token, each on its own, beside the ones that are good. Tokens are made by OpenSSL
// (test_issuer.h), not by the signer under test, except where the round trip is the point.
#include "proto/auth/token.h"

#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "proto/auth/limits.h"
#include "proto/crypto/base64.h"
#include "tests/proto/auth/test_issuer.h"

namespace uproar::auth {
namespace {

using testing::sign_hs256;
using testing::signing_input;
using testing::TestIssuer;

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kHs = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view kUser = "018f4e3a-0000-7000-8000-000000000001";
constexpr std::int64_t kNowS = 1'800'000'000;
constexpr Now kNow{.monotonic_us = 0, .wall_us = kNowS * 1'000'000};
constexpr std::string_view kIssuer = "https://id.example.com/";
constexpr std::string_view kAudience = "chat";

std::string own_claims(std::string_view extra = R"(,"exp":1800000060)") {
  return R"({"sub":")" + std::string(kUser) + '"' + std::string(extra) + "}";
}

std::string external_claims(std::string_view subject = "auth0|42",
                            std::string_view audience = R"("chat")",
                            std::string_view issuer = kIssuer) {
  return R"({"iss":")" + std::string(issuer) + R"(","sub":")" + std::string(subject) +
         R"(","aud":)" + std::string(audience) + R"(,"exp":1800000060})";
}

KeySet keys_of(const std::string& document) {
  auto keys = parse_jwks(document);
  EXPECT_TRUE(keys.ok()) << document;
  return keys.ok() ? std::move(keys).value() : KeySet{};
}

// Key making is slow: one issuer of each kind for all tests.
const TestIssuer& rsa() {
  static const TestIssuer issuer(TestIssuer::Kind::kRsa, "rsa-1");
  return issuer;
}
const TestIssuer& other_rsa() {
  static const TestIssuer issuer(TestIssuer::Kind::kRsa, "rsa-2");
  return issuer;
}
const TestIssuer& ec() {
  static const TestIssuer issuer(TestIssuer::Kind::kEc, "ec-1");
  return issuer;
}

constexpr std::string_view kRs = R"({"alg":"RS256","kid":"rsa-1"})";
constexpr std::string_view kPs = R"({"alg":"PS256","kid":"rsa-1"})";
constexpr std::string_view kEs = R"({"alg":"ES256","kid":"ec-1"})";

TokenVerifier verifier() {
  auto made = TokenVerifier::make(kKey);
  EXPECT_TRUE(made.has_value());
  EXPECT_TRUE(
      made->add_issuer({.issuer = std::string(kIssuer),
                        .audience = std::string(kAudience),
                        .keys = keys_of(R"({"keys":[)" + rsa().jwk() + ',' + ec().jwk() + "]}")}));
  return std::move(*made);
}

void expect_refused(std::string_view token, TokenError wanted, Now now = kNow) {
  const auto claims = verifier().verify(token, now);
  ASSERT_FALSE(claims.ok()) << token;
  EXPECT_EQ(token_error_name(claims.error()), token_error_name(wanted)) << token;
}

// Puts one base64url character in the place of another, so that the decoded bytes differ.
std::string flipped(std::string token, std::size_t at) {
  token[at] = token[at] == 'A' ? 'B' : 'A';
  return token;
}

TEST(TokenSigner, SignsWhatTheVerifierReads) {
  const auto signer = TokenSigner::make(kKey);
  ASSERT_TRUE(signer.has_value());
  const std::string token = signer->sign({.user = *UserId::parse(kUser),
                                          .sid = "s1",
                                          .name = "Ada “the” L\u00f6velace",
                                          .issued_at_s = kNowS,
                                          .expires_at_s = kNowS + 900});
  const auto claims = verifier().verify(token, kNow);
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(claims->user.text(), kUser);
  EXPECT_EQ(claims->sid, "s1");
  EXPECT_EQ(claims->name, "Ada “the” L\u00f6velace");
  EXPECT_EQ(claims->issuer, "uproar");
  EXPECT_FALSE(claims->external);
  EXPECT_EQ(claims->issued_at_s, kNowS);
  EXPECT_EQ(claims->expires_at_s, kNowS + 900);
}

TEST(TokenSigner, RefusesKeysThatAreEmptyShortOrHuge) {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, kHmacKeyBytesMin - 1, kHmacKeyBytesMax + 1}) {
    EXPECT_FALSE(TokenSigner::make(std::string(bytes, 'k')).has_value()) << bytes;
    EXPECT_FALSE(TokenVerifier::make(std::string(bytes, 'k')).has_value()) << bytes;
  }
  for (const std::size_t bytes : {kHmacKeyBytesMin, kHmacKeyBytesMax}) {
    EXPECT_TRUE(TokenSigner::make(std::string(bytes, 'k')).has_value()) << bytes;
    EXPECT_TRUE(TokenVerifier::make(std::string(bytes, 'k')).has_value()) << bytes;
  }
}

TEST(TokenVerifier,
     AcceptsTheExampleOfRfc7515) {  // A.1: the signature, not the claims: its exp is in 2011
  const auto key = crypto::base64url_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  ASSERT_TRUE(key.has_value());
  const auto own = TokenVerifier::make(*key);
  ASSERT_TRUE(own.has_value());
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const auto claims = own->verify(token, kNow);
  ASSERT_FALSE(claims.ok());
  EXPECT_EQ(claims.error(), TokenError::kBadSubject) << "the signature holds; there is no sub";
  const auto forged = own->verify(flipped(token, token.size() - 10), kNow);
  ASSERT_FALSE(forged.ok());
  EXPECT_EQ(forged.error(), TokenError::kBadSignature);
}

TEST(TokenVerifier, AcceptsWhatATrustedBackendMints) {
  const auto claims = verifier().verify(sign_hs256(kKey, kHs, own_claims()), kNow);
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(claims->user.text(), kUser);
  EXPECT_TRUE(claims->sid.empty());
  EXPECT_TRUE(claims->name.empty());
  EXPECT_EQ(claims->issued_at_s, 0);
}

TEST(TokenVerifier, AcceptsEveryPinnedAlgorithmOfAnExternalIssuer) {
  const std::string tokens[] = {
      rsa().sign(kRs, external_claims()), rsa().sign_pss(kPs, external_claims()),
      ec().sign(kEs, external_claims()), rsa().sign(R"({"alg":"RS256"})", external_claims())};
  for (const std::string& token : tokens) {
    const auto claims = verifier().verify(token, kNow);
    ASSERT_TRUE(claims.ok()) << token << ": " << token_error_name(claims.error());
    EXPECT_TRUE(claims->external);
    EXPECT_EQ(claims->subject, "auth0|42");
    EXPECT_EQ(claims->issuer, kIssuer);
    EXPECT_EQ(claims->user, user_of_external(kIssuer, "auth0|42"));
  }
}

TEST(TokenVerifier,
     TakesNoLoginFromAnExternalIssuer) {  // its "sid" must not name, or revoke, one of our logins
  const std::string claims =
      R"({"iss":"https://id.example.com/","sub":"x","aud":"chat","exp":1800000060,"sid":")" +
      std::string(kUser) + "\"}";
  const auto verified = verifier().verify(rsa().sign(kRs, claims), kNow);
  ASSERT_TRUE(verified.ok());
  EXPECT_TRUE(verified->sid.empty());
}

TEST(TokenVerifier, GivesExternalSubjectsStableIds) {
  EXPECT_EQ(user_of_external("a", "b"), user_of_external("a", "b"));
  EXPECT_NE(user_of_external("a", "b"), user_of_external("a", "c"));
  EXPECT_NE(user_of_external("a", "b"), user_of_external("c", "b"));
  EXPECT_NE(user_of_external("ab", "c"), user_of_external("a", "bc"))
      << "the zero byte between them";
  EXPECT_EQ(user_of_external("a", kUser).text(), kUser);
  EXPECT_EQ(user_of_external("a", "b").text()[14], '8') << "version 8";
  // Fixed for ever: accounts hang on it.
  EXPECT_EQ(user_of_external("https://id.example.com/", "auth0|42").text(),
            "5b73fa77-8b51-89f1-ad48-97aa6fc073a6");
}

// --- algorithm ---------------------------------------------------------------------------------------------------------

TEST(TokenVerifier, RefusesAlgNoneInEverySpelling) {
  for (const char* name : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string header = R"({"alg":")" + std::string(name) + R"("})";
    expect_refused(signing_input(header, own_claims()) + ".", TokenError::kAlgorithmRefused);
    expect_refused(sign_hs256(kKey, header, own_claims()), TokenError::kAlgorithmRefused);
  }
}

TEST(TokenVerifier, RefusesAlgorithmsThatAreNotPinned) {
  for (const char* name :
       {"HS384", "HS512", "RS384", "PS512", "ES384", "EdDSA", "hs256", "A128KW", "dir"}) {
    expect_refused(sign_hs256(kKey, R"({"alg":")" + std::string(name) + R"("})", own_claims()),
                   TokenError::kAlgorithmRefused);
  }
  for (const char* header :
       {R"({})", R"({"alg":null})", R"({"alg":256})", R"({"alg":["HS256"]})"}) {
    expect_refused(sign_hs256(kKey, header, own_claims()), TokenError::kAlgorithmRefused);
  }
}

TEST(TokenVerifier,
     RefusesAPublicKeyUsedAsHmacSecret) {  // the classic key confusion: HS256 over the issuer's PEM
  for (const std::string& secret :
       {rsa().public_pem(), rsa().jwk(), rsa().jwks(), ec().public_pem()}) {
    expect_refused(sign_hs256(secret, R"({"alg":"HS256","kid":"rsa-1"})", external_claims()),
                   TokenError::kBadSignature);
  }
}

TEST(TokenVerifier,
     RefusesTheOwnKeySpeakingForAnIssuer) {  // "iss" of somebody who has keys of their own
  expect_refused(sign_hs256(kKey, kHs, external_claims(kUser)), TokenError::kAlgorithmRefused);
}

TEST(TokenVerifier, RefusesAnAlgorithmThatTheIssuerDoesNotUse) {
  auto own = TokenVerifier::make(kKey);
  ASSERT_TRUE(own->add_issuer({.issuer = std::string(kIssuer),
                               .audience = std::string(kAudience),
                               .algorithms = {Algorithm::kRs256},
                               .keys = keys_of(rsa().jwks())}));
  EXPECT_TRUE(own->verify(rsa().sign(kRs, external_claims()), kNow).ok());
  const auto claims = own->verify(rsa().sign_pss(kPs, external_claims()), kNow);
  ASSERT_FALSE(claims.ok());
  EXPECT_EQ(claims.error(), TokenError::kAlgorithmRefused);
}

TEST(TokenVerifier, HoldsAKeyToTheAlgorithmItsDocumentNames) {
  auto own = TokenVerifier::make(kKey);
  ASSERT_TRUE(
      own->add_issuer({.issuer = std::string(kIssuer),
                       .audience = std::string(kAudience),
                       .keys = keys_of(R"({"keys":[)" + rsa().jwk(R"(,"alg":"RS256")") + "]}")}));
  EXPECT_TRUE(own->verify(rsa().sign(kRs, external_claims()), kNow).ok());
  const auto claims = own->verify(rsa().sign_pss(kPs, external_claims()), kNow);
  ASSERT_FALSE(claims.ok());
  EXPECT_EQ(claims.error(), TokenError::kUnknownKey);
}

TEST(TokenVerifier, RefusesAnAlgorithmThatDoesNotFitTheKey) {
  expect_refused(rsa().sign(R"({"alg":"ES256","kid":"rsa-1"})", external_claims()),
                 TokenError::kUnknownKey);
  expect_refused(ec().sign(R"({"alg":"RS256","kid":"ec-1"})", external_claims()),
                 TokenError::kUnknownKey);
}

// --- header ------------------------------------------------------------------------------------------------------------

TEST(TokenVerifier, RefusesCriticalExtensions) {  // RFC 7515 §4.1.11; b64 is RFC 7797
  for (const char* header :
       {R"({"alg":"HS256","crit":["exp"]})", R"({"alg":"HS256","b64":false,"crit":["b64"]})",
        R"({"alg":"HS256","crit":[]})", R"({"alg":"HS256","crit":null})"}) {
    expect_refused(sign_hs256(kKey, header, own_claims()), TokenError::kCriticalHeader);
  }
}

TEST(TokenVerifier,
     IgnoresKeysThatTheTokenBrings) {  // jwk, jku, x5u, x5c: the token may not choose its verifier
  const std::string header = R"({"alg":"RS256","kid":"rsa-2","jku":"https://evil.example","jwk":)" +
                             other_rsa().jwk() + "}";
  expect_refused(other_rsa().sign(header, external_claims()), TokenError::kUnknownKey);
  const std::string claimed = R"({"alg":"RS256","kid":"rsa-1","jwk":)" + other_rsa().jwk() + "}";
  expect_refused(other_rsa().sign(claimed, external_claims()), TokenError::kBadSignature);
}

TEST(TokenVerifier, RefusesUnknownKids) {
  expect_refused(rsa().sign(R"({"alg":"RS256","kid":"rsa-9"})", external_claims()),
                 TokenError::kUnknownKey);
  expect_refused(rsa().sign(R"({"alg":"RS256","kid":"../../dev/null"})", external_claims()),
                 TokenError::kUnknownKey);
  expect_refused(rsa().sign(R"({"alg":"RS256","kid":7})", external_claims()),
                 TokenError::kMalformed);
}

TEST(TokenVerifier, RefusesRepeatedMemberNames) {
  expect_refused(sign_hs256(kKey, R"({"alg":"none","alg":"HS256"})", own_claims()),
                 TokenError::kMalformed);
  expect_refused(sign_hs256(kKey, kHs, own_claims(R"(,"exp":1800000060,"exp":1900000000)")),
                 TokenError::kMalformed);
}

// --- form --------------------------------------------------------------------------------------------------------------

TEST(TokenVerifier, RefusesWhatIsNoCompactJws) {
  const std::string good = sign_hs256(kKey, kHs, own_claims());
  const std::size_t dot = good.find('.');
  const std::string bad[] = {"",
                             ".",
                             "..",
                             "...",
                             "a.b.c",
                             good.substr(0, dot),
                             good.substr(0, good.rfind('.')),
                             good + ".",
                             good + ".e30",
                             "." + good,
                             good.substr(dot),
                             " " + good,
                             good + "\n",
                             good + "=",
                             "Bearer " + good,
                             std::string(1, '\0') + good,
                             good + std::string(1, '\0')};
  for (const std::string& token : bad) expect_refused(token, TokenError::kMalformed);
}

TEST(TokenVerifier, RefusesPartsThatAreNoJsonObjects) {
  for (const char* part : {"", "{", "[]", "null", "7", "\"x\"", "{}x", "\xff", "{\"alg\":\"HS256\"",
                           "{'alg':'HS256'}"}) {
    expect_refused(sign_hs256(kKey, part, own_claims()), TokenError::kMalformed);
    expect_refused(sign_hs256(kKey, kHs, part), TokenError::kMalformed);
  }
}

TEST(TokenVerifier, RefusesDeepJunk) {
  const std::string deep = std::string(2000, '[') + std::string(2000, ']');
  expect_refused(sign_hs256(kKey, kHs, own_claims(R"(,"exp":)" + deep)), TokenError::kBadClaim);
  const std::string deeper = std::string(2900, '[') + std::string(2900, ']');
  expect_refused(sign_hs256(kKey, kHs, own_claims(R"(,"x":)" + deeper)), TokenError::kMalformed);
}

TEST(TokenVerifier, RefusesTokensAboveTheLimitUnread) {
  const std::string name(kTokenBytesMax, 'x');
  expect_refused(sign_hs256(kKey, kHs, own_claims(R"(,"exp":1800000060,"x":")" + name + '"')),
                 TokenError::kTooLarge);
  expect_refused(std::string(kTokenBytesMax + 1, 'a'), TokenError::kTooLarge);
  expect_refused(std::string(kTokenBytesMax, 'a'), TokenError::kMalformed);
}

// --- signature ---------------------------------------------------------------------------------------------------------

TEST(TokenVerifier, RefusesEverySingleCharacterChange) {
  const std::string good = sign_hs256(kKey, kHs, own_claims());
  const TokenVerifier own = verifier();
  ASSERT_TRUE(own.verify(good, kNow).ok());
  for (std::size_t i = 0; i < good.size(); ++i) {
    if (good[i] == '.') continue;
    EXPECT_FALSE(own.verify(flipped(good, i), kNow).ok()) << i;
  }
}

TEST(TokenVerifier, RefusesSignaturesByOtherKeys) {
  expect_refused(sign_hs256("another key of thirty-two bytes!", kHs, own_claims()),
                 TokenError::kBadSignature);
  expect_refused(sign_hs256("", kHs, own_claims()), TokenError::kBadSignature);
  expect_refused(other_rsa().sign(kRs, external_claims()), TokenError::kBadSignature);
  expect_refused(rsa().sign(kPs, external_claims()), TokenError::kBadSignature);
  expect_refused(rsa().sign_pss(kRs, external_claims()), TokenError::kBadSignature);
}

TEST(TokenVerifier,
     RefusesSignaturesOfEveryOtherLength) {  // among them the all-zero ES256 signature (r = s = 0)
  const struct {
    std::string_view header;
    std::string claims;
  } kinds[] = {{kHs, own_claims()},
               {kRs, external_claims()},
               {kPs, external_claims()},
               {kEs, external_claims()}};
  for (const auto& kind : kinds) {
    const std::string input = signing_input(kind.header, kind.claims);
    for (const std::size_t bytes : {0, 1, 31, 32, 33, 63, 64, 65, 128, 255, 256, 257, 1000}) {
      expect_refused(input + '.' + crypto::base64url_encode(as_bytes(std::string(bytes, '\0'))),
                     TokenError::kBadSignature);
    }
  }
}

// --- claims ------------------------------------------------------------------------------------------------------------

TEST(TokenVerifier, RefusesExpiredTokensAtTheSecond) {
  const std::string token = sign_hs256(kKey, kHs, own_claims(R"(,"exp":1800000060)"));
  EXPECT_TRUE(verifier().verify(token, Now{.wall_us = 1'800'000'059'999'999}).ok());
  expect_refused(token, TokenError::kExpired, Now{.wall_us = 1'800'000'060'000'000});
  expect_refused(sign_hs256(kKey, kHs, own_claims(R"(,"exp":0)")), TokenError::kExpired);
}

TEST(TokenVerifier, RefusesTokensWithoutExpiry) {
  expect_refused(sign_hs256(kKey, kHs, own_claims("")), TokenError::kMissingExpiry);
  expect_refused(rsa().sign(kRs, R"({"iss":"https://id.example.com/","sub":"x","aud":"chat"})"),
                 TokenError::kMissingExpiry);
}

TEST(TokenVerifier, RefusesTokensThatAreNotValidYet) {
  const auto with = [](std::string_view name, std::int64_t value) {
    return sign_hs256(
        kKey, kHs,
        own_claims(R"(,"exp":1800009999,")" + std::string(name) + "\":" + std::to_string(value)));
  };
  for (const char* name : {"nbf", "iat"}) {
    EXPECT_TRUE(verifier().verify(with(name, kNowS + kClockLeewayS), kNow).ok()) << name;
    expect_refused(with(name, kNowS + kClockLeewayS + 1), TokenError::kNotYetValid);
  }
}

TEST(TokenVerifier, RefusesClaimsOfTheWrongType) {
  for (const char* extra :
       {R"(,"exp":"1800000060")", R"(,"exp":true)", R"(,"exp":null)", R"(,"exp":[1800000060])",
        R"(,"exp":{})", R"(,"exp":-1)", R"(,"exp":253402300800)", R"(,"exp":9223372036854775807)",
        R"(,"exp":1e300)", R"(,"exp":1800000060,"nbf":"0")", R"(,"exp":1800000060,"iat":false)",
        R"(,"exp":1800000060,"iss":7)", R"(,"exp":1800000060,"sid":7)",
        R"(,"exp":1800000060,"name":{})"}) {
    expect_refused(sign_hs256(kKey, kHs, own_claims(extra)), TokenError::kBadClaim);
  }
  EXPECT_TRUE(
      verifier().verify(sign_hs256(kKey, kHs, own_claims(R"(,"exp":1800000060.5)")), kNow).ok());
}

TEST(TokenVerifier, WantsAUuidOfTheOwnKeysSubjects) {
  for (const char* subject :
       {R"("ada")", R"("")", R"(7)", R"("00000000-0000-0000-0000-000000000000")",
        R"("018f4e3a-0000-7000-8000-00000000000")", R"("018f4e3a000070008000000000000001")",
        R"(["018f4e3a-0000-7000-8000-000000000001"])"}) {
    expect_refused(
        sign_hs256(kKey, kHs, R"({"sub":)" + std::string(subject) + R"(,"exp":1800000060})"),
        TokenError::kBadSubject);
  }
  expect_refused(sign_hs256(kKey, kHs, R"({"exp":1800000060})"), TokenError::kBadSubject);
}

TEST(TokenVerifier, RefusesExternalSubjectsThatAreEmptyOrTooLong) {
  expect_refused(rsa().sign(kRs, external_claims("")), TokenError::kBadSubject);
  expect_refused(rsa().sign(kRs, external_claims(std::string(kSubjectBytesMax + 1, 's'))),
                 TokenError::kBadSubject);
  EXPECT_TRUE(
      verifier()
          .verify(rsa().sign(kRs, external_claims(std::string(kSubjectBytesMax, 's'))), kNow)
          .ok());
}

TEST(TokenVerifier, WantsOurAudience) {
  for (const char* audience : {R"("other")", R"("Chat")", R"("")", R"([])", R"(["other"])",
                               R"(null)", R"(7)", R"({"chat":1})", R"([["chat"]])"}) {
    expect_refused(rsa().sign(kRs, external_claims("x", audience)), TokenError::kWrongAudience);
  }
  EXPECT_TRUE(
      verifier().verify(rsa().sign(kRs, external_claims("x", R"(["other","chat"])")), kNow).ok());
}

TEST(TokenVerifier, RefusesIssuersThatNobodyAdded) {
  for (const char* issuer : {"https://id.example.com", "https://evil.example/", ""}) {
    expect_refused(rsa().sign(kRs, external_claims("x", R"("chat")", issuer)),
                   TokenError::kUnknownIssuer);
  }
  expect_refused(rsa().sign(kRs, own_claims()), TokenError::kUnknownIssuer);
}

TEST(TokenVerifier, KeepsTheKeysOfIssuersApart) {
  auto own = verifier();
  ASSERT_TRUE(own.add_issuer(
      {.issuer = "https://other/", .audience = "chat", .keys = keys_of(other_rsa().jwks())}));
  const std::string claims = external_claims("x", R"("chat")", "https://other/");
  EXPECT_TRUE(own.verify(other_rsa().sign(R"({"alg":"RS256"})", claims), kNow).ok());
  const auto crossed = own.verify(rsa().sign(kRs, claims), kNow);
  ASSERT_FALSE(crossed.ok());
  EXPECT_EQ(crossed.error(), TokenError::kUnknownKey);
}

// --- issuers -----------------------------------------------------------------------------------------------------------

TEST(TokenVerifier, RefusesIssuersThatCannotBeChecked) {
  auto own = verifier();
  EXPECT_FALSE(own.add_issuer({.issuer = "", .audience = "chat", .keys = {}}));
  EXPECT_FALSE(own.add_issuer({.issuer = "x", .audience = "", .keys = {}}));
  EXPECT_FALSE(own.add_issuer(
      {.issuer = "x", .audience = "chat", .algorithms = {Algorithm::kHs256}, .keys = {}}));
  EXPECT_FALSE(own.add_issuer({.issuer = "x", .audience = "chat", .algorithms = {}, .keys = {}}));
  EXPECT_FALSE(own.add_issuer({.issuer = std::string(kIssuer), .audience = "chat", .keys = {}}))
      << "known";
  for (std::size_t i = 1; i < kIssuersMax; ++i) {
    EXPECT_TRUE(own.add_issuer({.issuer = "i" + std::to_string(i), .audience = "chat", .keys = {}}))
        << i;
  }
  EXPECT_FALSE(own.add_issuer({.issuer = "one too many", .audience = "chat", .keys = {}}));
}

TEST(TokenVerifier, FollowsAKeyRotation) {
  auto own = verifier();
  const std::string fresh = other_rsa().sign(R"({"alg":"RS256","kid":"rsa-2"})", external_claims());
  EXPECT_FALSE(own.verify(fresh, kNow).ok());
  EXPECT_TRUE(own.replace_keys(kIssuer, keys_of(other_rsa().jwks())));
  EXPECT_TRUE(own.verify(fresh, kNow).ok());
  EXPECT_FALSE(own.verify(rsa().sign(kRs, external_claims()), kNow).ok());
  EXPECT_FALSE(own.replace_keys("nobody", keys_of(rsa().jwks())));
}

TEST(TokenError, TellsClientsOnlyWhetherToRefresh) {
  for (int i = 0; i < static_cast<int>(TokenError::kCount); ++i) {
    const auto error = static_cast<TokenError>(i);
    const auto wanted = error == TokenError::kExpired ? chat::ErrorCode::kTokenExpired
                                                      : chat::ErrorCode::kUnauthorized;
    EXPECT_EQ(error_code_of(error), wanted) << token_error_name(error);
    EXPECT_FALSE(token_error_name(error).empty()) << i;
  }
}

}  // namespace
}  // namespace uproar::auth
