#include "proto/http/proxy_header.h"

#include <algorithm>

#include "proto/base/parse_number.h"
#include "proto/http/chars.h"
#include "proto/http/limits.h"

namespace uproar::http {
namespace {

constexpr std::string_view kLineBegin = "PROXY ";
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedBytes = 16;  // signature, version and command, family, length

// Version 2, the low half of byte 12 and all of byte 13.
constexpr unsigned kLocal = 0x0;
constexpr unsigned kProxy = 0x1;
constexpr std::uint8_t kUnspecified = 0x00;
constexpr std::uint8_t kTcpOverV4 = 0x11;
constexpr std::uint8_t kTcpOverV6 = 0x21;
constexpr std::uint8_t kUnixStream = 0x31;
constexpr std::uint32_t kV4AddressBytes = 12;     // two addresses, two ports
constexpr std::uint32_t kV6AddressBytes = 36;     // likewise
constexpr std::uint32_t kUnixAddressBytes = 216;  // two paths

// An address that nobody has names nobody.
std::optional<IpAddress> named(const IpAddress& address) {
  return address.is_unspecified() ? std::nullopt : std::optional(address);
}

}  // namespace

ProxyHeaderParser::Step ProxyHeaderParser::step(ByteView input) {
  std::size_t used = 0;
  while (used < input.size()) {
    if (phase_ == Phase::kSkipping) {
      const std::size_t skipped = std::min<std::size_t>(rest_bytes_, input.size() - used);
      rest_bytes_ -= static_cast<std::uint32_t>(skipped);
      used += skipped;
      if (rest_bytes_ == 0) return {Status::kDone, used};
      continue;
    }
    head_[size_++] = static_cast<char>(byte_at(input, used++));
    if (const Status status = look(); status != Status::kNeedMore) return {status, used};
  }
  return {Status::kNeedMore, used};
}

// After each byte.
ProxyHeaderParser::Status ProxyHeaderParser::look() {
  switch (phase_) {
    case Phase::kSignature:
      return look_at_signature();
    case Phase::kLine:
      return look_at_line();
    case Phase::kFixed:
      return size_ == kFixedBytes ? look_at_fixed() : Status::kNeedMore;
    case Phase::kAddresses:
      if (--rest_bytes_, size_ < kFixedBytes + address_bytes_) return Status::kNeedMore;
      take_addresses();
      phase_ = Phase::kSkipping;
      return rest_bytes_ == 0 ? Status::kDone : Status::kNeedMore;
    case Phase::kSkipping:
      break;
  }
  return Status::kError;
}

ProxyHeaderParser::Status ProxyHeaderParser::look_at_signature() {
  if (kLineBegin.starts_with(head())) {
    if (size_ == kLineBegin.size()) phase_ = Phase::kLine;
    return Status::kNeedMore;
  }
  if (!kSignature.starts_with(head())) return Status::kError;
  if (size_ == kSignature.size()) phase_ = Phase::kFixed;
  return Status::kNeedMore;
}

ProxyHeaderParser::Status ProxyHeaderParser::look_at_line() {
  if (head().back() == '\n') {
    std::string_view line = head();
    if (!line.ends_with("\r\n")) return Status::kError;
    line.remove_suffix(2);
    return parse_line(line.substr(kLineBegin.size())) ? Status::kDone : Status::kError;
  }
  return size_ == head_.size() ? Status::kError : Status::kNeedMore;
}

// What stands between "PROXY " and CRLF.
bool ProxyHeaderParser::parse_line(std::string_view line) {
  if (line.find('\r') != std::string_view::npos) return false;
  const std::string_view family = split_off(line, ' ');
  if (family == "UNKNOWN") return true;  // the rest is to be ignored
  if (family != "TCP4" && family != "TCP6") return false;
  const auto source = IpAddress::parse(split_off(line, ' '));
  const auto destination = IpAddress::parse(split_off(line, ' '));
  const auto source_port = parse_number<std::uint16_t>(split_off(line, ' '));
  const auto destination_port = parse_number<std::uint16_t>(line);
  if (!source || !destination || !source_port || !destination_port) return false;
  if (family == "TCP4" && !(source->is_v4() && destination->is_v4())) return false;
  source_ = named(*source);
  return true;
}

ProxyHeaderParser::Status ProxyHeaderParser::look_at_fixed() {
  const unsigned version = byte(12) >> 4U;
  const unsigned command = byte(12) & 0xFU;
  const std::uint8_t family = byte(13);
  rest_bytes_ = static_cast<std::uint32_t>(byte(14)) << 8U | byte(15);
  if (version != 2 || command > kProxy || rest_bytes_ > kProxyHeaderRestBytesMax)
    return Status::kError;
  std::uint32_t needed = 0;
  if (command != kLocal) {
    switch (family) {
      case kUnspecified:
        break;
      case kTcpOverV4:
        needed = kV4AddressBytes;
        break;
      case kTcpOverV6:
        needed = kV6AddressBytes;
        break;
      case kUnixStream:
        needed = kUnixAddressBytes;
        break;
      default:  // datagrams, and what is not defined
        return Status::kError;
    }
  }
  if (rest_bytes_ < needed) return Status::kError;
  const bool has_addresses = needed != 0 && family != kUnixStream;
  if (has_addresses) address_bytes_ = static_cast<std::uint8_t>(needed);
  phase_ = has_addresses ? Phase::kAddresses : Phase::kSkipping;
  return rest_bytes_ == 0 ? Status::kDone : Status::kNeedMore;
}

// The source comes first.
void ProxyHeaderParser::take_addresses() {
  IpAddress address;
  if (address_bytes_ == kV4AddressBytes) {
    std::array<std::uint8_t, 4> four{};
    for (std::size_t i = 0; i < four.size(); ++i) four[i] = byte(kFixedBytes + i);
    address = IpAddress::v4(four);
  } else {
    for (std::size_t i = 0; i < address.bytes.size(); ++i) address.bytes[i] = byte(kFixedBytes + i);
  }
  source_ = named(address);
}

}  // namespace uproar::http
