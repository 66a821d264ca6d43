#include "core/gateway/device_cookie.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/gateway/limits.h"
#include "proto/base/bytes.h"
#include "proto/crypto/base64.h"
#include "proto/crypto/digest.h"
#include "proto/crypto/random.h"
#include "storage/big_endian.h"

namespace uproar::gateway {
namespace {

constexpr std::string_view kName = "uproar_device";
constexpr std::string_view kVersion = "1.";
constexpr std::size_t kDeviceBytes = 8;
constexpr std::size_t kLoginBytes = 8 + 4;
constexpr std::size_t kSignatureBytes = sizeof(crypto::Sha256Digest);
constexpr std::size_t kBytesMax = kDeviceBytes + kDeviceAccountsMax * kLoginBytes + kSignatureBytes;
constexpr std::size_t kCharsMax = kVersion.size() + (kBytesMax * 8 + 5) / 6;
constexpr std::int64_t kDayUs = 24LL * 3600 * 1'000'000;

// Nothing else that is signed with the key looks like what these two sign.
crypto::Sha256Digest sign(std::string_view key, std::string_view said) {
  return crypto::hmac_sha256(as_bytes(key), as_bytes("uproar device 1" + std::string(said)));
}

std::uint32_t day_of(Now now) {
  return static_cast<std::uint32_t>(std::max<std::int64_t>(now.wall_us, 0) / kDayUs);
}

template <class Number>
void append(std::string& out, Number number) {
  std::byte bytes[sizeof(Number)];
  storage::write_big_endian(number, bytes);
  out.append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

// RFC 6265 §4.2.1: "name=value; name=value".
std::optional<std::string_view> cookie(const http::Headers& headers) {
  std::string_view rest = headers.find("Cookie").value_or("");
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (pair.starts_with(kName) && pair.substr(kName.size()).starts_with('='))
      return pair.substr(kName.size() + 1);
  }
  return std::nullopt;
}

}  // namespace

bool KnownDevice::knows(AccountTag account) const {
  return std::any_of(logins.begin(), logins.end(),
                     [account](const Login& login) { return login.account == account; });
}

AccountTag DeviceCookies::tag(std::string_view name) const {
  const auto digest =
      crypto::hmac_sha256(as_bytes(key_.text()), as_bytes("uproar account 1" + std::string(name)));
  return storage::read_big_endian<AccountTag>(digest.data());
}

KnownDevice DeviceCookies::read(const http::Headers& headers, Now now) const {
  const auto value = cookie(headers);
  if (!value || value->size() > kCharsMax || !value->starts_with(kVersion)) return {};
  const auto bytes = crypto::base64url_decode(value->substr(kVersion.size()));
  if (!bytes || bytes->size() < kDeviceBytes + kSignatureBytes) return {};
  const std::size_t said_bytes = bytes->size() - kSignatureBytes;
  if ((said_bytes - kDeviceBytes) % kLoginBytes != 0) return {};
  const std::string_view said = std::string_view(*bytes).substr(0, said_bytes);
  crypto::Sha256Digest signature;
  std::memcpy(signature.data(), bytes->data() + said_bytes, kSignatureBytes);
  if (!crypto::same_digest(signature, sign(key_.text(), said))) return {};
  const std::byte* at = as_bytes(said).data();
  KnownDevice device;
  device.id = storage::read_big_endian<std::uint64_t>(at);
  at += kDeviceBytes;
  for (std::size_t left = said_bytes - kDeviceBytes; left > 0; left -= kLoginBytes) {
    const KnownDevice::Login login{.account = storage::read_big_endian<AccountTag>(at),
                                   .day = storage::read_big_endian<std::uint32_t>(at + 8)};
    if (login.day + kDeviceKnownDays >= day_of(now)) device.logins.push_back(login);
    at += kLoginBytes;
  }
  return device;
}

std::string DeviceCookies::write(KnownDevice device, AccountTag account, bool over_https,
                                 Now now) const {
  while (device.id == 0) device.id = crypto::random_u64();
  std::erase_if(device.logins,
                [account](const KnownDevice::Login& login) { return login.account == account; });
  device.logins.insert(device.logins.begin(), {.account = account, .day = day_of(now)});
  if (device.logins.size() > kDeviceAccountsMax) device.logins.resize(kDeviceAccountsMax);
  std::string said;
  append(said, device.id);
  for (const KnownDevice::Login& login : device.logins) {
    append(said, login.account);
    append(said, login.day);
  }
  const auto signature = sign(key_.text(), said);
  said.append(reinterpret_cast<const char*>(signature.data()), signature.size());
  constexpr std::int64_t kMaxAgeS = std::int64_t{kDeviceKnownDays} * 24 * 3600;
  std::string out(kName);
  out += '=';
  out += kVersion;
  out += crypto::base64url_encode(as_bytes(said));
  // Only the routes that give tokens look at it; a script, or a page of another site, never does.
  out += "; Path=/api/v1; Max-Age=" + std::to_string(kMaxAgeS) + "; HttpOnly; SameSite=Strict";
  if (over_https) out += "; Secure";
  return out;
}

}  // namespace uproar::gateway
