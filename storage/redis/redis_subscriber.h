#pragma once

// The subscriptions of one shard: one connection to the single server, or one to each server of a cluster that has slots.
// Every channel that is wanted becomes live, and after any interruption becomes live again and says so.
//
//   subscribe() -> queued -> sent -> live        back to queued: connection lost, or the server gave the channel up
//                              unsubscribe() -> leaving -> gone

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proto/base/counters.h"
#include "storage/bus.h"
#include "storage/client_link.h"
#include "storage/reactor.h"
#include "storage/redis/redis_commands.h"
#include "storage/redis/redis_link.h"
#include "storage/redis/sent_subscriptions.h"

namespace uproar::storage::redis {

class RedisSubscriber {
 public:
  // Callbacks may subscribe and unsubscribe, and may not destroy.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_channel_message(std::string_view channel, std::string_view bytes) = 0;
    virtual void on_channel_live(std::string_view channel, BusGap gap) = 0;
    virtual void on_subscriber_changed() = 0;  // is_whole() or is_partly_up() may answer otherwise
  };

  // `servers` knows which server has which channel. All outlive it.
  RedisSubscriber(Reactor& reactor, Listener& listener, RedisCommands& servers,
                  const RedisLinkOptions& options, BusCounters& counters,
                  std::int64_t (*monotonic_us)());
  ~RedisSubscriber();
  RedisSubscriber(const RedisSubscriber&) = delete;
  RedisSubscriber& operator=(const RedisSubscriber&) = delete;

  void subscribe(std::string_view channel);
  void unsubscribe(std::string_view channel);
  void flush();
  // `servers` has changed.
  void servers_changed();

  // Connected everywhere, everybody answers, and no channel that was live is waiting to be so again.
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] bool is_partly_up() const;
  [[nodiscard]] const SystemError& last_error() const { return last_error_; }
  // Commands that wait to be sent, one for each channel they are about.
  [[nodiscard]] std::size_t queued() const;

 private:
  enum class Phase : std::uint8_t { kHomeless, kQueued, kSent, kLive, kLeaving };
  struct Server;
  struct Channel {
    Server* server = nullptr;  // nullptr: kHomeless
    Phase phase = Phase::kHomeless;
    BusGap gap = BusGap::kSubscribed;
    std::uint64_t serial =
        0;  // of the newest command about it; answers to older ones mean nothing any more
    std::int64_t interrupted_us = 0;  // when it was last live; for the counter alone
    int redirects = 0;                // since it was last live, or last waited
  };
  struct Intent {
    std::string channel;
    bool is_subscribe;
  };
  using Sent = SentSubscriptions::Command;
  struct Server final : RedisLink::Owner {
    explicit Server(RedisSubscriber& the_subscriber) : subscriber(the_subscriber) {}
    void on_link_up(RedisLink& link) override;
    void on_link_down(RedisLink& link, bool was_up) override;
    void on_link_lost(RedisLink& link, RedisCommand command, RedisLost lost) override;
    void on_link_suspect(RedisLink& link) override;
    void on_link_pinged(RedisLink& link) override;
    void on_link_reply(RedisLink& link, RedisReply reply, RedisCommand command) override;

    RedisSubscriber& subscriber;
    bool has_slots = true;     // false: it is leaving, and nobody listens to it
    std::deque<Intent> queue;  // while the link is up; before that, channels_ says what is wanted
    SentSubscriptions sent;
    std::unique_ptr<RedisLink> link;  // last, so that it goes first
  };

  // --- redis_subscriber_servers.cc ---
  void open_servers();
  void route_all();
  void leave_server(const std::string& name, Channel& channel);
  void lost(Server& server);

  // --- redis_subscriber.cc ---
  void place(const std::string& name, Channel& channel);
  void ask(Server& server, const std::string& name, bool is_subscribe);
  void ask_for_all(Server& server);
  void interrupt(Channel& channel, BusGap gap);
  void pump(Server& server);
  [[nodiscard]] bool take_next(Server& server, Sent& batch, std::size_t channels_max);
  void confirmed(Server& server, std::string_view name);
  void left(Server& server, std::string_view name);
  void refused(Server& server, const RedisValue& error);
  void heard(Server& server, const RedisValue& push);
  void forget(std::string_view name);
  void flush_later();
  void retry_later();

  Reactor& reactor_;
  Listener& listener_;
  RedisCommands& commands_;
  const RedisLinkOptions options_;
  BusCounters& counters_;
  std::int64_t (*const monotonic_us_)();
  std::shared_ptr<ClientLink> self_;

  absl::flat_hash_map<std::string, Channel> channels_;
  std::map<std::string, std::unique_ptr<Server>> servers_;  // by address
  std::vector<std::unique_ptr<Server>> leaving_;            // until no call of theirs is under way
  std::uint64_t map_version_ = 0;
  std::uint64_t demotions_ = 0;
  std::uint64_t last_serial_ = 0;
  std::size_t interrupted_ = 0;  // channels that were live and are waiting to be so again
  bool flush_posted_ = false;
  std::optional<Reactor::TimerId> retry_timer_;
  std::vector<std::string> refused_;  // wait for retry_timer_
  SystemError last_error_;
};

}  // namespace uproar::storage::redis
