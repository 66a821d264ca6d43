#include "proto/crypto/random.h"

#include <algorithm>

#include <openssl/rand.h>

#include "proto/base/check.h"

namespace uproar::crypto {

void fill_random(MutableBytes out) {
  constexpr std::size_t kStep = 1U << 20U;  // OpenSSL counts in int
  while (!out.empty()) {
    const std::size_t size = std::min(out.size(), kStep);
    const int done =
        RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size));
    UPROAR_CHECK(done == 1);
    out = out.subspan(size);
  }
}

}  // namespace uproar::crypto
