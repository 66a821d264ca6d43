#include "proto/auth/refresh_token.h"

#include <string>

#include <gtest/gtest.h>

namespace uproar::auth {
namespace {

TEST(RefreshToken, IsFoundAgainByItsDigest) {
  const RefreshToken token = make_refresh_token();
  EXPECT_EQ(token.text.size(), 43U);
  EXPECT_EQ(refresh_token_digest(token.text), token.digest);
}

TEST(RefreshToken, IsNeverTheSameTwice) {
  EXPECT_NE(make_refresh_token().text, make_refresh_token().text);
}

TEST(RefreshToken, DigestsOnlyWhatCouldBeOurs) {
  const std::string good = make_refresh_token().text;
  std::string unused_bits =
      good;  // the last character carries 4 bits; another one with the same 4 is another text
  unused_bits.back() = 'B';
  for (const std::string& text : {std::string(), good.substr(1), good + "A", good.substr(1) + "=",
                                  good.substr(1) + "+", std::string(43, ' '), unused_bits}) {
    EXPECT_FALSE(refresh_token_digest(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace uproar::auth
