#include "core/gateway/event_gateway.h"

#include <cstring>
#include <limits>
#include <memory>

#include "core/chat/limits.h"
#include "core/gateway/accounts.h"
#include "core/gateway/door.h"
#include "core/gateway/limits.h"
#include "proto/auth/names.h"
#include "proto/base/weakness.h"
#include "proto/crypto/random.h"
#include "proto/http/chars.h"
#include "proto/http/target.h"

namespace uproar::gateway {
namespace {

constexpr std::string_view kSubprotocol = "uproar.v1";
constexpr std::string_view kOffers = "Sec-WebSocket-Protocol";

}  // namespace

std::string_view bearer_token(const http::Request& request) {
  const auto header = request.headers.find("Authorization");
  constexpr std::string_view kScheme = "bearer ";
  if (!header || header->size() <= kScheme.size()) return {};
  if (!http::equals_ignoring_case(header->substr(0, kScheme.size()), kScheme)) return {};
  return http::trimmed(header->substr(kScheme.size()));
}

std::string error_body(const chat::Error& failure) {
  chat::JsonWriter json;
  chat::encode(failure, {}, json);
  return std::string(json.text());
}

EventGateway::EventGateway(Parts parts)
    : parts_(parts), openings_(parts.openings_per_second), resumes_(parts.resumes_per_second) {}

chat::Endpoint EventGateway::endpoint_of(net::ConnectionId connection) const {
  return {.shard = static_cast<std::uint16_t>(parts_.link.self()),
          .kind = chat::Endpoint::Kind::kSession,
          .slot = connection.slot,
          .generation = connection.generation};
}

EventGateway::Note EventGateway::note_of(net::ConnectionId connection) const {
  return std::bit_cast<Note>(parts_.net.context(connection));
}

Result<EventGateway::Entering, chat::Error> EventGateway::admit(std::string_view token) {
  const auto claims = parts_.verifier.verify(token, parts_.now);
  if (!claims.ok()) {
    counters_.tokens_refused.add();
    return Err{error(auth::error_code_of(claims.error()))};
  }
  Entering entering;
  entering.proof = {.user = claims->user, .session = {}, .expires_at_s = claims->expires_at_s};
  if (const auto session = SessionId::parse(claims->sid)) {
    if (parts_.revocations.contains(*session)) {
      counters_.tokens_refused.add();
      return Err{error(chat::ErrorCode::kTokenRevoked)};
    }
    entering.proof.session = *session;
  }
  entering.name = auth::display_name(claims->name);
  return entering;
}

Result<chat::TokenProof, chat::Error> EventGateway::judge(std::string_view token) {
  const auto admitted = admit(token);
  if (!admitted.ok()) return Err{admitted.error()};
  return admitted->proof;
}

net::UpgradeAnswer EventGateway::turn_away(const chat::Error& failure, bool token_refused) {
  net::UpgradeAnswer answer;
  answer.status = chat::error_info(failure.code).http_status;
  answer.body = error_body(failure);
  if (answer.status == 401) answer.header = {"WWW-Authenticate", challenge(token_refused)};
  return answer;
}

net::UpgradeAnswer EventGateway::on_upgrade(net::ConnectionId connection,
                                            const http::Request& request) {
  if (request.path != "/ws")
    return turn_away(error(chat::ErrorCode::kNotFound, "WebSockets live at /ws"));
  net::UpgradeAnswer answer;
  if (request.headers.has_element(kOffers, kSubprotocol)) {
    answer.subprotocol = kSubprotocol;
  } else if (request.headers.find(kOffers).has_value()) {
    // Not by a close code: browsers, Node and `ws` end a WebSocket that selects none of what they
    // offered, and hear nothing that is said over it.
    return turn_away(error(chat::ErrorCode::kUnknownSubprotocol));
  }

  Upgrade upgrade;
  const auto from_query = parameter(request, query::kToken);
  const auto ticket = parameter(request, query::kTicket);
  const auto resume = parameter(request, query::kResume);
  for (const auto* value : {&from_query, &ticket, &resume}) {
    if (!value->ok()) return turn_away(value->error());
  }
  std::string_view token = bearer_token(request);
  if (token.empty() && from_query.value()) token = *from_query.value();
  if (!token.empty()) {
    auto admitted = admit(token);
    if (!admitted.ok()) return turn_away(admitted.error(), true);
    upgrade.entering = std::move(admitted.value());
  } else {
    upgrade.ticket = ticket.value().value_or("");
    const bool is_of_nodes = parts_.node_tickets != nullptr && NodeTickets::is_one(upgrade.ticket);
    if (!upgrade.ticket.empty() && !is_of_nodes && !Tickets::shard_of(upgrade.ticket))
      return turn_away(error(chat::ErrorCode::kUnauthorized, "that is no ticket"));
  }
  upgrade.entering.resumes = resume.value() == "1";
  upgrades_.insert_or_assign(connection.slot, std::move(upgrade));
  answer.accept = true;
  answer.status = 101;
  answer.context = Note{}.packed();
  return answer;
}

void EventGateway::on_open(net::ConnectionId connection) {
  auto found = upgrades_.extract(connection.slot);
  if (found.empty()) return;
  Upgrade upgrade = std::move(found.mapped());
  const bool has_proof = !upgrade.ticket.empty() || !upgrade.entering.proof.user.is_nil();
  // Before the ticket is redeemed: it is good for one time, and for the next attempt then. But it may be none: what
  // strangers present takes no place.
  const Room room =
      upgrade.ticket.empty() || weakened(Weakness::kTicketFlood) ? Room::kTaken : Room::kSeen;
  if (has_proof && !has_room(connection, {}, upgrade.entering.resumes, room)) return;
  if (!upgrade.ticket.empty()) {
    const std::uint16_t owner = Tickets::shard_of(upgrade.ticket).value_or(0);
    upgrade.entering.connection = connection;
    parts_.net.set_context(connection, Note{.stage = Stage::kEntering}.packed());
    entering_.insert_or_assign(connection.slot, std::move(upgrade.entering));
    parts_.net.pause(connection);  // what it says is read once it is known to be somebody
    if (parts_.node_tickets != nullptr) return judge_node_ticket(connection, upgrade.ticket);
    const TicketPresented presented{.connection = connection,
                                    .shard = static_cast<std::uint16_t>(parts_.link.self()),
                                    .ticket = std::move(upgrade.ticket)};
    if (owner == parts_.link.self() || owner >= parts_.link.shard_count()) return judge(presented);
    return parts_.link.post(owner, presented);
  }
  if (!upgrade.entering.proof.user.is_nil()) {
    return enter(connection, std::move(upgrade.entering));
  }
  awaiting_token_.emplace_back(parts_.now.monotonic_us + kSessionOpenDeadlineUs, connection);
  if (upgrade.entering.resumes)
    entering_.insert_or_assign(connection.slot, std::move(upgrade.entering));
}

bool EventGateway::has_room(net::ConnectionId connection, const chat::RequestId& id, bool resumes,
                            Room room) {
  AdmissionBudget& budget = budget_of(resumes);
  const std::uint32_t wait_ms = budget.wait_ms(parts_.now, random_u32());
  if (wait_ms == 0) {
    if (room == Room::kTaken) budget.take(parts_.now);
    return true;
  }
  (resumes ? counters_.resumes_turned_away : counters_.openings_turned_away).add();
  refuse(connection, id,
         error(chat::ErrorCode::kOverloaded, "too many come at once: come back when it says",
               wait_ms));
  return false;
}

void EventGateway::enter(net::ConnectionId connection, Entering entering) {
  const UserId user = entering.proof.user;
  std::string name = std::move(entering.name);
  entering.connection = connection;
  if (entering.proof.session.is_nil()) {
    entering.proof.session = SessionId(Uuid::v7(static_cast<std::uint64_t>(parts_.now.wall_ms()),
                                                crypto::random_u64(), crypto::random_u64()));
  }
  parts_.net.set_context(connection, Note{.stage = Stage::kEntering}.packed());
  parts_.net.identify(connection, user.uuid());
  entering_.insert_or_assign(connection.slot, std::move(entering));
  if (parts_.known_users.contains(user)) return entered(connection);
  // A trusted backend's or an external issuer's token: the user is made at first sight.
  parts_.directory.ensure_user(
      user, std::move(name), parts_.now.wall_us,
      [this, connection, user](Result<storage::User, storage::StoreError> made) {
        if (!made.ok()) return refuse(connection, {}, error_of(made.error()));
        parts_.known_users.add(user);
        entered(connection);
      });
}

void EventGateway::entered(net::ConnectionId connection) {
  const auto found = entering_.find(connection.slot);
  if (found == entering_.end() || found->second.connection != connection)
    return;  // hung up meanwhile
  Entering entering = std::move(found->second);
  entering_.erase(found);
  if (!parts_.net.is_open(connection)) return;
  if (parts_.revocations.contains(
          entering.proof.session)) {  // logged out while the store was asked
    counters_.tokens_refused.add();
    return refuse(connection, {}, error(chat::ErrorCode::kTokenRevoked));
  }
  parts_.net.set_context(connection, Note{.stage = Stage::kOpen}.packed());
  counters_.sessions_opened.add();
  parts_.chat.open_session(endpoint_of(connection), entering.proof, entering.resumes, parts_.now);
  for (const auto& [kind, text] : entering.early) {
    PaddedBytes payload(as_bytes(text));
    on_message(connection, kind, payload.bytes());
  }
}

void EventGateway::refuse(net::ConnectionId connection, const chat::RequestId& id,
                          const chat::Error& failure) {
  // By id, not by slot: a late answer of the store must not put out whoever has the slot now.
  const auto found = entering_.find(connection.slot);
  if (found != entering_.end() && found->second.connection == connection) entering_.erase(found);
  parts_.outbox.close_with(connection, id, failure);
}

void EventGateway::on_message(net::ConnectionId connection, net::MessageKind kind,
                              MutableBytes payload) {
  if (kind == net::MessageKind::kBinary) {
    return parts_.net.close(connection, ws::CloseCode::kUnsupportedData,
                            "uproar.v1 speaks JSON text");
  }
  switch (stage_of(connection)) {
    case Stage::kAwaitsToken:
      return open_with_token(connection, payload);
    case Stage::kEntering:
      return say_early(connection, kind, payload);
    case Stage::kOpen:
      return command(connection, payload);
  }
}

void EventGateway::say_early(net::ConnectionId connection, net::MessageKind kind,
                             MutableBytes payload) {
  const auto found = entering_.find(connection.slot);
  if (found == entering_.end() || found->second.connection != connection) return;
  Entering& entering = found->second;
  if (entering.early.size() >= chat::kEarlyMessagesMax ||
      entering.early_bytes + payload.size() > kEarlyBytesMax) {
    counters_.early_overflows.add();
    return refuse(connection, {},
                  error(chat::ErrorCode::kOverloaded, "too much was said before session.ready"));
  }
  entering.early_bytes += static_cast<std::uint32_t>(payload.size());
  entering.early.emplace_back(kind, as_text(payload));
}

void EventGateway::refuse_wrong(net::ConnectionId connection, const chat::RequestId& id,
                                const chat::Error& failure) {
  Note note = note_of(connection);
  if (++note.wrong_messages >= kWrongMessagesMax) {
    counters_.early_overflows.add();
    return refuse(connection, id,
                  error(chat::ErrorCode::kUnauthorized, "too much was said before session.open"));
  }
  parts_.net.set_context(connection, note.packed());
  parts_.outbox.send_error(connection, id, failure);
}

void EventGateway::open_with_token(net::ConnectionId connection, MutableBytes payload) {
  auto decoded = parts_.decoder.decode(payload, parts_.now);
  if (!decoded.ok()) {
    counters_.decode_errors.add();
    return refuse_wrong(connection, decoded.error().id, decoded.error().error);
  }
  const auto* open = std::get_if<chat::SessionOpen>(&decoded->event);
  if (open == nullptr) {
    return refuse_wrong(connection, decoded->id,
                        error(chat::ErrorCode::kUnauthorized, "say session.open {token} first"));
  }
  auto admitted = admit(open->token);
  if (!admitted.ok()) return refuse(connection, decoded->id, admitted.error());
  const auto announced = entering_.find(connection.slot);
  if (announced != entering_.end()) admitted->resumes = announced->second.resumes;
  if (open->resume) admitted->resumes = true;
  if (!has_room(connection, decoded->id, admitted->resumes, Room::kTaken)) return;
  enter(connection, std::move(admitted.value()));
}

void EventGateway::command(net::ConnectionId connection, MutableBytes payload) {
  const chat::Endpoint from = endpoint_of(connection);
  parts_.chat.on_heartbeat(from, parts_.now);
  auto decoded = parts_.decoder.decode(payload, parts_.now);
  if (!decoded.ok()) {
    counters_.decode_errors.add();
    return parts_.chat.refuse(from, decoded.error().id, decoded.error().error, parts_.now,
                              static_cast<std::uint32_t>(payload.size()));
  }
  if (parts_.link.congested()) {
    return parts_.chat.refuse(from, decoded->id, busy(), parts_.now,
                              static_cast<std::uint32_t>(payload.size()));
  }
  counters_.commands.add();
  parts_.chat.apply({.actor = {.user = {}, .from = from, .request = std::move(decoded->id)},
                     .event = std::move(decoded->event)},
                    parts_.now, static_cast<std::uint32_t>(payload.size()));
}

void EventGateway::on_ping(net::ConnectionId connection) {
  if (stage_of(connection) == Stage::kOpen)
    parts_.chat.on_heartbeat(endpoint_of(connection), parts_.now);
}

void EventGateway::on_drained(net::ConnectionId connection) {
  if (stage_of(connection) == Stage::kOpen)
    parts_.chat.on_drained(endpoint_of(connection), parts_.now);
}

void EventGateway::on_draining(net::ConnectionId connection) {
  const std::uint32_t after_ms = spread_ms(0, reconnect_spread_ms_, random_u32());
  parts_.outbox.tell(endpoint_of(connection), chat::ServerDraining{.reconnect_after_ms = after_ms},
                     chat::Delivery::kMessage);
}

// Whoever comes back at once finds the place free that they have left.
void EventGateway::on_left(net::ConnectionId connection) {
  parts_.chat.close_session(endpoint_of(connection), true, parts_.now);
}

void EventGateway::on_closed(net::ConnectionId connection, net::CloseCause cause) {
  entering_.erase(connection.slot);
  upgrades_.erase(connection.slot);
  parts_.chat.close_session(endpoint_of(connection), cause.clean, parts_.now);
}

void EventGateway::judge_node_ticket(net::ConnectionId connection, std::string_view ticket) {
  TicketJudged verdict{.connection = connection, .valid = false, .holder = {}};
  const auto read = parts_.node_tickets->read(ticket, parts_.now);
  if (!read) return judged(verdict);
  verdict.holder = read->holder;
  parts_.ticket_claims->claim(read->number, [this, verdict](bool is_first) mutable {
    verdict.valid = is_first && !parts_.revocations.contains(verdict.holder.session);
    judged(verdict);
  });
}

void EventGateway::judge(const TicketPresented& presented) {
  TicketJudged verdict{.connection = presented.connection, .valid = false, .holder = {}};
  if (const auto holder = parts_.tickets.redeem(presented.ticket, parts_.now)) {
    verdict.valid = !parts_.revocations.contains(holder->session);
    verdict.holder = *holder;
  }
  if (presented.shard == parts_.link.self()) return judged(verdict);
  parts_.link.post(presented.shard, verdict);
}

void EventGateway::judged(const TicketJudged& verdict) {
  const auto found = entering_.find(verdict.connection.slot);
  if (found == entering_.end() || found->second.connection != verdict.connection) return;
  if (!verdict.valid) {
    counters_.tokens_refused.add();
    return refuse(verdict.connection, {},
                  error(chat::ErrorCode::kUnauthorized, "the ticket was used or has expired"));
  }
  budget_of(found->second.resumes).take(parts_.now);
  found->second.proof = verdict.holder;
  parts_.net.identify(verdict.connection, verdict.holder.user.uuid());
  parts_.net.resume(verdict.connection);
  entered(verdict.connection);
}

void EventGateway::revoked(const SessionRevoked& revocation) {
  parts_.revocations.add(revocation.session, revocation.at_us);
  parts_.chat.revoke_session(revocation.user, revocation.session);
}

void EventGateway::revoked_elsewhere(const SessionRevoked& revocation) {
  parts_.revocations.add(revocation.session, parts_.now.wall_us);
  parts_.chat.revoke_session_here(revocation.user, revocation.session);
}

void EventGateway::found_revoked(std::span<const SessionId> sessions) {
  absl::flat_hash_set<SessionId> fresh;
  for (const SessionId session : sessions)
    if (parts_.revocations.add(session, parts_.now.wall_us)) fresh.insert(session);
  if (!fresh.empty()) parts_.chat.end_revoked(fresh, parts_.now);
}

void EventGateway::on_tick() {
  parts_.revocations.trim(parts_.now);
  while (!awaiting_token_.empty() && awaiting_token_.front().first <= parts_.now.monotonic_us) {
    const net::ConnectionId connection = awaiting_token_.front().second;
    awaiting_token_.pop_front();
    if (!parts_.net.is_open(connection) || stage_of(connection) != Stage::kAwaitsToken ||
        weakened(Weakness::kSlowOpenings))
      continue;
    counters_.session_open_timeouts.add();
    refuse(connection, {}, error(chat::ErrorCode::kSessionOpenTimeout));
  }
}

std::int64_t EventGateway::next_deadline_us() const {
  return awaiting_token_.empty() ? std::numeric_limits<std::int64_t>::max()
                                 : awaiting_token_.front().first;
}

}  // namespace uproar::gateway
