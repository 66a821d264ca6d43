#include "storage/postgres/accounts.h"

#include <utility>

#include "storage/limits.h"
#include "storage/postgres/reads.h"
#include "storage/postgres/statements.h"

namespace uproar::storage::postgres {
namespace {

using Answers = std::vector<Rows>;

Call call(Write statement, Params params) {
  return {.statement = static_cast<std::uint8_t>(statement), .params = std::move(params)};
}

template <class... Calls>
std::vector<Call> unit(Calls&&... calls) {
  std::vector<Call> out;
  (out.push_back(std::forward<Calls>(calls)), ...);
  return out;
}

// NULL: without a name.
Params& add_name(Params& params, const std::string& name) {
  return name.empty() ? params.add_null() : params.add_text(name);
}

Params& add_time_or_null(Params& params, std::int64_t at_us) {
  return at_us == 0 ? params.add_null() : params.add_time(at_us);
}

// What kRotateSession says became of the token.
enum class Fate : std::uint16_t { kSwapped, kRevokedBefore, kExpired, kStolen, kJustSpent };

}  // namespace

template <class T, class Build>
void Accounts::change(std::vector<Call> calls, Done<T> done, Build build) {
  const bool is_queued = session_.run(
      std::move(calls), [done, build = std::move(build)](bool committed, Answers rows) {
        if (!committed) return done(Err{StoreError::kUnavailable});
        done(build(rows));
      });
  if (is_queued) return;
  reads_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
}

void Accounts::create_user(const User& user, Done<UserId> done) {
  Params params;
  params.add(user.id);
  add_name(params, user.name).add_text(user.password_hash).add_time(user.created_at_us);
  add_time_or_null(params, user.last_online_us);
  change(unit(call(Write::kCreateUser, std::move(params))), std::move(done),
         [](const Answers& found) -> Result<UserId, StoreError> {
           if (found[0].count() == 0) return Err{StoreError::kNameTaken};
           return found[0].id<UserId>(0, 0);
         });
}

void Accounts::ensure_user(UserId id, const std::string& name, std::int64_t at_us,
                           Done<User> done) {
  Params with_name, without_name;
  with_name.add(id);
  add_name(with_name, name).add_time(at_us);
  without_name.add(id).add_null().add_time(at_us);
  change(unit(call(Write::kEnsureUser, std::move(with_name)),
              call(Write::kEnsureUser, std::move(without_name)),
              call(Write::kGetUser, std::move(Params().add(id)))),
         std::move(done), [](const Answers& found) -> Result<User, StoreError> {
           if (found[2].count() == 0) return Err{StoreError::kUnavailable};
           return read_user(found[2], 0);
         });
}

void Accounts::create_session(const SessionRecord& session, Done<SessionId> done) {
  Params forget, create;
  forget.add(session.user).add_time(session.created_at_us - kExpiredSessionKeptUs);
  create.add(session.id)
      .add(session.user)
      .add_bytes(session.refresh_digest)
      .add_text(session.device)
      .add_time(session.created_at_us)
      .add_time(session.expires_at_us);
  add_time_or_null(create, session.revoked_at_us);
  change(unit(call(Write::kForgetSessions, std::move(forget)),
              call(Write::kCreateSession, std::move(create))),
         std::move(done), [](const Answers& found) -> Result<SessionId, StoreError> {
           if (found[1].count() == 0) return Err{StoreError::kNotFound};  // no such user
           return found[1].id<SessionId>(0, 0);
         });
}

void Accounts::rotate_session(const std::string& old_digest, const std::string& new_digest,
                              std::int64_t now_us, std::int64_t expires_at_us,
                              Done<Rotation> done) {
  Params rotate;
  rotate.add_bytes(old_digest).add_bytes(new_digest).add_time(now_us).add_time(expires_at_us);
  change(unit(call(Write::kLockDigest, std::move(Params().add_bytes(old_digest))),
              call(Write::kRotateSession, std::move(rotate))),
         std::move(done), [](const Answers& found) -> Result<Rotation, StoreError> {
           const Rows& rows = found[1];
           if (rows.count() == 0) return Err{StoreError::kNotFound};
           Rotation rotation{
               .outcome = Rotation::Outcome::kSwapped,
               .session = {.id = rows.id<SessionId>(0, 0), .user = rows.id<UserId>(0, 1)}};
           SessionRecord& session = rotation.session;
           switch (rows.as<Fate>(0, 7)) {
             case Fate::kRevokedBefore:
               return Err{StoreError::kNotFound};
             case Fate::kExpired:
               return Err{StoreError::kExpired};
             case Fate::kStolen:
               rotation.outcome = Rotation::Outcome::kStolen;
               session.revoked_at_us = rows.time(0, 6);
               return rotation;
             case Fate::kJustSpent:
               rotation.outcome = Rotation::Outcome::kJustSpent;
               return rotation;
             case Fate::kSwapped:
               break;
           }
           session.refresh_digest = rows.text(0, 2);
           session.device = rows.text(0, 3);
           session.created_at_us = rows.time(0, 4);
           session.expires_at_us = rows.time(0, 5);
           return rotation;
         });
}

void Accounts::revoke_session(SessionId id, std::int64_t at_us, Done<bool> done) {
  change(unit(call(Write::kRevokeSession, std::move(Params().add(id).add_time(at_us)))),
         std::move(done), [](const Answers& found) -> Result<bool, StoreError> {
           if (found[0].count() == 0) return Err{StoreError::kNotFound};
           return found[0].boolean(0, 0);
         });
}

}  // namespace uproar::storage::postgres
