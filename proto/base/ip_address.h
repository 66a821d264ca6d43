#pragma once

// IP addresses and networks as values. An address is 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so that it
// has one form however it came.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/base/result.h"

namespace uproar {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  // "203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7". Without port, brackets or zone.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
  // The four bytes of an IPv4 address.
  [[nodiscard]] static IpAddress v4(std::span<const std::uint8_t, 4> bytes);

  [[nodiscard]] bool is_v4() const;
  // 0.0.0.0 or ::, which is nobody.
  [[nodiscard]] bool is_unspecified() const;
  // "203.0.113.7" or "2001:db8::1".
  [[nodiscard]] std::string text() const;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
};
static_assert(sizeof(IpAddress) == 16);

enum class IpNetworkError : std::uint8_t {
  kNotANetwork,       // neither an address nor ADDRESS/BITS
  kBitsBeyondPrefix,  // 10.0.0.5/8: either 10.0.0.5 or 10.0.0.0/8 is meant
  kEverybody,         // 0.0.0.0/0 or ::/0
};

class IpNetwork {
 public:
  // "10.0.0.0/8", "2001:db8::/32"; a bare address is a network of one.
  [[nodiscard]] static Result<IpNetwork, IpNetworkError> parse(std::string_view text);

  // IPv4 addresses are in networks of IPv4 alone.
  [[nodiscard]] bool contains(const IpAddress& address) const;

 private:
  IpAddress first_;
  std::uint8_t prefix_bits_ = 128;  // of the 128; 10.0.0.0/8 has 104
};

// In one of them.
[[nodiscard]] bool is_in(std::span<const IpNetwork> networks, const IpAddress& address);

}  // namespace uproar
