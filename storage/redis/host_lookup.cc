#include "storage/redis/host_lookup.h"

#include <netdb.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
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
                           .subject = address.host + ": " + gai_strerror(error),
                           .code = error == EAI_SYSTEM ? errno : 0,
                           .hint = "correct the host in --redis, or look at the resolver "
                                   "(/etc/resolv.conf)"}};
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

// What everybody in the process wants to have looked up, one name after another, on a thread that is there while anything
// is wanted. A name that several wait for is looked up once.
class Lookups {
 public:
  struct Waiter {
    std::shared_ptr<ClientLink> link;
    std::function<void(LookedUp)> done;
  };

  void want(const RedisAddress& address, Waiter waiter) {
    const std::lock_guard lock(mutex_);
    const auto same = std::find_if(wanted_.begin(), wanted_.end(),
                                   [&](const Wanted& x) { return x.address == address; });
    if (same != wanted_.end()) return same->waiters.push_back(std::move(waiter));
    wanted_.push_back({.address = address, .waiters = {}});
    wanted_.back().waiters.push_back(std::move(waiter));
    if (is_running_) return;
    const int error = start();
    is_running_ = error == 0;
    if (!is_running_)
      finish(Err{SystemError{.operation = "start the thread that looks up host names",
                             .subject = address.host,
                             .code = error,
                             .hint = "raise the limit of threads, or give the address of Redis as "
                                     "a number"}});
  }

 private:
  struct Wanted {
    RedisAddress address;
    std::vector<Waiter> waiters;
  };

  // Detached: getaddrinfo may take half a minute, and nobody who ends should wait for it.
  int start() {
    pthread_attr_t attributes;
    if (const int error = pthread_attr_init(&attributes)) return error;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread{};
    const int error = pthread_create(
        &thread, &attributes,
        [](void* lookups) -> void* {
          static_cast<Lookups*>(lookups)->run();
          return nullptr;
        },
        this);
    (void)pthread_attr_destroy(&attributes);
    return error;
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (!wanted_.empty()) {
      const RedisAddress address = wanted_.front().address;
      lock.unlock();
      LookedUp result = look_up(address, 0);
      lock.lock();
      finish(result);
    }
    is_running_ = false;
  }
  // The first of the queue. Under the lock.
  void finish(const LookedUp& result) {
    for (Waiter& waiter : wanted_.front().waiters)
      waiter.link->post([done = std::move(waiter.done), result] { done(result); });
    wanted_.pop_front();
  }

  std::mutex mutex_;
  std::deque<Wanted> wanted_;  // the first one is being looked up
  bool is_running_ = false;
};

}  // namespace

LookedUp look_up_number(const RedisAddress& address) {
  return look_up(address, AI_NUMERICHOST);
}

void look_up_name(const RedisAddress& address, std::shared_ptr<ClientLink> link,
                  std::function<void(LookedUp)> done) {
  static auto* const all = new Lookups;  // never ends: its thread may outlive whoever would end it
  all->want(address, {.link = std::move(link), .done = std::move(done)});
}

}  // namespace uproar::storage::redis
