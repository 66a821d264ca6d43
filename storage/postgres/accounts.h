#pragma once

// Users and sessions that change, for one client. Each call is one transaction of the client's write session, shared
// with those that wait beside it.

#include <cstdint>
#include <string>
#include <vector>

#include "storage/directory.h"
#include "storage/postgres/write_session.h"

namespace uproar::storage::postgres {

class Accounts {
 public:
  // `session` and `reactor` outlive it.
  Accounts(WriteSession& session, Connection& reads) : session_(session), reads_(reads) {}

  void create_user(const User& user, Done<UserId> done);
  void ensure_user(UserId id, const std::string& name, std::int64_t at_us, Done<User> done);
  void create_session(const SessionRecord& session, Done<SessionId> done);
  void rotate_session(const std::string& old_digest, const std::string& new_digest,
                      std::int64_t now_us, std::int64_t expires_at_us, Done<Rotation> done);
  void revoke_session(SessionId id, std::int64_t at_us, Done<bool> done);

 private:
  // `build(rows)` makes the answer of what the statements returned.
  template <class T, class Build>
  void change(std::vector<Call> calls, Done<T> done, Build build);

  WriteSession& session_;
  Connection& reads_;
};

}  // namespace uproar::storage::postgres
