#include "proto/auth/names.h"

#include <string>

#include <gtest/gtest.h>

#include "proto/auth/limits.h"

namespace uproar::auth {
namespace {

TEST(Names, FoldsCase) {
  EXPECT_EQ(normalize_name("Ada"), "ada");
  EXPECT_EQ(normalize_name("ADA.Lovelace-1815_x"), "ada.lovelace-1815_x");
}

TEST(Names, AcceptsTheShortestAndTheLongest) {
  EXPECT_TRUE(normalize_name("abc").has_value());
  EXPECT_TRUE(normalize_name("007").has_value());
  EXPECT_TRUE(normalize_name(std::string(kNameBytesMax, 'x')).has_value());
}

TEST(Names, RefusesEverythingElse) {
  const std::string bad[] = {"",      "a",     "ab",      std::string(kNameBytesMax + 1, 'x'),
                             ".abc",  "abc.",  "a..b",    "a._b",
                             "a b c", "ada\n", " ada",    "ada@home",
                             "аda",   "adå",   "ad\xC3",  "a/b",
                             "---",   "a%62c", "ada\x7F", std::string("ad\0a", 4)};
  for (const std::string& name : bad) EXPECT_FALSE(normalize_name(name).has_value()) << name;
}

TEST(Passwords, AreJudgedByBytesAndBeingText) {
  EXPECT_TRUE(password_acceptable("12345678"));
  EXPECT_TRUE(password_acceptable("correct horse battery staple"));
  EXPECT_TRUE(password_acceptable("пароль"));
  EXPECT_TRUE(password_acceptable("🔑🔑"));
  EXPECT_TRUE(password_acceptable(std::string(kPasswordBytesMax, 'x')));
  EXPECT_FALSE(password_acceptable("1234567"));
  EXPECT_FALSE(password_acceptable(std::string(kPasswordBytesMax + 1, 'x')));
  EXPECT_FALSE(password_acceptable("12345678\n"));
  EXPECT_FALSE(password_acceptable(std::string("1234567\0", 8)));
  EXPECT_FALSE(password_acceptable("1234567\x7F"));
  EXPECT_FALSE(password_acceptable("1234567\xFF"));
  EXPECT_FALSE(password_acceptable("12345678\xED\xA0\x80"));  // half a surrogate pair
  EXPECT_FALSE(password_acceptable("12345678\xC0\xAF"));      // overlong
  EXPECT_FALSE(password_acceptable("12345678\xF4\x90\x80\x80"));
}

TEST(DisplayName, KeepsTextAndDropsWhatHides) {
  EXPECT_EQ(display_name("Ada Lövelace 👩‍💻"), "Ada Lövelace 👩‍💻");
  EXPECT_EQ(display_name("a\nb\tc\x7F\xC2\x85"
                         "d"),
            "abcd");
  EXPECT_EQ(display_name("a\xE2\x80\xAE"
                         "b\xE2\x81\xA6"
                         "c"),
            "abc");  // right-to-left override, isolate
  EXPECT_EQ(display_name(""), "");
  EXPECT_EQ(display_name("\n\n"), "");
  EXPECT_EQ(display_name("bad\xFF"), "");
}

TEST(DisplayName, IsCutAtACharacter) {
  EXPECT_EQ(display_name(std::string(100, 'x')), std::string(64, 'x'));
  EXPECT_EQ(display_name(std::string(63, 'x').append("ö")), std::string(63, 'x'));
}

}  // namespace
}  // namespace uproar::auth
