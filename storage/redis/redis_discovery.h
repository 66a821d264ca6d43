#pragma once

// Discovery over Redis, where there is no etcd. Keys of one slot, so that a cluster answers for all nodes at once:
//
//   {uproar:nodes}            set of node ids
//   {uproar:nodes}:<node>     the node's record, kept for key_ms() of the lease
//
// Both are told again by each beat: whoever misses a record for too long takes its id out of the set, perhaps while its
// node comes back. Everybody reads all of it each poll, and soon when somebody says on the bus's channel "nodes" that it
// changed. A record that is missing means a dead node only after kGracePolls: a server that was flushed or restarted has
// no records until the living have told them again. A record that cannot be read is a newer node's, and not missing.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/client_link.h"
#include "storage/discovery.h"
#include "storage/limits.h"
#include "storage/node_list.h"
#include "storage/reactor.h"
#include "storage/redis/redis_bus.h"

namespace uproar::storage::redis {

struct RedisDiscoveryOptions {
  std::uint32_t lease_ms = kNodeLeaseMs;  // 500 at least
  std::uint8_t poke_kind = 0;             // BusHeader::kind of what goes out on kNodesChannel
};

class RedisDiscovery final : public Discovery {
 public:
  // On the connections of `bus`. All outlive it.
  RedisDiscovery(Reactor& reactor, DiscoveryListener& listener, RedisBus& bus,
                 RedisDiscoveryOptions options);
  ~RedisDiscovery() override;
  RedisDiscovery(const RedisDiscovery&) = delete;
  RedisDiscovery& operator=(const RedisDiscovery&) = delete;

  void announce(const NodeRecord& record) override;
  void withdraw(std::function<void()> done) override;
  [[nodiscard]] const std::vector<NodeRecord>& nodes() const override { return list_.nodes(); }
  [[nodiscard]] DiscoveryState state() const override { return state_; }
  [[nodiscard]] const SystemError& last_error() const override { return last_error_; }
  [[nodiscard]] const DiscoveryCounters& counters() const override { return counters_; }

  // Something changed, or may have: reads the list now, or kPokeIntervalMs after the last time that somebody said so.
  void poke();

 private:
  // Nobody's record is there longer than key_ms after its node's last sign of life, and nobody is given up before
  // grace_ms of looking in vain: together with a poll that is the lease.
  [[nodiscard]] std::uint32_t key_ms() const { return options_.lease_ms * 6 / 10; }
  [[nodiscard]] std::uint32_t beat_ms() const { return options_.lease_ms * 15 / 100; }
  [[nodiscard]] std::uint32_t poll_ms() const { return options_.lease_ms / 10; }
  static constexpr std::uint64_t kGracePolls = 3;  // 30 % of the lease: two beats
  static constexpr int kBeatsALease =
      3;  // unanswered ones in a row: nobody can see our record any more

  void beat();
  void tell(bool only_if_there);
  void told(bool only_if_there, NodeState state, const Result<RedisReply, RedisLost>& answer);
  void end_withdrawal();
  void lose_lease();
  void poll();
  void read_list(bool is_poll);
  void ids_read(const Result<RedisReply, RedisLost>& answer);
  void records_read(const std::vector<NodeId>& ids, const Result<RedisReply, RedisLost>& answer);
  void missing(const NodeId& id);
  void failed(std::string_view what, std::string_view why);
  void set_state(DiscoveryState state);
  void tell_others();

  Reactor& reactor_;
  RedisBus& bus_;
  DiscoveryListener& listener_;
  const RedisDiscoveryOptions options_;
  const std::string set_key_;
  std::shared_ptr<ClientLink> self_;
  DiscoveryCounters counters_;
  NodeList list_;
  DiscoveryState state_ = DiscoveryState::kDown;
  SystemError last_error_;

  std::optional<NodeRecord> own_;
  bool is_registered_ = false;
  int silent_beats_ = 0;
  std::function<void()> withdrawn_;

  bool has_left_ = false;  // withdraw() was called
  bool is_reading_ = false;
  bool is_poked_ = false;  // once more when poke_timer_ fires
  std::uint64_t polls_ =
      0;  // the clock of the grace: ticks every poll_ms(), whatever is being read
  std::uint64_t counts_from_ =
      0;  // of what the reading at hand misses: this poll, or the next if it is none
  std::map<NodeId, std::uint64_t>
      missed_since_;  // the first poll that counts, of ids without a record
  std::optional<Reactor::TimerId> beat_timer_;
  std::optional<Reactor::TimerId> poll_timer_;
  std::optional<Reactor::TimerId> poke_timer_;
  std::optional<Reactor::TimerId> withdraw_timer_;
};

}  // namespace uproar::storage::redis
