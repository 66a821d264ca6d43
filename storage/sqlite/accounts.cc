#include "storage/sqlite/accounts.h"

#include <utility>

#include "storage/limits.h"

namespace uproar::storage::sqlite {

User read_user(const Rows& rows) {
  return {.id = rows.id<UserId>(0),
          .name = rows.text(1),
          .password_hash = rows.text(2),
          .created_at_us = rows.i64(3),
          .last_online_us = rows.i64(4)};
}

SessionRecord read_session(const Rows& rows) {
  return {.id = rows.id<SessionId>(0),
          .user = rows.id<UserId>(1),
          .refresh_digest = rows.text(2),
          .device = rows.text(3),
          .created_at_us = rows.i64(4),
          .expires_at_us = rows.i64(5),
          .revoked_at_us = rows.i64(6)};
}

Accounts::Accounts(Database& db)
    : database_(db),
      insert_user_(db, "INSERT INTO users(" UPROAR_USER_COLUMNS
                       ") VALUES(?1,?2,?3,?4,?5) ON CONFLICT DO NOTHING"),
      find_user_(db, "SELECT " UPROAR_USER_COLUMNS " FROM users WHERE id=?1"),
      set_last_online_(db, "UPDATE users SET last_online=?2 WHERE id=?1 AND last_online<?2"),
      delete_expired_(db, "DELETE FROM sessions WHERE user_id=?1 AND expires_at<=?2"),
      insert_session_(db, "INSERT OR REPLACE INTO sessions(" UPROAR_SESSION_COLUMNS
                          ") VALUES(?1,?2,?3,?4,?5,?6,?7)"),
      find_session_(db, "SELECT " UPROAR_SESSION_COLUMNS
                        ", generation FROM sessions WHERE refresh_digest=?1"),
      swap_digest_(db,
                   "UPDATE sessions SET refresh_digest=?2, expires_at=?3, generation=generation+1 "
                   "WHERE id=?1"),
      spend_digest_(
          db,
          "INSERT OR REPLACE INTO spent_digests(digest, session_id, generation) VALUES(?1,?2,?3)"),
      forget_digests_(db, "DELETE FROM spent_digests WHERE session_id=?1 AND generation<=?2"),
      find_spent_(db,
                  "SELECT s.id,s.user_id,s.expires_at,"
                  "d.generation=s.generation-1 AND s.revoked_at=0 AND s.expires_at>?2 "
                  "FROM spent_digests d JOIN sessions s ON s.id=d.session_id WHERE d.digest=?1"),
      revoke_(db, "UPDATE sessions SET revoked_at=?2 WHERE id=?1 AND revoked_at=0"),
      has_session_(db, "SELECT 1 FROM sessions WHERE id=?1") {}

// Both the id and the name may be taken; which of them makes no difference to anybody who asks.
bool Accounts::insert(const User& user) {
  insert_user_.run(user.id, TextOrNull{user.name}, user.password_hash, user.created_at_us,
                   user.last_online_us);
  return database_.changes() != 0;
}

Result<UserId, StoreError> Accounts::create_user(const User& user) {
  if (!insert(user)) return Err{StoreError::kNameTaken};
  return user.id;
}

Result<User, StoreError> Accounts::ensure_user(UserId id, const std::string& name,
                                               std::int64_t at_us) {
  {
    Rows rows = find_user_.query(id);
    if (rows.next()) return read_user(rows);
  }
  User user{.id = id, .name = name, .password_hash = {}, .created_at_us = at_us};
  if (insert(user)) return user;
  user.name.clear();
  if (insert(user)) return user;
  return Err{StoreError::kUnavailable};
}

void Accounts::set_last_online(UserId id, std::int64_t at_us) {
  set_last_online_.run(id, at_us);
}

Result<SessionId, StoreError> Accounts::create_session(const SessionRecord& session) {
  {
    Rows rows = find_user_.query(session.user);
    if (!rows.next()) return Err{StoreError::kNotFound};
  }
  delete_expired_.run(session.user, session.created_at_us - kExpiredSessionKeptUs);
  insert_session_.run(session.id, session.user, Blob{session.refresh_digest}, session.device,
                      session.created_at_us, session.expires_at_us, session.revoked_at_us);
  return session.id;
}

Result<Rotation, StoreError> Accounts::rotate_session(const std::string& old_digest,
                                                      const std::string& new_digest,
                                                      std::int64_t now_us,
                                                      std::int64_t expires_at_us) {
  SessionRecord session;
  std::int64_t generation = 0;
  bool is_found = false;
  {
    Rows rows = find_session_.query(Blob{old_digest});
    if (rows.next()) {
      is_found = true;
      session = read_session(rows);
      generation = rows.i64(7);
    }
  }
  if (!is_found) return judge_spent(old_digest, now_us, expires_at_us);
  if (session.revoked_at_us != 0) return Err{StoreError::kNotFound};
  if (session.expires_at_us <= now_us) return Err{StoreError::kExpired};
  swap_digest_.run(session.id, Blob{new_digest}, expires_at_us);
  spend_digest_.run(Blob{old_digest}, session.id, generation);
  forget_digests_.run(session.id, generation - std::int64_t{kSpentDigestsPerSessionMax});
  session.refresh_digest = new_digest;
  session.expires_at_us = expires_at_us;
  return Rotation{.outcome = Rotation::Outcome::kSwapped, .session = std::move(session)};
}

Result<Rotation, StoreError> Accounts::judge_spent(const std::string& digest, std::int64_t now_us,
                                                   std::int64_t expires_at_us) {
  Rotation rotation{.outcome = Rotation::Outcome::kJustSpent};
  SessionRecord& session = rotation.session;
  {
    Rows rows = find_spent_.query(Blob{digest}, now_us);
    if (!rows.next()) return Err{StoreError::kNotFound};
    session.id = rows.id<SessionId>(0);
    session.user = rows.id<UserId>(1);
    const bool is_last_of_live = rows.i64(3) != 0;
    if (is_last_of_live && is_just_swapped(rows.i64(2), expires_at_us)) return rotation;
  }
  // Two hold a token of this session, and we cannot tell which of them is its owner: both must log in again.
  revoke_.run(session.id, now_us);
  session.revoked_at_us = now_us;
  rotation.outcome = Rotation::Outcome::kStolen;
  return rotation;
}

Result<bool, StoreError> Accounts::revoke_session(SessionId id, std::int64_t at_us) {
  revoke_.run(id, at_us);
  if (database_.changes() != 0) return true;
  Rows rows = has_session_.query(id);
  if (rows.next()) return false;
  return Err{StoreError::kNotFound};
}

}  // namespace uproar::storage::sqlite
