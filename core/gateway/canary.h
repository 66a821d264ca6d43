#pragma once

// Proof of life: a request that travels through this shard's own ring, receive buffers, HTTP stage and handler, and
// through the store's writer and reader. /readyz believes nothing less: never connected but deaf.
//
// A flight costs a commit, and anybody may ask. So whoever asks while one is under way shares it, and a verdict is given
// again for kFreshMs, whether good or bad: a shard makes at most one such commit a second, however often it is asked.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "proto/base/now.h"
#include "storage/store.h"

namespace uproar::gateway {

class Canary {
 public:
  static constexpr std::uint32_t kDeadlineMs = 2000;
  static constexpr std::uint32_t kFreshMs = 1000;

  struct Verdict {
    bool receive_path = false;
    bool store = false;
  };
  using Done = std::function<void(Verdict)>;

  // Takes over one end of a socket pair as if it had been accepted; closes it when it refuses (net::ShardNet::admit).
  using Admit = std::function<void(int fd)>;

  // All outlive the canary; `now` is the turn's time.
  Canary(Admit admit, storage::StoreClient& store, storage::Reactor& reactor, const Now& now);
  ~Canary();

  // `done` runs once: at once with a verdict that is still fresh, else later, at most kDeadlineMs from now.
  void ask(Done done);

 private:
  void fly();
  void fly_receive_path();
  void heard(short events);
  void fly_store(std::uint64_t flight);
  void store_leg_landed(bool answered);
  void finish_if_landed();
  void finish();

  const Admit admit_;
  storage::StoreClient& store_;
  storage::Reactor& reactor_;
  const Now& now_;
  std::vector<Done> askers_;
  Verdict verdict_;  // of the flight under way, or of the last one
  std::int64_t fresh_until_us_ = 0;
  std::uint64_t flight_ = 0;
  unsigned store_legs_left_ = 0;
  unsigned receive_legs_left_ = 0;
  int fd_ = -1;
  storage::Reactor::WatchId watch_ = 0;
  storage::Reactor::TimerId deadline_ = 0;
};

}  // namespace uproar::gateway
