#pragma once

// Access tokens of the users that clients sign in as, signed with the server's own key when one is wanted: a quarter of a million
// of them would be 60 MB.

#include <cstdint>
#include <string>

#include "proto/auth/token.h"
#include "proto/base/uuid.h"

namespace uproar::bench {

class ClientTokens {
 public:
  // Ends the program when the key does not fit.
  explicit ClientTokens(const std::string& auth_key);

  // Valid for a day from the start of the program.
  [[nodiscard]] std::string sign(std::uint32_t client, const Uuid& user) const;

 private:
  auth::TokenSigner signer_;
  std::int64_t begin_s_;
};

}  // namespace uproar::bench
