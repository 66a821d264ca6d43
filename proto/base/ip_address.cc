#include "proto/base/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "proto/base/parse_number.h"

namespace uproar {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::uint8_t kBits = 128;
constexpr std::uint8_t kV4PrefixBits = 96;

// Whether the two agree in their first `bits`.
bool same_prefix(const IpAddress& a, const IpAddress& b, std::uint8_t bits) {
  const std::size_t whole = bits / 8U;
  if (std::memcmp(a.bytes.data(), b.bytes.data(), whole) != 0) return false;
  const unsigned rest = bits % 8U;
  if (rest == 0) return true;
  return ((a.bytes[whole] ^ b.bytes[whole]) >> (8U - rest)) == 0;
}

bool is_zero_beyond(const IpAddress& address, std::uint8_t bits) {
  for (unsigned bit = bits; bit < kBits; ++bit) {
    if ((address.bytes[bit / 8U] & (0x80U >> (bit % 8U))) != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton wants a NUL at the end, and what holds one itself is no address.
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), copy.begin());
  IpAddress out;
  if (text.find(':') != std::string_view::npos) {
    if (inet_pton(AF_INET6, copy.data(), out.bytes.data()) != 1) return std::nullopt;
    return out;
  }
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, copy.data(), four.data()) != 1) return std::nullopt;
  return v4(four);
}

IpAddress IpAddress::v4(std::span<const std::uint8_t, 4> bytes) {
  IpAddress out;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin() + kV4Prefix.size());
  return out;
}

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

bool IpAddress::is_unspecified() const {
  const std::size_t from = is_v4() ? kV4Prefix.size() : 0;
  return std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(),
                     [](std::uint8_t byte) { return byte == 0; });
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + kV4Prefix.size(), out.data(), out.size());
  } else {
    inet_ntop(AF_INET6, bytes.data(), out.data(), out.size());
  }
  return out.data();
}

Result<IpNetwork, IpNetworkError> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const auto first = IpAddress::parse(host);
  if (!first) return Err{IpNetworkError::kNotANetwork};
  IpNetwork out;
  out.first_ = *first;
  if (slash == std::string_view::npos) return out;
  const bool is_written_as_v4 = host.find(':') == std::string_view::npos;
  const std::uint8_t prefix_bits = is_written_as_v4 ? kV4PrefixBits : 0;
  const auto bits = parse_number<std::uint8_t>(text.substr(slash + 1));
  if (!bits || *bits > kBits - prefix_bits) return Err{IpNetworkError::kNotANetwork};
  out.prefix_bits_ = static_cast<std::uint8_t>(prefix_bits + *bits);
  if (!is_zero_beyond(out.first_, out.prefix_bits_)) return Err{IpNetworkError::kBitsBeyondPrefix};
  if (out.prefix_bits_ <= (out.first_.is_v4() ? kV4PrefixBits : 0))
    return Err{IpNetworkError::kEverybody};
  return out;
}

bool IpNetwork::contains(const IpAddress& address) const {
  return first_.is_v4() == address.is_v4() && same_prefix(first_, address, prefix_bits_);
}

bool is_in(std::span<const IpNetwork> networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

}  // namespace uproar
