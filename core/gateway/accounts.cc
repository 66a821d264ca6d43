#include "core/gateway/accounts.h"

#include <algorithm>
#include <utility>

#include "core/chat/store_error.h"
#include "core/gateway/door.h"
#include "core/gateway/limits.h"
#include "proto/auth/names.h"
#include "proto/auth/refresh_token.h"
#include "proto/crypto/random.h"

namespace uproar::gateway {
namespace {

std::string digest_text(const crypto::Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Uuid fresh_id(Now now) {
  return Uuid::v7(static_cast<std::uint64_t>(now.wall_ms()), crypto::random_u64(),
                  crypto::random_u64());
}

chat::Error come_back(std::uint32_t wait_ms) {
  return {.code = chat::ErrorCode::kRateLimited, .detail = {}, .retry_after_ms = wait_ms};
}

chat::Error wrong_login() {
  return {.code = chat::ErrorCode::kUnauthorized,
          .detail = "name or password is wrong",
          .retry_after_ms = 0};
}

// A refresh token that nobody has, or no more.
chat::Error not_a_token() {
  return {.code = chat::ErrorCode::kUnauthorized, .detail = {}, .retry_after_ms = 0};
}

}  // namespace

chat::Error nothing_to_log_out_of() {
  return {.code = chat::ErrorCode::kConflict,
          .detail = "this token belongs to no login: nothing to log out of",
          .retry_after_ms = 0};
}

chat::Error error_of(storage::StoreError error) {
  const chat::ErrorCode code = chat::error_of(error);
  const bool may_retry =
      code == chat::ErrorCode::kOverloaded || code == chat::ErrorCode::kUnavailable;
  return {.code = code, .detail = {}, .retry_after_ms = may_retry ? busy_retry_ms() : 0};
}

struct Accounts::Pending {
  std::string name;
  std::string password;
  storage::User user;
  Caller caller;
  LoginLimits::Attempt attempt;  // of a login
  Answered answered;
};

Accounts::Accounts(storage::Directory& directory, PasswordWorker& passwords,
                   storage::Reactor& reactor, const auth::TokenSigner& signer,
                   IssueTicket issue_ticket, std::function<Now()> clock, LoginLimits& limits,
                   const DeviceCookies& devices)
    : directory_(directory),
      passwords_(passwords),
      reactor_(reactor),
      signer_(signer),
      issue_ticket_(std::move(issue_ticket)),
      clock_(std::move(clock)),
      limits_(limits),
      devices_(devices) {}

void Accounts::fail_soon(Answered answered, chat::Error error) {
  reactor_.post([answered = std::move(answered), error] { answered(Err{error}); });
}

void Accounts::fail(const PendingPtr& pending, chat::Error error) {
  pending->answered(Err{error});
}

void Accounts::sign_up(chat::RegisterRequest request, Caller caller, Answered answered) {
  const auto name = auth::normalize_name(request.name);
  if (!name)
    return fail_soon(
        std::move(answered),
        {.code = chat::ErrorCode::kInvalidField, .detail = auth::kNameRule, .retry_after_ms = 0});
  if (!auth::password_acceptable(request.password)) {
    return fail_soon(std::move(answered), {.code = chat::ErrorCode::kInvalidField,
                                           .detail = auth::kPasswordRule,
                                           .retry_after_ms = 0});
  }
  if (const std::uint32_t wait_ms = limits_.registration(caller.address, clock_()); wait_ms != 0)
    return fail_soon(std::move(answered), come_back(wait_ms));
  auto pending = std::make_shared<Pending>();
  pending->name = *name;
  pending->caller = std::move(caller);
  pending->answered = std::move(answered);
  const bool accepted = passwords_.hash(
      {.cls = PasswordClass::kRegistration, .lane = pending->caller.address.limit_key()},
      std::move(request.password), [this, pending](std::optional<std::string> hash) {
        password_hashed(pending, std::move(hash));
      });
  if (!accepted) {
    limits_.not_registered(pending->caller.address);
    fail_soon(std::move(pending->answered), busy());
  }
}

void Accounts::password_hashed(const PendingPtr& pending, std::optional<std::string> hash) {
  if (!hash) {
    limits_.not_registered(pending->caller.address);
    return fail(pending, busy());
  }
  const Now now = clock_();
  pending->user = {.id = UserId(fresh_id(now)),
                   .name = pending->name,
                   .password_hash = std::move(*hash),
                   .created_at_us = now.wall_us,
                   .last_online_us = 0};
  directory_.create_user(pending->user,
                         [this, pending](Result<UserId, storage::StoreError> created) {
                           if (!created.ok()) {
                             limits_.not_registered(pending->caller.address);
                             return fail(pending, error_of(created.error()));
                           }
                           limits_.registered(devices_.tag(pending->name), pending->caller.address);
                           open_session(pending);
                         });
}

void Accounts::login(chat::LoginRequest request, Caller caller, Answered answered) {
  const auto name = auth::normalize_name(request.name);
  // What can be nobody's name is counted as one account: that it is wrong costs nothing but the
  // answer.
  const auto [wait_ms, attempt] = limits_.login(devices_.tag(name.value_or(std::string())),
                                                caller.address, caller.known, clock_());
  if (wait_ms != 0) return fail_soon(std::move(answered), come_back(wait_ms));
  if (!name) return fail_soon(std::move(answered), wrong_login());
  auto pending = std::make_shared<Pending>();
  pending->name = *name;
  pending->attempt = attempt;
  pending->password = std::move(request.password);
  pending->caller = std::move(caller);
  pending->answered = std::move(answered);
  directory_.find_user_by_name(*name,
                               [this, pending](Result<storage::User, storage::StoreError> user) {
                                 user_found(pending, std::move(user));
                               });
}

void Accounts::user_found(const PendingPtr& pending,
                          Result<storage::User, storage::StoreError> user) {
  if (!user.ok() && user.error() != storage::StoreError::kNotFound)
    return fail_undecided(pending, error_of(user.error()));
  if (user.ok()) pending->user = std::move(user.value());
  const bool accepted = passwords_.verify(
      pending->attempt.turn(), std::move(pending->password), pending->user.password_hash,
      [this, pending](PasswordVerdict verdict) { password_checked(pending, verdict); });
  if (!accepted) fail_undecided(pending, busy());
}

void Accounts::password_checked(const PendingPtr& pending, PasswordVerdict verdict) {
  switch (verdict) {
    case PasswordVerdict::kWrong:
      return fail(pending, wrong_login());
    case PasswordVerdict::kUnserved:
      return fail_undecided(pending, busy());
    case PasswordVerdict::kRight:
      if (const std::uint32_t wait_ms = limits_.right(pending->attempt, clock_()); wait_ms != 0)
        return fail(pending, come_back(wait_ms));
      return open_session(pending);
  }
}

void Accounts::fail_undecided(const PendingPtr& pending, chat::Error error) {
  limits_.undecided(pending->attempt);
  fail(pending, error);
}

void Accounts::open_session(const PendingPtr& pending) {
  const Now now = clock_();
  auth::RefreshToken refresh = auth::make_refresh_token();
  storage::SessionRecord record{.id = SessionId(fresh_id(now)),
                                .user = pending->user.id,
                                .refresh_digest = digest_text(refresh.digest),
                                .device = pending->caller.device,
                                .created_at_us = now.wall_us,
                                .expires_at_us = now.wall_us + kRefreshTokenLifeUs,
                                .revoked_at_us = 0};
  directory_.create_session(std::move(record), [this, pending, text = std::move(refresh.text)](
                                                   Result<SessionId, storage::StoreError> created) {
    if (!created.ok()) return fail(pending, error_of(created.error()));
    sign_in(pending, created.value(), text);
  });
}

void Accounts::refresh(chat::RefreshRequest request, Caller caller, Answered answered) {
  const auto digest = auth::refresh_token_digest(request.refresh_token);
  if (const std::uint32_t wait_ms = limits_.refresh(caller.address, clock_()); wait_ms != 0)
    return fail_soon(std::move(answered), come_back(wait_ms));
  if (!digest) return fail_soon(std::move(answered), not_a_token());
  auto pending = std::make_shared<Pending>();
  pending->caller = std::move(caller);
  pending->answered = std::move(answered);
  const Now now = clock_();
  auth::RefreshToken next = auth::make_refresh_token();
  directory_.rotate_session(
      digest_text(*digest), digest_text(next.digest), now.wall_us,
      now.wall_us + kRefreshTokenLifeUs,
      [this, pending, text = next.text](Result<storage::Rotation, storage::StoreError> rotated) {
        session_rotated(pending, text, std::move(rotated));
      });
}

void Accounts::session_rotated(const PendingPtr& pending, const std::string& next_token,
                               Result<storage::Rotation, storage::StoreError> rotated) {
  if (!rotated.ok()) {
    const bool unknown = rotated.error() == storage::StoreError::kNotFound;
    return fail(pending, unknown ? not_a_token() : error_of(rotated.error()));
  }
  const SessionId id = rotated->session.id;
  const UserId holder = rotated->session.user;
  switch (rotated->outcome) {
    case storage::Rotation::Outcome::kStolen:
      session_ended_(id, holder);
      return fail(pending, {.code = chat::ErrorCode::kTokenRevoked,
                            .detail = "this token was used before: log in again",
                            .retry_after_ms = 0});
    case storage::Rotation::Outcome::kJustSpent:
      return find_holder(pending, holder, [this, pending] { admit_second_holder(pending); });
    case storage::Rotation::Outcome::kSwapped:
      return find_holder(pending, holder, [this, pending, id, next_token] {
        limits_.refreshed(devices_.tag(pending->user.name), pending->caller.address);
        sign_in(pending, id, next_token);
      });
  }
}

void Accounts::find_holder(const PendingPtr& pending, UserId holder, std::function<void()> found) {
  directory_.find_users({holder},
                        [this, pending, found = std::move(found)](
                            Result<std::vector<storage::User>, storage::StoreError> users) {
                          if (!users.ok()) return fail(pending, error_of(users.error()));
                          if (users.value().empty()) return fail(pending, wrong_login());
                          pending->user = std::move(users.value().front());
                          found();
                        });
}

void Accounts::admit_second_holder(const PendingPtr& pending) {
  const AccountTag account = devices_.tag(pending->user.name);
  if (const std::uint32_t wait_ms = limits_.refreshed_again(account, clock_()); wait_ms != 0)
    return fail(pending, come_back(wait_ms));
  second_holder_admitted_();
  open_session(pending);
}

void Accounts::sign_in(const PendingPtr& pending, SessionId session,
                       const std::string& refresh_token) {
  const Now now = clock_();
  const std::int64_t now_s = now.wall_us / 1'000'000;
  constexpr std::int64_t kLifeS = kAccessTokenLifeUs / 1'000'000;
  const std::string sid = session.text();
  chat::SignedIn signed_in;
  signed_in.user = pending->user.id;
  signed_in.name = pending->user.name;
  signed_in.access_token = signer_.sign({.user = pending->user.id,
                                         .sid = sid,
                                         .name = pending->user.name,
                                         .issued_at_s = now_s,
                                         .expires_at_s = now_s + kLifeS});
  signed_in.expires_in_s = static_cast<std::uint32_t>(kLifeS);
  signed_in.refresh_token = refresh_token;
  const chat::TokenProof proof{
      .user = pending->user.id, .session = session, .expires_at_s = now_s + kLifeS};
  signed_in.ticket = issue_ticket_(proof, now).value_or("");
  signed_in.ws_url = pending->caller.ws_url;
  pending->answered(std::move(signed_in));
}

void Accounts::logout(SessionId session, std::function<void(Result<bool, chat::Error>)> answered) {
  directory_.revoke_session(
      session, clock_().wall_us,
      [answered = std::move(answered)](Result<bool, storage::StoreError> done) {
        if (done.ok()) return answered(true);  // now or before: it has ended
        const bool unknown = done.error() == storage::StoreError::kNotFound;
        answered(Err{unknown ? nothing_to_log_out_of() : error_of(done.error())});
      });
}

}  // namespace uproar::gateway
