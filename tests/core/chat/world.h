#pragma once

// The world around one or several ChatShards, held by the test: ports that record, a store that commits and answers when
// it is told to, FIFO links between shards, a bus between nodes, and connections with what they were sent. Shards are
// numbered through all nodes: those of a node stand together. Nothing happens by itself: a test
// (or a seeded scheduler) takes each step.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/chat/chat_shard.h"
#include "proto/chat/server_event_decoder.h"
#include "proto/chat/server_event_encoder.h"
#include "storage/memory/memory_model.h"
#include "tests/core/chat/fake_bus.h"
#include "tests/core/chat/fake_presence.h"
#include "tests/sim/oracle.h"

namespace uproar::chat::testing {

// A client's connection.
struct Connection {
  Endpoint endpoint;
  std::uint32_t shard = 0;  // counted through all nodes
  UserId user;
  SessionId session;
  bool is_held = false;
  bool is_closing = false;  // the domain closed it; close_session() is due
  bool is_open = true;
  std::optional<Error> closed_with;
  bool is_paused = false;  // by the domain: what is said waits in `unsaid`
  std::deque<std::pair<ClientEvent, RequestId>> unsaid;
  std::deque<Heard> wire;  // on the way
  std::vector<std::pair<TopicId, Heard>> held;
  std::vector<Heard> inbox;              // received
  std::uint64_t extra_egress_bytes = 0;  // as if so much were queued
};

// Wrong worlds, to prove that the oracle sees what a wrong domain would do.
enum class Plant : std::uint8_t {
  kNone,
  kAckBeforeCommit,  // outcomes come although the rows are lost
  kLosePublish,      // a remote publish is lost now and then
  kRepeatPublish,
  kOvertake,        // parcels overtake publishes between shards
  kKeepDropped,     // held frames that are to be forgotten are kept
  kSkipPage,        // a sync page is lost
  kForgetInterest,  // the owner's bitmap is ignored now and then
  kShiftCursor,     // an attach begins one too late
  kCutIsWhole,      // a page of changes that the limit cut says that it is the last one
  kForgetRead,      // a load forgets how far its members have read
  kLateLeaving,     // whoever left hears until the news of it has come
  kHideNotLive,     // nobody is told that there is no room for a conversation
  // Several nodes.
  kLoseSilently,       // the bus loses and says nothing
  kRepeatRelay,        // what another node published is heard twice
  kRelayAsItComes,     // what another node published is heard at once, in whatever order
  kIgnoreListening,    // nobody compares with the store when listening begins, or begins again
  kIgnoreGap,          // nobody compares with the store when a node has died
  kLoseRepair,         // the read that repairs finds nothing
  kForgetLostPublish,  // what could not be published is never mentioned again
  kForgetHints,        // nobody is told that another node has added them
  kEarlyPublish,       // other nodes hear what is not committed
  kDeadStayOnline,     // nobody gives up the users of a dead node
  kLosePresence,       // what is said of who is connected is lost now and then, in silence
  kOldPresenceWins,    // what is read counts as newer than what was heard since
  kOneLeftAllLeft      // who leaves one node is taken for offline, whatever other nodes say
};

class World {
 public:
  struct Options {
    std::uint32_t shards = 1;  // of each node
    std::uint64_t seed = 1;
    ChatLimits limits;
    bool is_manual = false;  // links, reads and wires move only by step functions
    Plant plant = Plant::kNone;
    std::string_view choices{};  // random() takes from here first; borrowed
    std::uint32_t nodes = 1;
    bool is_list_late = false;  // nobody says which nodes live before say_gap()
  };

  struct Shard;  // the ports of one (world_shard.h)

  explicit World(Options options);
  ~World();

  // --- people ---
  UserId user(const std::string& name);  // made in the store
  Connection& connect(UserId user, std::uint32_t shard = 0,
                      bool resume = false);  // and settles unless manual
  void disconnect(Connection& connection, bool clean = true);
  void say(Connection& connection, ClientEvent event, RequestId id = "1");
  // A request without a connection; its answers are in requests[slot].
  std::uint32_t request(UserId user, ClientEvent event, std::uint32_t shard = 0);

  // --- time and movement ---
  void set_manual(bool is_manual) { options_.is_manual = is_manual; }
  void advance_ms(std::int64_t ms);  // and ticks every shard
  void settle();                     // links, reads, closings: until nothing moves. No commits.
  void commit(std::uint32_t shard_or_all = ~0U);  // everything staged, and settles
  void fail_commits();                            // nothing is stored, rows are kUnavailable
  void lose_answers();                            // all is stored, rows are kUnavailable
  [[nodiscard]] std::size_t staged() const;

