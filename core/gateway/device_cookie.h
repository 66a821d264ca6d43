#pragma once

// The cookie by which a login knows a browser again. It names accounts whose right password was
// given in this browser, and is good for nothing but that: guesses from there are counted apart
// from everybody else's (login_limits.h). Whoever steals it still has to know the password. Signed
// with the key of the tokens, so that every node reads what another one has set.
//
//   uproar_device=1.<base64url of 8 bytes of device, 12 of each account and day, 32 of HMAC-SHA-256>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/auth/secret.h"
#include "proto/base/now.h"
#include "proto/http/headers.h"

namespace uproar::gateway {

// An account's name under the node's key: nobody can make one that meets another's.
using AccountTag = std::uint64_t;

struct KnownDevice {
  struct Login {
    AccountTag account = 0;
    std::uint32_t day = 0;  // since 1970, of the last one
  };
  std::uint64_t id = 0;       // 0: none was presented
  std::vector<Login> logins;  // the newest first

  [[nodiscard]] bool knows(AccountTag account) const;
};

class DeviceCookies {
 public:
  explicit DeviceCookies(auth::Secret key) : key_(std::move(key)) {}

  // `name`: as auth::normalize_name() gives it.
  [[nodiscard]] AccountTag tag(std::string_view name) const;
  // A cookie that is missing, altered or too old says nothing.
  [[nodiscard]] KnownDevice read(const http::Headers& headers, Now now) const;
  // A Set-Cookie value: `account` has logged in on `device`, which gets an id if it has none.
  [[nodiscard]] std::string write(KnownDevice device, AccountTag account, bool over_https,
                                  Now now) const;

 private:
  auth::Secret key_;
};

}  // namespace uproar::gateway
