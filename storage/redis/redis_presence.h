#pragma once

// PresenceStore over Redis: a hash for each user, with a field for each node.
//
//   uproar:presence:<user>        node id -> "devices heard_us"     forgotten kPresenceKeptS after its last change
//   uproar:sentinel:<node>/<shard>                                  told again each beat; if it is missing, the server was
//                                                                   flushed or restarted and everything is put again;
//                                                                   likewise after any lost connection

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/client_link.h"
#include "storage/presence_store.h"
#include "storage/reactor.h"
#include "storage/redis/redis_bus.h"

namespace uproar::storage::redis {

struct RedisPresenceOptions {
  NodeId node;
  std::uint16_t shard = 0;
  std::uint8_t delta_kind = 0;  // BusHeader::kind of the hints
  // How often it looks after what it has put: a flushed server is filled again this much later.
  std::uint32_t beat_ms = 2000;
  std::uint32_t refresh_s = kPresenceRefreshS;
  // Whether a node is among the living; asked while reading. Empty: every node is.
  std::function<bool(const NodeId&)> is_live = {};
};

class RedisPresence final : public PresenceStore {
 public:
  // On the connections of `bus`, whose prefix its keys have. Both outlive it.
  RedisPresence(Reactor& reactor, RedisBus& bus, RedisPresenceOptions options);
  ~RedisPresence() override;
  RedisPresence(const RedisPresence&) = delete;
  RedisPresence& operator=(const RedisPresence&) = delete;

  void put(const UserId& user, const PresenceDelta& presence) override;
  void read(std::span<const UserId> users, Found found) override;
  [[nodiscard]] bool is_certain() const override;
  [[nodiscard]] const PresenceCounters& counters() const override { return counters_; }

 private:
  struct Row {
    PresenceDelta presence;
    bool is_waiting = false;  // in waiting_ or unreached_
    bool is_news = false;     // the watchers have not been told: they are when it is written
    std::uint64_t version = 0;
  };
  struct Reading;

  [[nodiscard]] std::string key_of(const UserId& user) const;
  void wait(const UserId& user, Row& row);
  void flush_later();
  void flush();
  [[nodiscard]] SendResult write(const UserId& user, Row& row);
  void written(const UserId& user, std::uint64_t version,
               const Result<RedisReply, RedisLost>& answer);
  void refused();
  void beat();
  void sentinel_seen(bool is_there);
  void sentinel_answered(const Result<RedisReply, RedisLost>& answer);
  void put_all_again();
  void refresh_some();
  void read_one(const std::shared_ptr<Reading>& reading, std::size_t index);
  void one_read(Reading& reading, std::size_t index, const Result<RedisReply, RedisLost>& answer);

  Reactor& reactor_;
  RedisBus& bus_;
  const RedisPresenceOptions options_;
  const std::string node_text_;
  const std::string sentinel_key_;
  const std::string sentinel_ms_;
  std::shared_ptr<ClientLink> self_;
  absl::flat_hash_map<UserId, Row> rows_;
  std::vector<UserId> waiting_;    // rows that differ from what the service was told
  std::vector<UserId> unreached_;  // likewise, and nobody takes them now: the next beat tries again
  std::deque<UserId> refreshes_;   // this round's
  std::size_t refreshes_a_beat_ = 0;
  std::size_t unanswered_ = 0;
  bool was_refused_ = false;  // since the last beat, by the server's own words
  bool is_sentinel_there_ = false;
  std::uint64_t disconnects_then_ =
      0;  // when the sentinel was seen: a server that was lost since may have lost all
  bool was_sentinel_there_ = false;  // ever
  bool flush_posted_ = false;
  Reactor::TimerId timer_;
  PresenceCounters counters_;
};

}  // namespace uproar::storage::redis
