#pragma once

// An identity provider for tests: makes keys, publishes them as a JWK set and signs whatever it is told to, also what no
// honest issuer would. Signs with OpenSSL directly, so the verifier under test meets an implementation that is not its own.

#include <cstddef>
#include <string>
#include <string_view>

namespace uproar::auth::testing {

class TestIssuer {
 public:
  enum class Kind { kRsa, kEc };

  TestIssuer(Kind kind, std::string kid, unsigned rsa_bits = 2048);
  ~TestIssuer();
  TestIssuer(const TestIssuer&) = delete;
  TestIssuer& operator=(const TestIssuer&) = delete;

  // The public key as one JWK; `extra` is spliced in: R"(,"use":"enc")".
  [[nodiscard]] std::string jwk(std::string_view extra = {}) const;
  [[nodiscard]] std::string jwks() const { return R"({"keys":[)" + jwk() + "]}"; }
  // The public key as PEM: the "secret" of the key confusion attack.
  [[nodiscard]] std::string public_pem() const;

  // header.claims.signature with the algorithm of `header`'s choice being the caller's business.
  [[nodiscard]] std::string sign(std::string_view header,
                                 std::string_view claims) const;  // RS256 or ES256
  [[nodiscard]] std::string sign_pss(std::string_view header,
                                     std::string_view claims) const;  // PS256
  [[nodiscard]] const std::string& kid() const { return kid_; }

 private:
  struct Key;
  Kind kind_;
  std::string kid_;
  Key* key_;
};

// base64url(header).base64url(claims)
[[nodiscard]] std::string signing_input(std::string_view header, std::string_view claims);
// A token signed with HS256 by that key, whatever the header says.
[[nodiscard]] std::string sign_hs256(std::string_view key, std::string_view header,
                                     std::string_view claims);

}  // namespace uproar::auth::testing
