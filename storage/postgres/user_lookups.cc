#include "storage/postgres/user_lookups.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "storage/limits.h"

namespace uproar::storage::postgres {

void UserLookups::find(UserId id, Done<std::optional<User>> done) {
  if (waiting_.size() >= kFindUsersMax) {
    connection_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
    return;
  }
  waiting_.push_back({id, std::move(done)});
  if (!is_asking_) ask();
}

void UserLookups::ask() {
  is_asking_ = true;
  auto asked = std::make_shared<std::vector<Lookup>>(std::exchange(waiting_, {}));
  std::vector<UserId> ids;
  ids.reserve(asked->size());
  for (const Lookup& lookup : *asked) ids.push_back(lookup.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  reads_.find_users(ids, [this, asked](Result<std::vector<User>, StoreError> found) {
    is_asking_ = false;
    if (!waiting_.empty()) ask();
    answer(std::move(*asked), std::move(found));  // any of them may end the client
  });
}

void UserLookups::answer(std::vector<Lookup> asked, Result<std::vector<User>, StoreError> found) {
  const std::weak_ptr<bool> guard = is_alive_;
  if (found.ok()) {
    std::sort(found->begin(), found->end(),
              [](const User& a, const User& b) { return a.id < b.id; });
  }
  for (Lookup& lookup : asked) {
    if (!found.ok()) {
      lookup.done(Err{found.error()});
    } else {
      const auto user = std::lower_bound(found->begin(), found->end(), lookup.id,
                                         [](const User& x, UserId id) { return x.id < id; });
      const bool is_there = user != found->end() && user->id == lookup.id;
      lookup.done(is_there ? std::optional<User>(*user) : std::nullopt);
    }
    if (guard.expired()) return;
  }
}

}  // namespace uproar::storage::postgres
