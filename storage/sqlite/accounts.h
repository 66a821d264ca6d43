#pragma once

// Users and sessions, the writing half of the directory. Inside the writer's transaction, like Operations.

#include <string>

#include "storage/directory.h"
#include "storage/sqlite/database.h"

namespace uproar::storage::sqlite {

// Columns in the order that read_user() and read_session() expect.
#define UPROAR_USER_COLUMNS "id, name, password_hash, created_at, last_online"
#define UPROAR_SESSION_COLUMNS \
  "id, user_id, refresh_digest, device, created_at, expires_at, revoked_at"

[[nodiscard]] User read_user(const Rows& rows);
[[nodiscard]] SessionRecord read_session(const Rows& rows);

class Accounts {
 public:
  explicit Accounts(Database& database);

  Result<UserId, StoreError> create_user(const User& user);
  Result<User, StoreError> ensure_user(UserId id, const std::string& name, std::int64_t at_us);
  void set_last_online(UserId id, std::int64_t at_us);
  Result<SessionId, StoreError> create_session(const SessionRecord& session);
  Result<Rotation, StoreError> rotate_session(const std::string& old_digest,
                                              const std::string& new_digest, std::int64_t now_us,
                                              std::int64_t expires_at_us);
  Result<bool, StoreError> revoke_session(SessionId id, std::int64_t at_us);

 private:
  bool insert(const User& user);
  Result<Rotation, StoreError> judge_spent(const std::string& digest, std::int64_t now_us,
                                           std::int64_t expires_at_us);

  Database& database_;
  Statement insert_user_;
  Statement find_user_;
  Statement set_last_online_;
  Statement delete_expired_;
  Statement insert_session_;
  Statement find_session_;
  Statement swap_digest_;
  Statement spend_digest_;
  Statement forget_digests_;
  Statement find_spent_;
  Statement revoke_;
  Statement has_session_;
};

}  // namespace uproar::storage::sqlite
