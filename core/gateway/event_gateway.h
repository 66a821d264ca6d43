#pragma once

// From WebSocket payloads to commands: who is it (token, ticket or a first session.open), what do they say, and on to
// the domain. Holds what a connection needs before it has a session; afterwards the domain keeps it.

#include <bit>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/chat/chat_shard.h"
#include "core/gateway/admission_budget.h"
#include "core/gateway/event_outbox.h"
#include "core/gateway/known_users.h"
#include "core/gateway/node_tickets.h"
#include "core/gateway/revocations.h"
#include "core/gateway/shard_parcel.h"
#include "core/gateway/tickets.h"
#include "core/net/handler.h"
#include "core/net/shard_net.h"
#include "proto/auth/token.h"
#include "proto/base/counters.h"
#include "proto/chat/client_event_decoder.h"
#include "storage/directory.h"

namespace uproar::gateway {

struct EventCounters {
  Counter commands;
  Counter decode_errors;
  Counter tokens_refused;
  Counter sessions_opened;
  Counter early_overflows;  // said too much before it was known who they are
  Counter session_open_timeouts;
  Counter openings_turned_away;  // told when to come back: more began than --openings-per-second
  Counter resumes_turned_away;   // the same of those who resume
};

class EventGateway final : public chat::TokenJudge {
 public:
  struct Parts {  // all outlive the gateway
    net::ShardNet& net;
    EventOutbox& outbox;
    chat::ChatShard& chat;
    chat::ClientEventDecoder& decoder;
    storage::Directory& directory;
    const auth::TokenVerifier& verifier;
    Tickets& tickets;
    const NodeTickets* node_tickets;  // null: this node is alone
    TicketClaims* ticket_claims;      // likewise
    Revocations& revocations;
    KnownUsers& known_users;
    ShardLink& link;
    const Now& now;  // of the turn
    // Sessions that may begin a second, and that may resume. 0: no bound.
    std::uint32_t openings_per_second = 0;
    std::uint32_t resumes_per_second = 0;
  };

  explicit EventGateway(Parts parts);

  net::UpgradeAnswer on_upgrade(net::ConnectionId connection, const http::Request& request);
  void on_open(net::ConnectionId connection);
  void on_message(net::ConnectionId connection, net::MessageKind kind, MutableBytes payload);
  void on_ping(net::ConnectionId connection);
  void on_drained(net::ConnectionId connection);
  // The node drains: tells the client when to come back, so that not all come at once.
  void on_draining(net::ConnectionId connection);
  void spread_reconnects(std::uint32_t spread_ms) { reconnect_spread_ms_ = spread_ms; }
  void on_left(net::ConnectionId connection);
  void on_closed(net::ConnectionId connection, net::CloseCause cause);

  // What a session.refresh brings.
  [[nodiscard]] Result<chat::TokenProof, chat::Error> judge(std::string_view token) override;

  // A ticket of ours, presented on another shard; and the verdict on one presented here.
  void judge(const TicketPresented& presented);
  void judged(const TicketJudged& verdict);
  void revoked(const SessionRevoked& revocation);
  // The same from another node.
  void revoked_elsewhere(const SessionRevoked& revocation);
  // The same found in the store: looks at each connection of this shard, for those that were not known.
  void found_revoked(std::span<const SessionId> sessions);

  void on_tick();
  // Monotonic microseconds of the next session.open deadline, or the largest value.
  [[nodiscard]] std::int64_t next_deadline_us() const;

  [[nodiscard]] const EventCounters& counters() const { return counters_; }
  // A token that another door refused: one figure for all doors.
  void count_refused_token() { counters_.tokens_refused.add(); }

 private:
  // What it may say now.
  enum class Stage : std::uint8_t { kAwaitsToken, kEntering, kOpen };
  // Kept in the connection's context.
  struct Note {
    Stage stage = Stage::kAwaitsToken;
    std::uint8_t wrong_messages = 0;  // said before session.open
    std::uint16_t unused = 0;
    std::uint32_t reserved = 0;
    [[nodiscard]] std::uint64_t packed() const { return std::bit_cast<std::uint64_t>(*this); }
  };

  // Who asks to come in, and what they said meanwhile.
  struct Entering {
    net::ConnectionId connection;
    chat::TokenProof proof;
    bool resumes = false;
    std::string name;  // for a user that is made
    std::uint32_t early_bytes = 0;
    std::vector<std::pair<net::MessageKind, std::string>> early;
  };

  [[nodiscard]] Result<Entering, chat::Error> admit(std::string_view token);
  [[nodiscard]] static net::UpgradeAnswer turn_away(const chat::Error& error,
                                                    bool token_refused = false);
  [[nodiscard]] AdmissionBudget& budget_of(bool resumes) { return resumes ? resumes_ : openings_; }
  enum class Room : std::uint8_t { kTaken, kSeen };
  // False: it is told when to come back, and closed.
  [[nodiscard]] bool has_room(net::ConnectionId connection, const chat::RequestId& id, bool resumes,
                              Room room);
  void enter(net::ConnectionId connection, Entering entering);
  void entered(net::ConnectionId connection);
  void refuse(net::ConnectionId connection, const chat::RequestId& id, const chat::Error& error);
  void judge_node_ticket(net::ConnectionId connection, std::string_view ticket);
  void say_early(net::ConnectionId connection, net::MessageKind kind, MutableBytes payload);
  void refuse_wrong(net::ConnectionId connection, const chat::RequestId& id,
                    const chat::Error& error);
  void open_with_token(net::ConnectionId connection, MutableBytes payload);
  void command(net::ConnectionId connection, MutableBytes payload);
  [[nodiscard]] chat::Endpoint endpoint_of(net::ConnectionId connection) const;
  [[nodiscard]] Note note_of(net::ConnectionId connection) const;
  [[nodiscard]] Stage stage_of(net::ConnectionId connection) const {
    return note_of(connection).stage;
  }

  Parts parts_;
  // Between the accepted handshake and on_open(), and until the store has answered. By slot.
  absl::flat_hash_map<std::uint32_t, Entering> entering_;
  struct Upgrade {
    Entering entering;
    std::string ticket;
  };
  absl::flat_hash_map<std::uint32_t, Upgrade> upgrades_;
  std::deque<std::pair<std::int64_t, net::ConnectionId>>
      awaiting_token_;  // by deadline: all wait equally long
  std::uint32_t reconnect_spread_ms_ = 0;
  AdmissionBudget openings_;
  AdmissionBudget resumes_;
  EventCounters counters_;
};

// The bearer token of an Authorization header, or empty.
[[nodiscard]] std::string_view bearer_token(const http::Request& request);
// {"type":"error",…} for answers that have no domain behind them.
[[nodiscard]] std::string error_body(const chat::Error& error);

}  // namespace uproar::gateway
