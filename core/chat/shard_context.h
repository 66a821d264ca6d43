#pragma once

// What the roles of one shard share: the ports, the time of this turn, timers, counters, and the way to speak to
// another role wherever it sits.

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "core/chat/chat_counters.h"
#include "core/chat/deadline_queue.h"
#include "core/chat/id_source.h"
#include "core/chat/limits.h"
#include "core/chat/ownership.h"
#include "core/chat/ports.h"
#include "core/chat/store_error.h"
#include "proto/base/check.h"
#include "proto/base/now.h"
#include "storage/directory.h"
#include "storage/message_log.h"

namespace uproar::chat {

// Hands a parcel to the role that it is for.
class ParcelSink {
 public:
  virtual void deliver(Parcel parcel) = 0;

 protected:
  ~ParcelSink() = default;
};

struct ShardContext {
  Outbox& outbox;
  Router& router;
  storage::MessageLog& log;
  storage::HistoryReader& history;
  storage::Directory& directory;
  IdSource& ids;
  NodeBus* const nodes;              // null: this node is alone
  PresenceExchange* const presence;  // null: who is connected at other nodes is not known
  const ChatLimits limits;
  const std::uint32_t self;
  const std::uint32_t shard_count;
  ParcelSink* here = nullptr;
  Now now;
  DeadlineQueue deadlines;
  ChatCounters counters;
  // At the owner of a topic: the other shards with a subscriber; with several nodes this one, too. No entry without a
  // bit; bounded by shards * kTopicsMax.
  absl::flat_hash_map<TopicId, std::uint64_t> interests;

  // To itself at once, as ports.h says: callers hold no iterators across it.
  void send(std::uint32_t shard, Parcel parcel) {
    if (shard == self) {
      here->deliver(std::move(parcel));
    } else {
      router.post(shard, std::move(parcel));
    }
  }
  template <class Id>
  [[nodiscard]] std::uint32_t owner(const Id& id) const {
    return owner_of(id, shard_count);
  }
  [[nodiscard]] std::uint64_t remote_shards(const TopicId& topic) const {
    if (shard_count == 1) return 0;
    const auto it = interests.find(topic);
    return it == interests.end() ? 0 : it->second & ~(std::uint64_t{1} << self);
  }
  // Somebody on this node hears it. With several nodes only: alone, hearers of this shard are not announced.
  [[nodiscard]] bool is_heard(const TopicId& topic) const { return interests.contains(topic); }
  void publish(const TopicId& topic, const ServerEvent& event, Delivery delivery, Seq seq,
               const Endpoint* except) {
    outbox.publish(topic, {.shards = remote_shards(topic), .nodes = nodes != nullptr, .seq = seq},
                   event, delivery, except);
  }

  // Nothing for other nodes: each speaks for itself.
  void publish_here(const TopicId& topic, const ServerEvent& event, Delivery delivery) {
    outbox.publish(topic, {.shards = remote_shards(topic), .nodes = false, .seq = 0}, event,
                   delivery, nullptr);
  }

  void refuse(const Actor& actor, const Error& error) {
    counters.refused.add();
    if (error.code == ErrorCode::kOverloaded) counters.overloaded.add();
    if (error.code == ErrorCode::kUnavailable) counters.unavailable.add();
    outbox.reply(actor.from, actor.request, ServerEvent(error));
  }
  void refuse(const Actor& actor, ErrorCode code, std::string_view detail = {}) {
    refuse(actor, Error{.code = code, .detail = detail, .retry_after_ms = retry_after_ms(code)});
  }
  void reply(const Actor& actor, const ServerEvent& event) {
    outbox.reply(actor.from, actor.request, event);
  }

  [[nodiscard]] std::uint32_t retry_after_ms(ErrorCode code) const {
    if (code == ErrorCode::kOverloaded) return kOverloadedRetryMs;
    if (code == ErrorCode::kUnavailable) return log.retry_after_ms();
    return 0;
  }
};

// Commands that need no answer get one only when they carry an id. A request always waits for one.
[[nodiscard]] inline bool wants_reply(const Actor& actor) {
  return actor.from.kind == Endpoint::Kind::kRequest || !actor.request.empty();
}

}  // namespace uproar::chat
