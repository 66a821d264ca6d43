#include "proto/auth/password_hash.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

#include <sodium.h>

#include "proto/auth/limits.h"
#include "proto/base/check.h"

namespace uproar::auth {
namespace {

// libsodium picks its implementations here; calling it again, also from another thread, does nothing.
void initialise() {
  static const bool ready = sodium_init() >= 0;
  UPROAR_CHECK(ready);
}

constexpr std::string_view kPrefix = "$argon2id$v=19$m=";
constexpr std::uint64_t kGenerosity = 4;  // a hash may ask for this many times our own cost

static_assert(kArgonMemoryBytes >= crypto_pwhash_MEMLIMIT_MIN &&
              kArgonPasses >= crypto_pwhash_OPSLIMIT_MIN);

bool take_number(std::string_view& text, std::uint64_t& out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
  if (result.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
  return true;
}

// libsodium does as the hash says: one that asks for a gibibyte gets it.
bool affordable(std::string_view hash) {
  if (!hash.starts_with(kPrefix) || hash.size() >= crypto_pwhash_STRBYTES) return false;
  hash.remove_prefix(kPrefix.size());
  std::uint64_t kibibytes = 0;
  std::uint64_t passes = 0;
  if (!take_number(hash, kibibytes) || !hash.starts_with(",t=")) return false;
  hash.remove_prefix(3);
  if (!take_number(hash, passes)) return false;
  return kibibytes <= kGenerosity * kArgonMemoryBytes / 1024 &&
         passes <= kGenerosity * kArgonPasses;
}

}  // namespace

std::optional<std::string> hash_password(std::string_view password) {
  initialise();
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (crypto_pwhash_str_alg(text.data(), password.data(), password.size(), kArgonPasses,
                            kArgonMemoryBytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return std::nullopt;
  }
  return std::string(text.data());
}

bool verify_password(std::string_view password, const std::string& hash) {
  initialise();
  if (!affordable(hash)) return false;
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

void verify_nothing(std::string_view password) {
  initialise();
  std::array<unsigned char, 32> key{};
  constexpr std::array<unsigned char, crypto_pwhash_SALTBYTES> kSalt{};
  const int failed =
      crypto_pwhash(key.data(), key.size(), password.data(), password.size(), kSalt.data(),
                    kArgonPasses, kArgonMemoryBytes, crypto_pwhash_ALG_ARGON2ID13);
  static_cast<void>(failed);  // no memory: a real verification would have failed in the same way
  sodium_memzero(key.data(), key.size());
}

}  // namespace uproar::auth
