#include "proto/crypto/digest.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/crypto/random.h"

namespace uproar::crypto {
namespace {

std::string hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text += kDigits[byte_at(bytes, i) >> 4];
    text += kDigits[byte_at(bytes, i) & 15];
  }
  return text;
}

TEST(Digest, Sha1MatchesThePublishedVectors) {  // FIPS 180-4 examples
  EXPECT_EQ(hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Digest, Sha256MatchesThePublishedVectors) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Random, FillsEveryByteAndDoesNotRepeat) {
  EXPECT_NE(random_bytes<32>(), random_bytes<32>());  // equal once in 2^256
  // 64 draws leave some byte untouched (always zero) with a chance below 2^-500.
  std::array<std::byte, 33> seen{};
  for (int draw = 0; draw < 64; ++draw) {
    const auto bytes = random_bytes<33>();
    for (std::size_t i = 0; i < seen.size(); ++i) seen[i] |= bytes[i];
  }
  for (const std::byte b : seen) EXPECT_NE(b, std::byte{0});
}

}  // namespace
}  // namespace uproar::crypto
