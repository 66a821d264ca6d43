#include "storage/redis/host_lookup.h"

#include <netdb.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

namespace uproar::storage::redis {
namespace {

LookedUp look_up(const RedisAddress& address, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0)
    return Err{SystemError{.operation = "look up host",
                           .subject = address.host,
                           .code = error == EAI_SYSTEM ? errno : 0,
                           .hint = std::string(gai_strerror(error)) +
                                   "; check the name in the URL of Redis and the resolver"}};
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_addrlen > sizeof(sockaddr_storage)) continue;
    SocketAddress& copy = addresses.emplace_back();
    std::memcpy(&copy.storage, one->ai_addr, one->ai_addrlen);
    copy.bytes = one->ai_addrlen;
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

LookedUp look_up_number(const RedisAddress& address) {
  return look_up(address, AI_NUMERICHOST);
}

void look_up_name(const RedisAddress& address, std::shared_ptr<ClientLink> link,
                  std::function<void(LookedUp)> done) {
  // Detached: getaddrinfo may take half a minute, and nobody who closes the link should wait for it.
  std::thread([address, link = std::move(link), done = std::move(done)]() mutable {
    LookedUp result = look_up(address, 0);
    link->post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }).detach();
}

}  // namespace uproar::storage::redis
