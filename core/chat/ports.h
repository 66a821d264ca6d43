#pragma once

// All that the domain can do to the world besides storage. Pure seams: the tests hold them, the simulator fakes them,
// core/gateway and core/server implement them.
//
// Order: what one shard sends to another through Outbox and Router, in whatever mixture, arrives in the order of the
// calls; to itself it takes effect at once. Exact resume rests on that (docs/tour.md).

#include <cstdint>
#include <span>
#include <vector>

#include "core/chat/parcel.h"
#include "proto/base/bytes.h"
#include "proto/chat/server_event.h"
#include "storage/presence_store.h"

namespace uproar::chat {

// What a slow reader loses first (docs/contract.md, D7). The same order as net::DeliveryClass.
enum class Delivery : std::uint8_t { kEphemeral, kPresence, kReceipt, kMessage };

enum class PendingFrames : std::uint8_t {
  kDeliver,  // what was published before the unsubscribe still arrives
  kDrop      // it is forgotten: a sync is about to page it
};

// Who hears an event.
struct Reach {
  bool here = true;          // subscribers on this shard
  std::uint64_t shards = 0;  // and on these other shards of the node: a bitmap
  bool nodes = false;        // and those of the other nodes: over the bus, which may lose it
  Seq seq = 0;               // its place in its conversation, for the bus; 0: it has none
};

class Outbox {
 public:
  virtual ~Outbox() = default;

  // The answer to a request, on whatever shard the endpoint lives; an ended endpoint is ignored.
  virtual void reply(const Endpoint& to, const RequestId& id, const ServerEvent& event) = 0;
  // An event for one session.
  virtual void tell(const Endpoint& to, const ServerEvent& event, Delivery delivery) = 0;
  // An event for all subscribers of `topic` within `reach`. Encoded once, for the bus too. `except`, when set, names one
  // connection of this node that does not hear it.
  virtual void publish(const TopicId& topic, const Reach& reach, const ServerEvent& event,
                       Delivery delivery, const Endpoint* except) = 0;
  // A kMessage for `sessions` alone, in its place between what is published. REQUIRES: of this shard, and subscribed.
  virtual void publish_to(std::span<const Endpoint> sessions, const TopicId& topic,
                          const ServerEvent& event) = 0;
  // What another node has published, as it came: to the subscribers on this shard and on those of `shards`.
  virtual void relay(const TopicId& topic, std::uint64_t shards, ByteView payload,
                     Delivery delivery) = 0;

  // For sessions of this shard only. True when it is the topic's first subscriber here / when it was the last.
  virtual bool subscribe(const Endpoint& session, const TopicId& topic) = 0;
  virtual bool unsubscribe(const Endpoint& session, const TopicId& topic,
                           PendingFrames pending) = 0;
  // Those of this shard that are subscribed, in no order. A copy: to unsubscribe one is no harm.
  [[nodiscard]] virtual std::vector<Endpoint> subscribers(const TopicId& topic) const = 0;
  // Durable events of topics collect (bounded) instead of going out, until release(). Once more: what has collected so far is
  // forgotten.
  virtual void hold(const Endpoint& session) = 0;
  virtual void release(const Endpoint& session) = 0;
  // Of what has collected, this topic's events are forgotten, also when the session has unsubscribed.
  virtual void forget_held(const Endpoint& session, const TopicId& topic) = 0;
  // Backpressure: what the session says from now on waits, in order, and its connection is not
  // read, until resume().
  virtual void pause(const Endpoint& session) = 0;
  virtual void resume(const Endpoint& session) = 0;
  // Bytes queued for the session: bulk answers (sync) wait while it is above a limit; ChatShard::on_drained() says when.
  [[nodiscard]] virtual std::uint64_t egress_bytes(const Endpoint& session) const = 0;
  // Sends the error event, then closes with the code of the table.
  virtual void close(const Endpoint& session, const Error& error) = 0;
};

class Router {
 public:
  virtual ~Router() = default;
  [[nodiscard]] virtual std::uint32_t self() const = 0;
  [[nodiscard]] virtual std::uint32_t shard_count() const = 0;
  // Never drops: what finds a full mailbox is held back, in order; above a bound no new command is taken on.
  virtual void post(std::uint32_t to_shard, Parcel parcel) = 0;
};

// What nodes say to each other besides events. A hint, as all of the bus: the store says what is so.
struct NodeHint {
  enum class Kind : std::uint8_t {
    kCommitted,  // to a conversation's topic: `seq` is committed; 0: something is that was not heard, perhaps a mark
    kJoined,    // to a user's topic: a member of `conversation` since `seq`
    kAudience,  // to a user's topic: some kJoined may have been lost
    kRevoked    // to a user's topic: `session` has ended
  };
  Kind kind{};
  Seq seq = 0;
  ConversationId conversation;
  SessionId session;
};

// The other nodes. What they say comes back as calls of ChatShard: on_node_event() and the like.
class NodeBus {
 public:
  virtual ~NodeBus() = default;
  // Each at most once in turn. After listen(), ChatShard::on_listening() says when it works.
  virtual void listen(const TopicId& topic) = 0;
  virtual void unlisten(const TopicId& topic) = 0;
  virtual void hint(const TopicId& topic, const NodeHint& hint) = 0;
};

// Who is connected at which node: storage::PresenceStore, and a channel on the bus for each user. What others say comes
// back as calls of ChatShard: on_presence() and its neighbours.
class PresenceExchange {
 public:
  virtual ~PresenceExchange() = default;
  // What this node knows of the user from now on: devices 0 when none is left. `heard_us` grows with every call of a shard.
  // The others are told; kept, and said again by itself when the store has lost it.
  virtual void put(UserId user, const storage::PresenceDelta& presence) = 0;
  // What the other nodes that live say. `found` runs in a later turn, once.
  virtual void read(std::vector<UserId> users, storage::PresenceStore::Found found) = 0;
  // Each at most once in turn. After watch(), ChatShard::on_presence_listening() says when it works.
  virtual void watch(UserId user) = 0;
  virtual void unwatch(UserId user) = 0;
};

}  // namespace uproar::chat
