#include "core/gateway/login_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "proto/base/parse_number.h"
#include "proto/http/chars.h"
#include "proto/http/request_line.h"

namespace uproar::gateway {
namespace {

// `text` with its brackets.
std::optional<std::string> normal_ipv6(std::string_view text) {
  const std::string bare(text.substr(1, text.size() - 2));
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> shortest{};
  if (inet_pton(AF_INET6, bare.c_str(), &address) != 1) return std::nullopt;
  if (inet_ntop(AF_INET6, &address, shortest.data(), shortest.size()) == nullptr)
    return std::nullopt;
  return "[" + std::string(shortest.data()) + "]";
}

}  // namespace

std::optional<std::string> normal_host(std::string_view authority) {
  if (!http::is_host_and_port(authority)) return std::nullopt;  // also refuses user:password@
  const bool is_ipv6 = authority.front() == '[';
  const std::size_t host_end = is_ipv6 ? authority.find(']') + 1 : authority.find(':');
  std::string_view host = authority.substr(0, host_end);
  if (host.size() < authority.size()) {
    const auto port = parse_number<std::uint16_t>(authority.substr(host.size() + 1));
    if (!port || *port == 0) return std::nullopt;
  }
  if (is_ipv6) return normal_ipv6(host);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty()) return std::nullopt;
  std::string out(host);
  std::transform(out.begin(), out.end(), out.begin(), http::to_lower);
  return out;
}

LoginAddress::LoginAddress(const std::vector<std::string>& names, std::string usual_url)
    : hosts_{"localhost", "127.0.0.1", "[::1]"}, usual_url_(std::move(usual_url)) {
  for (const std::string& name : names) {
    if (auto host = normal_host(name)) hosts_.push_back(std::move(*host));
  }
  std::sort(hosts_.begin(), hosts_.end());
}

std::optional<std::string> LoginAddress::url_at(std::string_view authority) const {
  const auto host = normal_host(authority);
  if (!host || !std::binary_search(hosts_.begin(), hosts_.end(), *host)) return std::nullopt;
  return "ws://" + std::string(authority);
}

}  // namespace uproar::gateway
