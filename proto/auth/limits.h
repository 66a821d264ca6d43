#pragma once

// Bounds of proto/auth.

#include <cstddef>
#include <cstdint>

namespace uproar::auth {

// Longest token that is looked at. A token with RS256 and twenty claims is about 1.2 KiB; browsers and proxies cut
// header lines at 8 KiB anyway.
inline constexpr std::size_t kTokenBytesMax = 8 * 1024;

// RFC 7518 §3.2: an HS256 key has at least the size of the digest.
inline constexpr std::size_t kHmacKeyBytesMin = 32;
inline constexpr std::size_t kHmacKeyBytesMax = 1024;

// RFC 7518 §3.3; the upper bound keeps a verification under a millisecond.
inline constexpr std::size_t kRsaBitsMin = 2048;
inline constexpr std::size_t kRsaBitsMax = 8192;

// A JWKS document: real ones hold 2 to 6 keys of about 1 KiB with their certificates.
inline constexpr std::size_t kJwksBytesMax = 256 * 1024;
inline constexpr std::size_t kJwksKeysMax = 64;
inline constexpr std::size_t kIssuersMax = 16;

// How far another issuer's clock may be ahead before "nbf" or "iat" is refused. "exp" gets no leeway.
inline constexpr std::int64_t kClockLeewayS = 60;
// Latest NumericDate that is believed: the year 9999.
inline constexpr std::int64_t kNumericDateMax = 253402300799;

inline constexpr std::size_t kSubjectBytesMax = 255;  // external "sub"
inline constexpr std::size_t kSidBytesMax = 128;
inline constexpr std::size_t kNameClaimBytesMax = 256;

inline constexpr std::size_t kNameBytesMin = 3;
inline constexpr std::size_t kNameBytesMax = 32;
inline constexpr std::size_t kPasswordBytesMin = 8;
inline constexpr std::size_t kPasswordBytesMax = 128;

// 256 random bits: nothing to guess, so a plain sha256 stores it.
inline constexpr std::size_t kRefreshTokenBytes = 32;

// argon2id (RFC 9106): memory and passes. 19 MiB with 3 passes is above the OWASP floor of 19 MiB with 2 and takes about
// 20 ms of one core. With a pool of 4 threads that is 76 MiB and 200 logins a second at most; a million guesses cost an
// attacker with the same core five hours and a half.
inline constexpr std::uint64_t kArgonMemoryBytes = 19ULL * 1024 * 1024;
inline constexpr std::uint64_t kArgonPasses = 3;

}  // namespace uproar::auth
