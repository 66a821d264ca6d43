#include "proto/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "proto/base/check.h"

namespace uproar::crypto {
namespace {

unsigned char* raw(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

// OpenSSL reads a null pointer as "none given" in places, so empty views get an address.
const unsigned char* raw(ByteView bytes) {
  static constexpr unsigned char kNothing = 0;
  return bytes.empty() ? &kNothing : reinterpret_cast<const unsigned char*>(bytes.data());
}

template <class Digest>
Digest digest_with(const EVP_MD* algorithm, ByteView data) {
  Digest out;
  unsigned size = 0;
  const int done = EVP_Digest(raw(data), data.size(), raw(out.data()), &size, algorithm, nullptr);
  UPROAR_CHECK(done == 1);
  UPROAR_CHECK(size == out.size(), size);
  return out;
}

}  // namespace

Sha1Digest sha1(ByteView data) {
  return digest_with<Sha1Digest>(EVP_sha1(), data);
}

Sha256Digest sha256(ByteView data) {
  return digest_with<Sha256Digest>(EVP_sha256(), data);
}

Sha256Digest hmac_sha256(ByteView key, ByteView data) {
  Sha256Digest out;
  unsigned size = 0;
  const unsigned char* done = HMAC(EVP_sha256(), raw(key), static_cast<int>(key.size()), raw(data),
                                   data.size(), raw(out.data()), &size);
  UPROAR_CHECK(done != nullptr && size == out.size(), size);
  return out;
}

bool same_digest(const Sha256Digest& one, const Sha256Digest& other) {
  return CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace uproar::crypto
