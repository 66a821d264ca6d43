// Hot path: per frame. Allocations: 0, copies: 0.

#include "proto/ws/unmask.h"

#include <cstring>

#if defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace uproar::ws {

void unmask(std::span<std::byte> bytes, Mask mask) {
  std::byte* at = bytes.data();
  std::size_t left = bytes.size();

  // Every stride is a multiple of 4, so the mask never turns inside a loop. Loads and stores are
  // unaligned: payloads start 6, 8 or 14 bytes into a buffer, and aligning first costs more than it
  // saves.
#if defined(__AVX2__)
  if (left >= 32) {
    const __m256i wide = _mm256_set1_epi32(static_cast<int>(mask));
    for (; left >= 32; left -= 32, at += 32) {
      auto* block = reinterpret_cast<__m256i*>(at);
      _mm256_storeu_si256(block, _mm256_xor_si256(_mm256_loadu_si256(block), wide));
    }
  }
#endif
#if defined(__SSE2__)
  if (left >= 16) {
    const __m128i wide = _mm_set1_epi32(static_cast<int>(mask));
    for (; left >= 16; left -= 16, at += 16) {
      auto* block = reinterpret_cast<__m128i*>(at);
      _mm_storeu_si128(block, _mm_xor_si128(_mm_loadu_si128(block), wide));
    }
  }
#endif
  const std::uint64_t wide = (static_cast<std::uint64_t>(mask) << 32) | mask;
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    word ^= wide;
    std::memcpy(at, &word, sizeof word);
  }
  std::byte key[sizeof mask] = {};
  std::memcpy(key, &mask, sizeof mask);
  for (std::size_t i = 0; i < left; ++i) at[i] ^= key[i % 4];
}

}  // namespace uproar::ws
