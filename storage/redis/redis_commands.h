#pragma once

// Commands of one shard to whichever server has to answer them, gathered per turn into one write to each. One server,
// or a cluster: then it keeps the slot map, follows MOVED and ASK, and has one connection to each server it needs.
//
// The seeds' connection tells which of the two it is. To a single server it carries the commands, too; of a cluster it
// asks for the first slot map. Later ones come from the servers that have slots, in turn: a seed may have left the cluster.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/reactor.h"
#include "storage/redis/limits.h"
#include "storage/redis/redis_link.h"
#include "storage/redis/redis_url.h"
#include "storage/redis/slot_map.h"

namespace uproar::storage::redis {

enum class SendResult : std::uint8_t {
  kQueued,  // done() will be called, once
  kFull,    // kBusOutgoingBytesMax wait for answers; done() will not be called
  kDown     // no connection to the server that has the key; done() will not be called
};

class RedisCommands final : private RedisLink::Owner {
 public:
  enum class Mode : std::uint8_t { kUnknown, kSingle, kCluster };
  // Callbacks may send, and may not destroy.
  class Listener {
   public:
    virtual ~Listener() = default;
    // Servers came or went, slots moved, or a server is suspected: look at mode(), server_for() and can_reach() again.
    virtual void on_redis_changed() = 0;
  };
  struct Counts {
    std::uint64_t redirects = 0;
    std::uint64_t disconnects = 0;
    std::uint64_t demotions =
        0;  // times that the single server had become a replica: since its last heartbeat it may
            // have taken publishes that nobody heard
  };

  // All outlive it but `url`.
  RedisCommands(Reactor& reactor, Listener& listener, const RedisUrl& url,
                RedisLinkOptions options);
  ~RedisCommands() override;

  void start();
  // `key` decides where it goes. Copies the arguments.
  SendResult send(std::string_view key, std::span<const std::string_view> arguments,
                  RedisDone done);
  SendResult send(std::string_view key, std::initializer_list<std::string_view> arguments,
                  RedisDone done) {
    return send(key, std::span(arguments.begin(), arguments.size()), std::move(done));
  }
  // Writes what was gathered. By itself that happens in the reactor's next turn.
  void flush();

  [[nodiscard]] Mode mode() const { return mode_; }
  // Who has `key` now; nullopt: nobody is known to. The server need not be connected.
  [[nodiscard]] std::optional<RedisAddress> server_for(std::string_view key) const;
  // Whether send() would find a connection.
  [[nodiscard]] bool can_reach(std::string_view key);
  // The single server, or those of the cluster that have slots.
  [[nodiscard]] std::vector<RedisAddress> servers() const;
  // Changes whenever server_for() or servers() may answer otherwise than before.
  [[nodiscard]] std::uint64_t map_version() const { return map_version_; }
  // Every server that is needed is connected and answers; some is connected.
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] bool is_partly_up() const;
  // Those of servers() that are connected.
  [[nodiscard]] std::size_t servers_up() const;
  // Somebody found a slot elsewhere than the map says.
  void learn(const Redirect& redirect);
  // The map may be out of date: asks for it, at most every kSlotMapIntervalMs.
  void refresh_slots();

  [[nodiscard]] std::size_t outgoing_bytes() const { return outgoing_bytes_; }
  [[nodiscard]] const SystemError& last_error() const { return last_error_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t writes() const;

 private:
  void on_link_up(RedisLink& link) override;
  void on_link_down(RedisLink& link, bool was_up) override;
  void on_link_lost(RedisLink& link, RedisCommand command, RedisLost lost) override;
  void on_link_suspect(RedisLink& link) override;
  void on_link_reply(RedisLink& link, RedisReply reply, RedisCommand command) override;

  void answer(RedisCommand& command, const Result<RedisReply, RedisLost>& result);
  void follow(const Redirect& redirect, RedisCommand command);
  void ask_for_slots();
  [[nodiscard]] RedisLink* next_to_ask();
  void slots_answered(const RedisAddress& from, const Result<RedisReply, RedisLost>& result);
  void open_links();
  [[nodiscard]] RedisLink* find_link(std::string_view key);
  RedisLink& link_to(const RedisAddress& server);
  void flush_later();

  Reactor& reactor_;
  Listener& listener_;
  const RedisLinkOptions options_;
  std::shared_ptr<ClientLink> self_;
  RedisLink seed_;
  Mode mode_ = Mode::kUnknown;
  SlotMap slots_;
  std::map<std::string, std::unique_ptr<RedisLink>> links_;  // of a cluster, by address
  std::vector<std::unique_ptr<RedisLink>> leaving_;          // until no call of theirs is under way
  bool slots_wanted_ = false;                                // once more when the timer fires
  std::size_t asked_ = 0;  // times that somebody was asked for the slots
  std::optional<Reactor::TimerId> slots_timer_;
  bool flush_posted_ = false;
  std::size_t outgoing_bytes_ = 0;
  std::uint64_t writes_of_closed_ = 0;
  std::uint64_t map_version_ = 0;
  SystemError last_error_;
  Counts counts_;
};

}  // namespace uproar::storage::redis
