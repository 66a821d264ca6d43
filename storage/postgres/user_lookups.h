#pragma once

// Users by id, for many who ask one by one: everybody who connects. One query at a time, which brings all that were
// asked for while the one before was under way; so a storm of clients is a handful of queries, and somebody who comes
// alone waits for nobody.

#include <memory>
#include <optional>
#include <vector>

#include "storage/directory.h"
#include "storage/postgres/reads.h"

namespace uproar::storage::postgres {

class UserLookups {
 public:
  // Both outlive it; `connection` is the one that `reads` asks.
  UserLookups(Reads& reads, Connection& connection) : reads_(reads), connection_(connection) {}

  // Nothing: there is no such user. kOverloaded: kFindUsersMax wait already.
  void find(UserId id, Done<std::optional<User>> done);

 private:
  struct Lookup {
    UserId id;
    Done<std::optional<User>> done;
  };
  void ask();
  void answer(std::vector<Lookup> asked, Result<std::vector<User>, StoreError> found);

  Reads& reads_;
  Connection& connection_;
  std::vector<Lookup> waiting_;
  bool is_asking_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // any answer may end the client
};

}  // namespace uproar::storage::postgres
