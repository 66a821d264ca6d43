#include "proto/auth/password_hash.h"

#include <string>

#include <gtest/gtest.h>

namespace uproar::auth {
namespace {

TEST(PasswordHash, MatchesItsPasswordAlone) {
  const auto hash = hash_password("correct horse");
  ASSERT_TRUE(hash.has_value());
  EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=19456,t=3,p=1$")) << *hash;
  EXPECT_TRUE(verify_password("correct horse", *hash));
  EXPECT_FALSE(verify_password("correct horsf", *hash));
  EXPECT_FALSE(verify_password("correct horse ", *hash));
  EXPECT_FALSE(verify_password("", *hash));
  verify_nothing("correct horse");  // only has to come back
}

TEST(PasswordHash, IsSalted) {
  EXPECT_NE(*hash_password("the same"), *hash_password("the same"));
}

TEST(PasswordHash, NeverMatchesWhatIsNoHash) {
  for (const char* hash :
       {"", "x", "$argon2id$", "$argon2id$v=19$m=19456,t=3,p=1$", "$2b$10$abcdefghijklmnopqrstuu",
        "$argon2i$v=19$m=19456,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$AAAA"}) {
    EXPECT_FALSE(verify_password("x", hash)) << hash;
  }
  EXPECT_FALSE(verify_password("x", std::string(10'000, '$')));
}

TEST(PasswordHash,
     RefusesHashesThatAskForTooMuch) {  // a gibibyte, or a thousand passes: not made here
  for (const char* cost :
       {"m=1048576,t=3", "m=19456,t=1000", "m=99999999999999999999,t=3", "m=19456,t=-1"}) {
    const std::string hash =
        "$argon2id$v=19$" + std::string(cost) +
        ",p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    EXPECT_FALSE(verify_password("x", hash)) << hash;
  }
}

}  // namespace
}  // namespace uproar::auth
