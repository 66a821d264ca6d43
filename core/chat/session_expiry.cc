// How long a session may last: silence ends it, and so does its token unless it brings another one.
#include <algorithm>
#include <limits>

#include "core/chat/session_role.h"
#include "proto/base/weakness.h"

namespace uproar::chat {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

std::uint32_t clamped_s(std::int64_t seconds) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      seconds, 0, std::int64_t{std::numeric_limits<std::uint32_t>::max()}));
}

std::int64_t said_us(const Session& session) {
  return std::int64_t{session.expires_at_s} * kSecondUs;
}

}  // namespace

// From here on the monotonic clock counts: who sets the wall clock ends nobody by it, and keeps
// nobody.
std::uint32_t SessionRole::monotonic_expiry_s(const TokenProof& proof) const {
  const std::int64_t left_us = proof.expires_at_s * kSecondUs - context_.now.wall_us;
  return clamped_s((context_.now.monotonic_us + left_us) / kSecondUs);
}

void SessionRole::keep_until(Session& session, const TokenProof& proof) const {
  session.expires_s = monotonic_expiry_s(proof);
  session.expires_at_s = clamped_s(proof.expires_at_s);
}

// Half of what is left, where that is less than a minute: who is told at once of a token that lives
// half a minute would refresh without end.
void SessionRole::warn_before_expiry(std::uint32_t slot, Session& session) {
  const std::int64_t left_s =
      std::int64_t{session.expires_s} - context_.now.monotonic_us / kSecondUs;
  session.warns_s =
      static_cast<std::uint8_t>(std::clamp<std::int64_t>(left_s / 2, 1, std::int64_t{kExpiringS}));
  wheel_.move(slot, session);
}

void SessionRole::advance_deadlines() {
  deadlines_due_.clear();
  wheel_.advance(context_.now.monotonic_us, deadlines_due_);
  for (const auto& [slot, generation] : deadlines_due_) {
    const Endpoint endpoint = endpoint_of(slot, generation);
    if (Session* session = live(endpoint)) look_at(endpoint, *session);  // one may end another
    if (Session* session = live(endpoint)) wheel_.move(slot, *session);
  }
}

void SessionRole::look_at(const Endpoint& endpoint, Session& session) {
  const std::int64_t now_s = context_.now.monotonic_us / kSecondUs;
  if (now_s >= std::int64_t{session.heartbeat_s} + kHeartbeatTimeoutMs / 1000) {
    context_.counters.heartbeat_timeouts.add();
    return fail(endpoint, session, ErrorCode::kHeartbeatTimeout);
  }
  if (now_s >= std::int64_t{session.expires_s} + kExpiryLeewayS &&
      !weakened(Weakness::kOutlivesToken)) {
    context_.counters.sessions_expired.add();
    return fail(endpoint, session, ErrorCode::kTokenExpired);
  }
  if (session.warns_s != 0 && now_s + session.warns_s >= std::int64_t{session.expires_s}) {
    session.warns_s = 0;
    session.may_refresh = true;
    context_.outbox.tell(endpoint, ServerEvent(SessionExpiring{.expires_at_us = said_us(session)}),
                         Delivery::kMessage);
  }
}

void SessionRole::refresh(const Actor& actor, const SessionRefresh& command) {
  Session* session = live_session(actor.from);
  if (session == nullptr)
    return context_.refuse(actor, ErrorCode::kConflict, "a request has no session to refresh");
  UPROAR_CHECK(tokens_ != nullptr);
  const Result<TokenProof, Error> proof = tokens_->judge(command.token);
  if (!proof.ok()) return context_.refuse(actor, proof.error());
  if (proof->user != session->user)
    return context_.refuse(actor, ErrorCode::kForbidden, "token: it is another user's");
  // A token that ends sooner changes nothing: the session lives by one token, and ends with the
  // login of that one.
  if (monotonic_expiry_s(*proof) >= session->expires_s) {
    keep_until(*session, *proof);
    if (!proof->session.is_nil()) session->id = proof->session;
  }
  // Also where nothing has changed: it is told again at half of what is left, six times in a
  // minute.
  warn_before_expiry(actor.from.slot, *session);
  context_.counters.sessions_refreshed.add();
  context_.reply(actor, ServerEvent(SessionRefreshed{.expires_at_us = said_us(*session)}));
}

}  // namespace uproar::chat
