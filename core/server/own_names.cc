#include "core/server/own_names.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <ifaddrs.h>

#include "core/server/limits.h"

namespace uproar::server {
namespace {

struct FreeInterfaces {
  void operator()(ifaddrs* list) const { freeifaddrs(list); }
};

struct OwnAddress {
  std::string text;
  bool is_far;  // others can reach it
};

// nullopt: it is none of the internet's. `is_far` is left to the caller as far as the interface
// decides it.
std::optional<OwnAddress> address_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof(v4));
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return OwnAddress{.text = text.data(), .is_far = true};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof(v6));
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return OwnAddress{.text = "[" + std::string(text.data()) + "]",
                      .is_far = IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) == 0};
  }
  return std::nullopt;
}

std::string in_url(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

std::vector<std::string> own_addresses() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return {};
  const std::unique_ptr<ifaddrs, FreeInterfaces> list(raw);
  std::vector<OwnAddress> found;
  for (const ifaddrs* entry = raw; entry != nullptr; entry = entry->ifa_next) {
    if (found.size() == kOwnAddressesMax) break;
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    auto address = address_of(entry->ifa_addr);
    if (!address) continue;
    if ((entry->ifa_flags & IFF_LOOPBACK) != 0) address->is_far = false;
    found.push_back(std::move(*address));
  }
  std::stable_partition(found.begin(), found.end(),
                        [](const OwnAddress& address) { return address.is_far; });
  std::vector<std::string> out;
  for (OwnAddress& address : found) out.push_back(std::move(address.text));
  return out;
}

std::string bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  const auto address = address_of(reinterpret_cast<const sockaddr*>(&storage));
  return address ? address->text : std::string();
}

gateway::LoginAddress login_address(const Config& config, const std::string& bound,
                                    std::uint16_t port, const std::vector<std::string>& own) {
  std::string usual = in_url(config.listen_host);
  std::vector<std::string> names = {usual, bound};
  if (bound == "0.0.0.0" || bound == "[::]") {
    names.insert(names.end(), own.begin(), own.end());
    // Whoever listens on all of IPv4 is not reached by IPv6.
    const auto reached = std::find_if(own.begin(), own.end(), [&](const std::string& address) {
      return bound == "[::]" || !address.starts_with('[');
    });
    usual = reached == own.end() ? "localhost" : *reached;
  }
  names.insert(names.end(), config.server_names.begin(), config.server_names.end());
  for (const std::string& origin : config.allow_origins) {
    if (const auto scheme = origin.find("://"); scheme != std::string::npos)
      names.push_back(origin.substr(scheme + 3));  // "*" lets every page in, and names no server
  }
  return {names, "ws://" + usual + ":" + std::to_string(port)};
}

}  // namespace uproar::server
