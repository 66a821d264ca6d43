#pragma once

// JSON Web Key sets (RFC 7517 §5) of external issuers: public keys that verify signatures.
//
// Kept: RSA keys of 2048 to 8192 bits and EC keys on P-256, "use" absent or "sig", "alg" absent or one of ours that fits
// the key. Symmetric keys are never taken from a set: a published "oct" key would let everybody sign. What cannot be used
// is skipped and counted, so that an issuer may add kinds of keys we do not know.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.h"

namespace uproar::auth {

enum class Algorithm : std::uint8_t { kHs256, kRs256, kPs256, kEs256 };

enum class JwksError : std::uint8_t {
  kTooLarge,     // above kJwksBytesMax
  kNotJson,      // or a repeated member name
  kNotKeySet,    // no "keys" array
  kTooManyKeys,  // above kJwksKeysMax
  kNoUsableKey,
};
[[nodiscard]] std::string_view jwks_error_text(JwksError error);

// One usable key; owns the library's object.
class VerifyKey;

// Not thread-safe, also when const (the library counts references without atomics): one per shard, parsed there.
class KeySet {
 public:
  KeySet();
  ~KeySet();
  KeySet(KeySet&&) noexcept;
  KeySet& operator=(KeySet&&) noexcept;

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t skipped() const {
    return skipped_;
  }  // keys in the document that cannot be used
  [[nodiscard]] const std::vector<VerifyKey>& keys() const { return keys_; }  // jose.h, private

 private:
  friend Result<KeySet, JwksError> parse_jwks(std::string_view document);
  std::vector<VerifyKey> keys_;
  std::size_t skipped_ = 0;
};

[[nodiscard]] Result<KeySet, JwksError> parse_jwks(std::string_view document);

}  // namespace uproar::auth
