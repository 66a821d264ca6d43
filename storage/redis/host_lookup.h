#pragma once

// Names to addresses without holding the reactor up: getaddrinfo blocks, so a name (not a number) is looked up on a
// thread that all connections of the process share.

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <vector>

#include "proto/base/result.h"
#include "storage/client_link.h"
#include "storage/redis/redis_url.h"

namespace uproar::storage::redis {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  [[nodiscard]] const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
using LookedUp = Result<std::vector<SocketAddress>, SystemError>;

// At once. An error for anything but a number.
[[nodiscard]] LookedUp look_up_number(const RedisAddress& address);
// `done` runs later on the link's reactor, unless the link is closed by then.
void look_up_name(const RedisAddress& address, std::shared_ptr<ClientLink> link,
                  std::function<void(LookedUp)> done);

}  // namespace uproar::storage::redis
