#pragma once

// The domain of one shard. READ FIRST.
//
// Commands, commit outcomes, parcels and time go in; calls on Outbox, Router and storage come out (ports.h). Nothing
// else reaches it: no clock, no I/O, no randomness of its own. It plays three roles at once, each in its own files:
//
//   session       the shard that holds a connection: who is it, what does it hear, how fast may it talk, what has it
//                 missed (session_role, puller)
//   conversation  owner_of(conversation): serialises it: may they? stage, and once it is committed answer and publish
//                 (conversation_role, its commits and its attaches)
//   user          owner_of(user): their devices and presence (user_role)
//
// Roles speak by parcels only, also when they sit on the same shard, so that one shard and many behave alike.
//
// Threads: everything, storage callbacks included, on the shard's own thread. Calls never nest: Outbox, Router and
// storage do not call back in from inside a call (storage callbacks run in a later turn).
// Lifetime: the ports outlive the shard. The shard outlives every storage callback it asked for: stop the reactor first.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "core/chat/chat_counters.h"
#include "core/chat/endpoint.h"
#include "core/chat/id_source.h"
#include "core/chat/limits.h"
#include "core/chat/ports.h"
#include "core/chat/token_proof.h"
#include "proto/base/now.h"
#include "storage/directory.h"
#include "storage/history.h"
#include "storage/message_log.h"

namespace uproar::chat {

struct ChatPorts {
  Outbox& outbox;
  Router& router;
  storage::MessageLog& log;
  storage::HistoryReader& history;
  storage::Directory& directory;
  IdSource& ids;
  NodeBus* nodes = nullptr;  // null: this node is alone
  PresenceExchange* presence =
      nullptr;  // with `nodes`. Null: who is connected elsewhere is not known
};

class ChatShard final : public storage::CommitListener {
 public:
  // `node` is what session.ready names.
  ChatShard(ChatPorts ports, ChatLimits limits, std::string node);
  ~ChatShard() override;
  ChatShard(const ChatShard&) = delete;
  ChatShard& operator=(const ChatShard&) = delete;

  // Says what a session.refresh proves. Outlives the shard.
  // REQUIRES: once, before the first command.
  void set_token_judge(TokenJudge& tokens);

  // An authenticated connection of this shard begins: Endpoint::kSession with this shard's number. session.ready
  // follows when everything committed from then on will be heard; or Outbox::close() with too_many_connections or
  // overloaded. `resume_announced`: the client said that a sync follows, live traffic is held for it for up to 10 s.
  // Commands may be applied before session.ready; they wait (bounded). `proof`: its session is not
  // nil. It ends after its token, with token_expired, unless it brings another (session.refresh).
  void open_session(const Endpoint& session, const TokenProof& proof, bool resume_announced,
                    const Now& now);
  // Exactly once for every open_session(), also after Outbox::close(). `clean`: a goodbye (presence ends at once).
  // The gateway's subscriptions of the connection are gone by then or go with it; none is unsubscribed one by one.
  void close_session(const Endpoint& session, bool clean, const Now& now);
  // Any inbound frame or ping: a heartbeat. Cheap.
  void on_heartbeat(const Endpoint& session, const Now& now);
  // The connection's egress fell below its low-water mark: a paused sync goes on.
  void on_drained(const Endpoint& session, const Now& now);

  // A decoded command from a session of this shard, or from a request (Endpoint::kRequest: no connection; every
  // command is then answered, whether or not it has an id; sync and unread.fetch answer with several history.page and
  // end with sync.done). Answers go to `command.actor.from`, now or later. `payload_bytes` feeds the byte rate.
  void apply(Command command, const Now& now, std::uint32_t payload_bytes = 0);

  // What the gateway could not make a command of: charged like one, then answered with `error`.
  void refuse(const Endpoint& session, const RequestId& request, const Error& error, const Now& now,
              std::uint32_t payload_bytes);
  // A request that the gateway serves from the store itself, charged like a command. False: too
  // fast, and `actor` has been told so.
  [[nodiscard]] bool admit_request(const Actor& actor, const Now& now);
  void on_parcel(Parcel parcel, const Now& now);
  void on_committed(std::span<const storage::Outcome> outcomes) override;

  // Closes the live connections of a revoked session, wherever they are, with token_revoked (4102).
  void revoke_session(UserId user, SessionId session);
  // The same on this node alone: another one has said so to each of its shards.
  void revoke_session_here(UserId user, SessionId session);
  // The same for connections of this shard alone, whoever they are of: looks at each.
  void end_revoked(const absl::flat_hash_set<SessionId>& sessions, const Now& now);

  // --- what the bus says (only with ChatPorts::nodes) ---
  // Another node's event, decoded, and as it came: `payload` dies on return. `seq` as it was published; an event that
  // could not be decoded is a hint kCommitted with its seq. What this node itself has published must not come back.
  void on_node_event(const TopicId& topic, Seq seq, ServerEvent event, ByteView payload,
                     const Now& now);
  void on_node_hint(const TopicId& topic, const NodeHint& hint, const Now& now);
  // From here on what is published to `topic` arrives; what was published before may have been missed. Due after each
  // listen(), and after every interruption of that topic.
  void on_listening(const TopicId& topic, const Now& now);
  // Anything may have been missed: a node is dead that may have committed and not published, or the bus does not know.
  void on_gap(const Now& now);
  // Something that this shard published to `topic` may not have arrived, and publishing works again.
  void on_publish_lost(const TopicId& topic, const Now& now);
  // A commit's end is unknown, and the other nodes are told once it is known. Looks at every conversation in memory.
  [[nodiscard]] bool owes_nodes() const;

  // --- what the other nodes say of who is connected there (only with ChatPorts::presence) ---
  void on_presence(const storage::NodeId& node, UserId user, const storage::PresenceDelta& said,
                   const Now& now);
  // As on_listening() and on_publish_lost(), of the user's channel.
  void on_presence_listening(UserId user, const Now& now);
  void on_presence_lost(UserId user, const Now& now);
  // Whether what is known of others can be trusted: false while the bus, the store or the list of nodes is away.
  void on_presence_certain(bool is_certain, const Now& now);
  // Every other node that lives: nobody is connected anywhere else. Until the first time all count as alive.
  void on_nodes(std::span<const storage::NodeId> others, const Now& now);

  // Runs what is due. Time of storage callbacks and outcomes is the latest that any call brought: call tick() (or
  // another call with `now`) at the start of each turn.
  void tick(const Now& now);
  // Monotonic microseconds; nothing is due before. nullopt: nothing at all.
  [[nodiscard]] std::optional<std::int64_t> next_deadline() const;

  [[nodiscard]] const ChatCounters& counters() const;
  [[nodiscard]] ChatSizes sizes() const;

 private:
  struct Roles;
  class Entry;
  std::unique_ptr<Roles> roles_;
};

}  // namespace uproar::chat