  // --- steps for a scheduler; false: there was nothing to do ---
  bool step_link(std::uint32_t from, std::uint32_t to);
  bool step_read_execute(std::uint32_t shard, std::size_t index);
  bool step_read_answer(std::uint32_t shard, std::size_t index);
  // The next rows of all conversations, or of those of one lane (storage/commit_lanes.h).
  enum class Lane : std::uint8_t { kEven, kOdd, kAll };
  bool step_apply(std::uint32_t shard, std::size_t rows, bool refused, bool answer_lost,
                  Lane lane = Lane::kAll);
  bool step_outcomes(std::uint32_t shard);
  bool step_receive(Connection& connection);
  bool step_say(Connection& connection);  // what had to wait
  bool step_closings();
  [[nodiscard]] std::size_t reads_waiting(std::uint32_t shard) const;
  [[nodiscard]] bool is_quiet() const;

  // --- several nodes ---
  bool step_bus(std::uint32_t shard);
  bool step_presence(std::uint32_t shard);  // what is put is written, and told
  void disconnect_bus(std::uint32_t shard);
  void reconnect_bus(std::uint32_t shard);
  // One user's rows cannot be read, as when one server of several is away.
  void set_presence_readable(UserId user, bool is_readable);
  void flush_presence();  // the store loses all of it; who can say so puts it again
  // Its process ends: some of what it staged is committed, nobody is told of anything. It is back at once, empty; the
  // others learn of the death, and of the new node, by say_gap(); of a life that was over by then they never hear.
  void kill_node(std::uint32_t node);
  void say_gap(std::uint32_t shard);
  FakeBus& bus() { return *bus_; }

  ChatShard& shard(std::uint32_t index);
  ChatShard& shard_of(const Connection& connection) { return shard(connection.shard); }
  [[nodiscard]] std::uint32_t shard_count() const { return options_.shards * options_.nodes; }
  [[nodiscard]] std::uint32_t node_of(std::uint32_t shard) const { return shard / options_.shards; }
  storage::MemoryModel& model() { return model_; }
  [[nodiscard]] const Options& options() const { return options_; }
  std::uint64_t random(std::uint64_t below);
  [[nodiscard]] bool choices_left() const { return !options_.choices.empty(); }
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_; }

  std::int64_t expires_at_s = 4'000'000'000;  // of tokens: Unix seconds
  std::map<std::string, TokenProof> tokens;   // by what a session.refresh brings; others are bad
  Now now{.monotonic_us = 1'000'000'000, .wall_us = 1'700'000'000'000'000};
  std::vector<std::unique_ptr<Connection>> connections;
  std::map<std::uint32_t, std::vector<Heard>> requests;
  std::uint64_t store_reads = 0;  // asked of the store, of whatever kind
  std::uint64_t page_reads = 0;   // of these, pages of messages
  std::uint64_t seq_reads = 0;    // last seqs: PostgreSQL answers all that meet with one query
  bool reads_fail = false;
  // A batch of a shard takes so many; more finds no room until there are outcomes.
  std::size_t log_rows_max = SIZE_MAX;
  bool log_is_down = false;

  // Called for whatever a client receives, for what the store commits, and for what a shard publishes.
  std::function<void(Connection&, const Heard&)> on_receive;
  std::function<void(const storage::Operation&, const storage::Outcome&)> on_commit;
  std::function<void(const TopicId& topic, const ServerEvent&)> on_publish;
  std::function<void(Connection&, const ServerEvent&)>
      on_tell;  // at the moment it is said, before it arrives

 private:
  friend struct Shard;
  using Delivered = std::function<void()>;

  void log(const char* what, std::uint32_t shard, const TopicId& topic, Seq seq, std::size_t kind);
  void trace(std::uint64_t value);
  void trace_event(std::uint64_t kind, const Endpoint& to, const ServerEvent& event);
  void send_to(Connection& connection, Heard heard);
  Connection* find(const Endpoint& endpoint);
  void deliver_reply(const Endpoint& to, const RequestId& id, const ServerEvent& event);
  void deliver_publish(std::uint32_t shard, const TopicId& topic, const ServerEvent& event,
                       Delivery delivery, const std::optional<Endpoint>& except);
  void hear(const Endpoint& session, const TopicId& topic, const ServerEvent& event,
            Delivery delivery);

  Options options_;
  storage::MemoryModel model_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::vector<std::deque<Delivered>>> links_;  // [from][to]
  std::map<Endpoint, Connection*> live_;
  std::uint64_t random_state_;
  std::uint64_t trace_ = 1469598103934665603ULL;
  std::uint32_t next_slot_ = 0;
  std::uint32_t next_generation_ = 1;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t next_id_ = 1;
  std::map<std::string, UserId> users_;
  std::unique_ptr<FakeBus> bus_;  // null: one node
  std::unique_ptr<FakePresence> presence_;
  void meet_others(std::uint32_t shard);
  std::uint64_t lives_ = 1000;                     // of nodes that were started again
  std::vector<storage::NodeId> node_ids_;          // of the nodes' present lives
  std::vector<std::set<storage::NodeId>> others_;  // of each shard: who lives, as it was told
  ServerEventDecoder decoder_;
  JsonWriter json_;
};

}  // namespace uproar::chat::testing
