#pragma once

// By which hosts this node is known, and what a login is told that asked for it by another
// (gateway/login_address.h).

#include <cstdint>
#include <string>
#include <vector>

#include "core/gateway/login_address.h"
#include "core/server/config.h"

namespace uproar::server {

// The addresses of this machine's interfaces, at most kOwnAddressesMax, as a URL has them
// ("192.168.1.5", "[2001:db8::5]"): in the system's order, those that only the same machine or the
// same wire understands (loopback, link-local) last.
[[nodiscard]] std::vector<std::string> own_addresses();

// The address that a socket is bound to, in the same form; empty on failure.
[[nodiscard]] std::string bound_address(int fd);

// `bound` and `port` are what is listened on. A node that listens on all addresses has those of
// `own` for names, and the first of them for whoever asked by another name; any other node the host
// of --listen.
[[nodiscard]] gateway::LoginAddress login_address(const Config& config, const std::string& bound,
                                                  std::uint16_t port,
                                                  const std::vector<std::string>& own);

}  // namespace uproar::server
