#include "core/server/admin_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <limits>

#include "proto/base/parse_number.h"

namespace uproar::server {
namespace {

constexpr std::string_view kUnixScheme = "unix:";
constexpr std::size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

std::optional<AdminAddress> unix_address(std::string_view path) {
  const bool fits = path.size() <= kPathBytesMax && path.find('\0') == std::string_view::npos;
  if (!path.starts_with('/') || path.ends_with('/') || !fits) return std::nullopt;
  return AdminAddress{.kind = AdminAddress::Kind::kUnix, .path = std::string(path)};
}

}  // namespace

std::string AdminAddress::text() const {
  if (kind == Kind::kOff) return "off";
  if (kind == Kind::kUnix) return std::string(kUnixScheme) + path;
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool AdminAddress::is_local() const {
  if (kind != Kind::kTcp || host == "localhost" || host == "::1") return true;
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 &&
         ntohl(address.s_addr) >> 24U == IN_LOOPBACKNET;
}

std::optional<AdminAddress> parse_admin_address(std::string_view text) {
  if (text == "off") return AdminAddress{};
  if (text.starts_with(kUnixScheme)) return unix_address(text.substr(kUnixScheme.size()));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  if (!is_bracketed && host.find(':') != std::string_view::npos) return std::nullopt;
  return AdminAddress{.kind = AdminAddress::Kind::kTcp,
                      .host = host.empty() ? "0.0.0.0" : std::string(host),
                      .port = *port};
}

AdminAddress usual_admin_address(std::uint16_t listen_port) {
  const bool has_room = listen_port <= std::numeric_limits<std::uint16_t>::max() - kAdminPortAbove;
  const int port = has_room ? listen_port + kAdminPortAbove : listen_port - kAdminPortAbove;
  return {.kind = AdminAddress::Kind::kTcp,
          .host = "127.0.0.1",
          .port = listen_port == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(port)};
}

}  // namespace uproar::server
