#include "proto/auth/secret.h"

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/auth/token.h"

namespace uproar::auth {
namespace {

// The kernel's flags of the mapping that holds the address: "dd" is "not in a core dump".
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool is_it = false;
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  while (std::getline(maps, line)) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream range(line);
    if (range >> std::hex >> begin >> dash >> end && dash == '-')
      is_it = begin <= wanted && wanted < end;
    if (is_it && line.starts_with("VmFlags:")) return line.substr(8) + " ";
  }
  return "";
}

TEST(Secret, IsInNoCoreDump) {
  const Secret key(std::string(40, 'k'));
  EXPECT_EQ(key.text(), std::string(40, 'k'));
  EXPECT_NE(flags_of(key.text().data()).find(" dd "), std::string::npos)
      << flags_of(key.text().data());
  const std::string ordinary(4000, 'k');
  EXPECT_EQ(flags_of(ordinary.data()).find(" dd "), std::string::npos) << "the test sees nothing";
}

TEST(Secret, IsCopiedAndMoved) {
  const Secret key("one");
  Secret copy = key;
  EXPECT_EQ(copy.text(), "one");
  EXPECT_NE(copy.text().data(), key.text().data());
  const Secret moved = std::move(copy);
  EXPECT_EQ(moved.text(), "one");
  Secret other("two");
  other = moved;
  EXPECT_EQ(other.text(), "one");
  EXPECT_EQ(Secret().text(), "");
}

TEST(Secret, ForgettingOverwrites) {
  std::string text(64, 'k');
  const char* const bytes = text.data();
  forget(text);
  EXPECT_TRUE(text.empty());
  for (int i = 0; i < 64; ++i) EXPECT_EQ(bytes[i], '\0') << i;
}

// The library copies each key that it is given.
TEST(Secret, KeepsTheCopiesOfTheTokenLibraryToo) {
  const std::size_t before = secret_allocations_in_use();
  {
    const auto signer = TokenSigner::make(std::string(40, 's'));
    const auto verifier = TokenVerifier::make(std::string(40, 's'));
    ASSERT_TRUE(signer && verifier);
    EXPECT_EQ(secret_allocations_in_use(), before + 4) << "of each the key, and what describes it";
    const std::string token = signer->sign({.user = UserId(Uuid{.high = 1, .low = 1}),
                                            .sid = {},
                                            .name = {},
                                            .issued_at_s = 1000,
                                            .expires_at_s = 2000});
    EXPECT_TRUE(verifier->verify(token, {.monotonic_us = 0, .wall_us = 1'500'000'000}).ok());
    EXPECT_EQ(secret_allocations_in_use(), before + 4) << "tokens are none of it";
  }
  EXPECT_EQ(secret_allocations_in_use(), before);
}

// More than there is room for: keys work all the same.
TEST(Secret, MoreSignersThanShardsStillSign) {
  std::vector<std::optional<TokenSigner>> signers;
  for (int i = 0; i < 200; ++i) signers.push_back(TokenSigner::make(std::string(40, 's')));
  for (const auto& signer : signers) ASSERT_TRUE(signer);
  signers.clear();
  EXPECT_TRUE(TokenSigner::make(std::string(40, 's')));
}

}  // namespace
}  // namespace uproar::auth
