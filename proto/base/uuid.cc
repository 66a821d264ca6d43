#include "proto/base/uuid.h"

namespace uproar {
namespace {

constexpr char kHex[] = "0123456789abcdef";

constexpr std::array<std::int8_t, 256> make_hex_values() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (int i = 0; i < 10; ++i)
    values[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    values[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
    values[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
  }
  return values;
}
constexpr auto kHexValues = make_hex_values();

// Text position of each of the 16 bytes' first digit: 8-4-4-4-12.
constexpr std::array<std::uint8_t, 16> kDigitAt = {0,  2,  4,  6,  9,  11, 14, 16,
                                                   19, 21, 24, 26, 28, 30, 32, 34};

}  // namespace

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != kTextBytes) return std::nullopt;
  if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
  Uuid uuid;
  int seen = 0;  // stays non-negative while every digit is one
  for (std::size_t i = 0; i < 16; ++i) {
    const int high = kHexValues[static_cast<unsigned char>(text[kDigitAt[i]])];
    const int low = kHexValues[static_cast<unsigned char>(text[kDigitAt[i] + 1U])];
    seen |= high | low;
    const auto byte = static_cast<std::uint64_t>(((high & 15) << 4) | (low & 15));
    (i < 8 ? uuid.high : uuid.low) |= byte << (56 - 8 * (i % 8));
  }
  if (seen < 0) return std::nullopt;
  return uuid;
}

void Uuid::write_text(char* out) const {
  for (std::size_t i = 0; i < 16; ++i) {
    const std::uint64_t word = i < 8 ? high : low;
    const auto byte = static_cast<unsigned>((word >> (56 - 8 * (i % 8))) & 0xFF);
    out[kDigitAt[i]] = kHex[byte >> 4];
    out[kDigitAt[i] + 1U] = kHex[byte & 15U];
  }
  out[8] = out[13] = out[18] = out[23] = '-';
}

std::string Uuid::text() const {
  std::string out(kTextBytes, '\0');
  write_text(out.data());
  return out;
}

Uuid Uuid::from_bytes(const void* bytes16) {
  const auto* bytes = static_cast<const unsigned char*>(bytes16);
  Uuid uuid;
  for (int i = 0; i < 8; ++i) {
    uuid.high = (uuid.high << 8) | bytes[i];
    uuid.low = (uuid.low << 8) | bytes[i + 8];
  }
  return uuid;
}

void Uuid::write_bytes(void* out16) const {
  auto* out = static_cast<unsigned char*>(out16);
  for (int i = 0; i < 8; ++i) {
    out[i] = static_cast<unsigned char>(high >> (56 - 8 * i));
    out[i + 8] = static_cast<unsigned char>(low >> (56 - 8 * i));
  }
}

Uuid Uuid::v7(std::uint64_t unix_ms, std::uint64_t random_a, std::uint64_t random_b) {
  return {.high = (unix_ms << 16) | 0x7000U | (random_a & 0x0FFFU),
          .low = (random_b & 0x3FFFFFFFFFFFFFFFULL) | 0x8000000000000000ULL};
}

Uuid Uuid::v8(const void* digest16) {
  Uuid uuid = from_bytes(digest16);
  uuid.high = (uuid.high & ~0xF000ULL) | 0x8000U;
  uuid.low = (uuid.low & 0x3FFFFFFFFFFFFFFFULL) | 0x8000000000000000ULL;
  return uuid;
}

}  // namespace uproar
