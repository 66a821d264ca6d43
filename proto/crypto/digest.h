#pragma once

// Digests, one call each (FIPS 180-4). Pure, no allocation by us.
// A digest that fails inside OpenSSL means a broken installation (no default provider): the process stops.

#include <array>
#include <cstddef>

#include "proto/base/bytes.h"

namespace uproar::crypto {

using Sha1Digest = std::array<std::byte, 20>;
using Sha256Digest = std::array<std::byte, 32>;

// Only for the WebSocket accept key (RFC 6455 §4.2.2), where no strength is asked of it.
[[nodiscard]] Sha1Digest sha1(ByteView data);

[[nodiscard]] Sha256Digest sha256(ByteView data);

// HMAC-SHA-256 (RFC 2104, FIPS 198-1).
[[nodiscard]] Sha256Digest hmac_sha256(ByteView key, ByteView data);
// In a time that does not tell where they differ: for what a stranger sends.
[[nodiscard]] bool same_digest(const Sha256Digest& one, const Sha256Digest& other);

}  // namespace uproar::crypto
