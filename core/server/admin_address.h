#pragma once

// Where --admin-listen has operators answered: a TCP address, a Unix socket, or nowhere.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace uproar::server {

struct AdminAddress {
  enum class Kind : std::uint8_t { kOff, kTcp, kUnix };
  Kind kind = Kind::kOff;
  std::string host = {};   // of kTcp, without brackets
  std::uint16_t port = 0;  // of kTcp; 0: the kernel chooses
  std::string path = {};   // of kUnix

  // "127.0.0.1:9080", "[::1]:9080", "unix:/run/uproar/admin.sock", "off": as it may be said again.
  [[nodiscard]] std::string text() const;
  // Only this machine reaches it: a loopback address or a Unix socket.
  [[nodiscard]] bool is_local() const;

  friend bool operator==(const AdminAddress&, const AdminAddress&) = default;
};

// nullopt: this is none of the forms, or the path of a Unix socket is not absolute or too long for the kernel.
[[nodiscard]] std::optional<AdminAddress> parse_admin_address(std::string_view text);

// When nothing is said: this machine's own address, at the port that is kAdminPortAbove above the public one; so that
// nodes which share a machine by their ports share it here, too. A public port that the kernel chooses: as that one.
[[nodiscard]] AdminAddress usual_admin_address(std::uint16_t listen_port);

inline constexpr std::uint16_t kAdminPortAbove = 1'000;

}  // namespace uproar::server
