#pragma once

// Bounds of proto/http. Everything a peer can make us keep or repeat is named here.

#include <cstddef>
#include <cstdint>

namespace uproar::http {

// What one request may cost. Shared by all connections of a shard; the parsers borrow it.
struct RequestLimits {
  // Request line with its CRLF; above it 414. A 4 KiB token in the query, percent-escaped once, still fits.
  std::uint32_t request_line_bytes_max = 8 * 1024;
  // Request line, all header lines and the empty line; above it 431. Browsers with full cookie jars stay below
  // 8 KiB; twice that is what common proxies let through. Chunk extensions and trailers have the same budget again.
  std::uint32_t head_bytes_max = 16 * 1024;
  // Header lines, trailers included; above it 431. Browsers behind proxies send about 30.
  std::uint16_t headers_max = 100;
  // Body after removal of chunk framing; above it 413. A message, a page of cursors, a profile: well below 1 MiB.
  std::uint32_t body_bytes_max = 1024 * 1024;
};

// No configuration may go above these: offsets are 32 bits, and one request must stay a small part of the memory
// budget of a shard.
inline constexpr std::uint32_t kHeadBytesCeiling = 1024 * 1024;
inline constexpr std::uint32_t kBodyBytesCeiling = 1024 * 1024 * 1024;

// A chunk-size line with its extension and CRLF; above it 400. 16 hex digits, CRLF and 238 bytes of extension.
inline constexpr std::uint32_t kChunkLineBytesMax = 256;

// First block of an assembly buffer; it doubles from there up to what the limits above allow. 1 KiB holds the
// usual head that was cut by a packet border.
inline constexpr std::uint32_t kAssemblyBytesMin = 1024;
static_assert(std::uint64_t{kHeadBytesCeiling} + kBodyBytesCeiling + kChunkLineBytesMax <
                  UINT32_MAX / 2,
              "doubling a buffer never overflows 32 bits");

// target.h: our deepest route has 7 segments; names and values of parameters after decoding.
inline constexpr std::size_t kPathSegmentsMax = 16;
inline constexpr std::size_t kQueryParametersMax = 64;
inline constexpr std::size_t kQueryValueBytesMax = std::size_t{8} * 1024;
static_assert(kQueryValueBytesMax <= RequestLimits{}.request_line_bytes_max);

// forwarded.h: lines of one name, and trusted proxies that a request may have passed. A proxy adds to the line it finds, or
// a line of its own; chains of more than three are rare.
inline constexpr std::size_t kForwardedLinesMax = 16;
inline constexpr std::size_t kForwardedHopsMax = 16;

// proxy_header.h: what may follow the fixed part of a version 2 header: addresses (36 bytes) and TLVs. Those with a
// client's certificate are the largest, 1 to 3 KiB.
inline constexpr std::uint32_t kProxyHeaderRestBytesMax = 4096;

// origin.h: origins an operator may list, each compared in turn once per handshake.
inline constexpr std::size_t kAllowedOriginsMax = 64;

}  // namespace uproar::http
