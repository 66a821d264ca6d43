#pragma once

// HMAC-SHA-256 straight from OpenSSL: signs the tokens of the tests by another way than the product, which uses cjose.

#include <array>
#include <cstddef>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "proto/base/check.h"

namespace uproar::auth::testing {

inline std::array<std::byte, 32> hmac_sha256(std::string_view key, std::string_view data) {
  std::array<std::byte, 32> out{};
  unsigned size = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(data.data()), data.size(),
                          reinterpret_cast<unsigned char*>(out.data()), &size);
  UPROAR_CHECK(done != nullptr && size == out.size());
  return out;
}

}  // namespace uproar::auth::testing
