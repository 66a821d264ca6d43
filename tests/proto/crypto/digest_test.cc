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

TEST(Digest, HmacSha256MatchesThePublishedVectors) {  // RFC 4231, cases 2 and 6
  EXPECT_EQ(hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(as_bytes(std::string(131, '\xaa')),
                            as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digest, AreTheSameOnlyInEveryByte) {
  const Sha256Digest one = sha256(as_bytes("a"));
  EXPECT_TRUE(same_digest(one, sha256(as_bytes("a"))));
  for (std::size_t i = 0; i < one.size(); ++i) {
    Sha256Digest other = one;
    other[i] ^= std::byte{1};
    EXPECT_FALSE(same_digest(one, other)) << i;
  }
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
