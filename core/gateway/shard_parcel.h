#pragma once

// What crosses from shard to shard: parcels of the domain, and encoded bytes for connections that live elsewhere.
// One FIFO link per ordered pair of shards carries them all, so that a page and the live event after it cannot
// change places (core/chat/ports.h).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/chat/endpoint.h"
#include "core/chat/parcel.h"
#include "core/chat/token_proof.h"
#include "core/net/handler.h"
#include "storage/bus.h"
#include "storage/node_record.h"

namespace uproar::gateway {

// To all subscribers of the topic on the receiving shard.
struct PublishFrames {
  net::TopicId topic;
  net::EncodedMessage message;
  net::DeliveryClass delivery{};
  net::ConnectionId except;  // a connection of the receiving shard, or none
};

// To one WebSocket connection of the receiving shard.
struct SendFrames {
  net::ConnectionId to;
  net::EncodedMessage message;
  net::DeliveryClass delivery{};
};

// The answer to a REST request that the receiving shard holds.
struct AnswerRequest {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  int status = 200;
  std::uint32_t retry_after_ms = 0;
  std::string body;
  std::string set_cookie = {};  // empty: none
};

struct CloseConnection {
  net::ConnectionId connection;
  chat::Error error;
};

// A session was revoked: every shard refuses its tokens from now on, and tells the user's owner to
// close its connections. Each shard, since only its own word comes after its own openings there.
struct SessionRevoked {
  SessionId session;
  UserId user;
  std::int64_t at_us = 0;
};

// A single-use ticket, presented to another shard than the one that issued it; and the verdict.
struct TicketPresented {
  net::ConnectionId connection;
  std::uint16_t shard = 0;  // of the connection
  std::string ticket;
};
struct TicketJudged {
  net::ConnectionId connection;
  bool valid = false;
  chat::TokenProof holder;
};

// /readyz travels through every shard and comes back.
struct CanaryAsked {
  std::uint16_t from_shard = 0;
  std::uint64_t round = 0;
};
struct CanaryAnswered {
  std::uint16_t shard = 0;
  std::uint64_t round = 0;
  bool receive_path = false;
  bool store = false;
  std::optional<storage::BusState> bus;  // nullopt: this node is alone
};

// The nodes of the cluster, this one among them, whenever that changes.
struct NodesSeen {
  std::vector<storage::NodeRecord> nodes;
  bool may_have_missed = false;  // one is dead that may have committed something and told nobody
  bool is_current = true;        // false: for a lease nobody could say who lives
};

using ShardParcel = std::variant<chat::Parcel, PublishFrames, SendFrames, AnswerRequest,
                                 CloseConnection, SessionRevoked, TicketPresented, TicketJudged,
                                 CanaryAsked, CanaryAnswered, NodesSeen>;

// Owned by core/server, over storage::Bus: where the other nodes hear.
class NodePublisher {
 public:
  virtual ~NodePublisher() = default;
  // `payload`: an event as clients get it; borrowed for the call. `seq`: its place in its conversation, 0: ephemeral.
  virtual void publish(const chat::TopicId& topic, Seq seq, ByteView payload) = 0;
  // A session has ended here: the store has it already.
  virtual void publish_revoked(const SessionRevoked& revoked) = 0;
};

// Owned by core/server: the mailboxes.
class ShardLink {
 public:
  virtual ~ShardLink() = default;
  [[nodiscard]] virtual std::uint32_t self() const = 0;
  [[nodiscard]] virtual std::uint32_t shard_count() const = 0;
  // To this shard itself, too: such parcels wait until the call that posts them has returned. Not so what the domain
  // says to itself, parcels and bytes alike: that takes effect at once (core/chat/ports.h).
  virtual void post(std::uint32_t to_shard, ShardParcel parcel) = 0;
  // Another shard is so far behind that no new work may be taken on: commands are refused as
  // overloaded. What was accepted before still goes through; it is bounded by the tables it is in.
  [[nodiscard]] virtual bool congested() const = 0;
};

}  // namespace uproar::gateway
