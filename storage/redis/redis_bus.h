#pragma once

// The bus of one shard over Redis: PUBLISH and SUBSCRIBE on one server, SPUBLISH and SSUBSCRIBE on a cluster
// (docs/decisions/0024-bus-over-redis.md). One connection that publishes and one that listens; of a cluster that is a
// pair for each server that has slots, and one more that asks for the slot map.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "storage/bus.h"
#include "storage/reactor.h"
#include "storage/redis/redis_commands.h"
#include "storage/redis/redis_subscriber.h"
#include "storage/redis/redis_url.h"

namespace uproar::storage::redis {

struct RedisBusOptions {
  RedisUrl url;
  // Of every channel and key, so that a server may have keys of others, too. It is not told apart by URL: two
  // installations on one server would hear each other, in whatever database.
  std::string prefix = "uproar:";
  NodeId node;
  std::uint16_t shard = 0;
  std::uint32_t heartbeat_ms = kHeartbeatMs;
  std::uint32_t backoff_ms_min = kBackoffMsMin;
  std::uint32_t backoff_ms_max = kBackoffMsMax;
  std::int64_t (*monotonic_us)() = nullptr;  // for BusCounters::outage_us alone
};

class RedisBus final : public Bus,
                       private RedisCommands::Listener,
                       private RedisSubscriber::Listener {
 public:
  // Begins to connect. `reactor` and `listener` outlive it; no callback comes before the reactor's next turn.
  // REQUIRES: options.node is set.
  RedisBus(Reactor& reactor, BusListener& listener, const RedisBusOptions& options);
  ~RedisBus() override;

  void subscribe(std::string_view channel) override;
  void unsubscribe(std::string_view channel) override;
  PublishResult publish(std::string_view channel, std::uint8_t kind, std::uint64_t seq,
                        ByteView payload) override;
  void flush() override;
  [[nodiscard]] BusState state() const override { return state_; }
  [[nodiscard]] bool is_settled() const override;
  [[nodiscard]] const SystemError& last_error() const override;
  [[nodiscard]] const BusCounters& counters() const override { return counters_; }

  // The same connection serves what else this shard keeps in Redis.
  [[nodiscard]] RedisCommands& commands() { return commands_; }
  // Whether the server answers its writes with errors (no memory, no right): then the bus is uncertain as well, so that
  // whoever relies on what is kept there knows it. last_error() has the server's words.
  void set_writes_refused(bool are_refused);
  [[nodiscard]] const RedisSubscriber& subscriber() const { return subscriber_; }
  [[nodiscard]] const std::string& prefix() const { return options_.prefix; }

 private:
  void on_redis_changed() override { look_again(); }
  void on_subscriber_changed() override { look_again(); }
  void on_channel_message(std::string_view name, std::string_view bytes) override;
  void on_channel_live(std::string_view name, BusGap gap) override;

  [[nodiscard]] std::string_view name_of(std::string_view channel);
  [[nodiscard]] std::string_view channel_of(std::string_view name) const;
  void published(std::string_view name, const Result<RedisReply, RedisLost>& answer);
  void doubt(std::string_view name);
  void report_doubts();
  void retry_later();
  // State and routes may have changed. In a turn of its own, so that no callback comes under a caller's feet.
  void look_again();
  void look();
  void sync_counters();

  Reactor& reactor_;
  BusListener& listener_;
  const RedisBusOptions options_;
  BusCounters counters_;
  std::shared_ptr<ClientLink> self_;
  RedisCommands commands_;
  RedisSubscriber subscriber_;
  BusState state_ = BusState::kDown;
  bool look_posted_ = false;
  std::string name_;                           // of the channel at hand: prefix and channel
  std::string message_;                        // header and payload at hand
  absl::flat_hash_set<std::string> in_doubt_;  // names whose last publish may not have arrived
  bool all_in_doubt_ = false;
  // Servers that were connected when all was reported last; nullopt: all were.
  std::optional<std::size_t> told_servers_;
  std::uint64_t demotions_ = 0;
  bool rejecting_ = false;  // the last answer to a publish was an error
  bool writes_refused_ = false;
  std::optional<Reactor::TimerId> retry_timer_;
};

}  // namespace uproar::storage::redis
