#pragma once

// Proof of life: a request that travels through this shard's own ring, receive buffers, HTTP stage and handler, and
// through the store's writer and reader. /readyz believes nothing less: never connected but deaf.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/net/shard_net.h"
#include "storage/store.h"

namespace uproar::gateway {

class Canary {
 public:
  struct Verdict {
    bool receive_path = false;
    bool store = false;
  };
  using Done = std::function<void(Verdict)>;

  // All outlive the canary.
  Canary(net::ShardNet& net, storage::StoreClient& store, storage::Reactor& reactor);
  ~Canary();

  // `done` runs once, later, at most kDeadlineMs from now. Askers that come while one is flying share its verdict.
  void fly(Done done);

 private:
  static constexpr std::uint32_t kDeadlineMs = 2000;

  void fly_receive_path();
  void heard(short events);
  void fly_store(std::uint64_t flight);
  void store_leg_landed(bool answered);
  void finish_if_landed();
  void finish();

  net::ShardNet& net_;
  storage::StoreClient& store_;
  storage::Reactor& reactor_;
  std::vector<Done> askers_;
  Verdict verdict_;
  std::uint64_t flight_ = 0;
  unsigned store_legs_left_ = 0;
  unsigned receive_legs_left_ = 0;
  int fd_ = -1;
  storage::Reactor::WatchId watch_ = 0;
  storage::Reactor::TimerId deadline_ = 0;
};

}  // namespace uproar::gateway
