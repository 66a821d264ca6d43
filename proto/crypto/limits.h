#pragma once

// Bounds of proto/crypto.

#include <cstddef>

namespace uproar::crypto {

// Longest text that the base64 decoders look at. Tokens, keys and tickets stay under 16 KiB; a JWKS document is
// fetched with its own, smaller bound. OpenSSL counts in int, so a bound is needed anyway.
inline constexpr std::size_t kBase64TextBytesMax = std::size_t{1024} * 1024;

// Largest input of the encoders, so that its encoding is again decodable: 4 characters for every 3 bytes.
inline constexpr std::size_t kBase64BytesMax = kBase64TextBytesMax / 4 * 3;
static_assert((kBase64BytesMax + 2) / 3 * 4 <= kBase64TextBytesMax);

}  // namespace uproar::crypto
