#pragma once

// Incremental parser of the header with which a proxy begins a connection to say whose it is: the PROXY protocol,
// versions 1 and 2 (haproxy.org/download/1.8/doc/proxy-protocol.txt). Pure: no I/O, no clock, no allocation.
//
//   const auto step = parser.step(received);
//   kNeedMore  all of it was taken; the header goes on
//   kDone      source() says whose connection it is; what follows `consumed` is the client's
//   kError     these bytes begin with no such header
//
// A header is at most 107 bytes in version 1 and 16 + kProxyHeaderRestBytesMax in version 2; its TLVs are skipped, not kept.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/base/bytes.h"
#include "proto/base/ip_address.h"

namespace uproar::http {

class ProxyHeaderParser {
 public:
  enum class Status : std::uint8_t { kNeedMore, kDone, kError };
  struct Step {
    Status status;
    std::size_t consumed;  // bytes taken from the front of the input
  };

  // REQUIRES: the last step said kNeedMore.
  [[nodiscard]] Step step(ByteView input);

  // kDone: the client's address. nullopt: the connection is the proxy's own (LOCAL, as for a health check), or it
  // does not say whose it is (UNKNOWN, a Unix socket, 0.0.0.0).
  [[nodiscard]] const std::optional<IpAddress>& source() const { return source_; }

 private:
  enum class Phase : std::uint8_t { kSignature, kLine, kFixed, kAddresses, kSkipping };

  [[nodiscard]] Status look();
  [[nodiscard]] Status look_at_signature();
  [[nodiscard]] Status look_at_line();
  [[nodiscard]] Status look_at_fixed();
  void take_addresses();
  [[nodiscard]] bool parse_line(std::string_view line);
  [[nodiscard]] std::string_view head() const { return {head_.data(), size_}; }
  [[nodiscard]] std::uint8_t byte(std::size_t index) const {
    return static_cast<std::uint8_t>(head_[index]);
  }

  // Version 1 from "PROXY" to CRLF, whose longest is with UNKNOWN and two full IPv6 addresses; version 2 to the end of
  // its addresses: 16 + 36 bytes.
  std::array<char, 107> head_{};
  std::uint8_t size_ = 0;
  Phase phase_ = Phase::kSignature;
  std::uint8_t address_bytes_ = 0;  // version 2: of what follows the fixed part
  std::uint32_t rest_bytes_ = 0;    // version 2: that follow the fixed part, and are not taken yet
  std::optional<IpAddress> source_;
};

}  // namespace uproar::http
