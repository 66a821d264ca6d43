#pragma once

// Rows by id, for many who ask one by one: everybody who connects. One query at a time, which brings all that were
// asked for while the one before was under way; so a storm of clients is a handful of queries, and somebody who comes
// alone waits for nobody. Each answer is of a query that began after it was asked for.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/sort_unique.h"
#include "storage/client_link.h"
#include "storage/history.h"

namespace uproar::storage::postgres {

// `Row` has an `id`.
template <class Row>
class Lookups {
 public:
  using Id = decltype(Row::id);
  // Asks for these: each once, at most as many as may wait. It must not answer once this is gone. Rows come in any order,
  // those that are not there are left out.
  using Query = std::function<void(const std::vector<Id>&, Done<std::vector<Row>>)>;

  Lookups(Reactor& reactor, std::size_t waiting_max, Query query)
      : link_(std::make_shared<ClientLink>(reactor)),
        waiting_max_(waiting_max),
        query_(std::move(query)) {}
  ~Lookups() { link_->close(); }
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  // Nothing: there is none. kOverloaded: `waiting_max` wait already.
  void find(Id id, Done<std::optional<Row>> done) {
    if (waiting_.size() >= waiting_max_) {
      link_->post([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
      return;
    }
    waiting_.push_back({id, std::move(done)});
    if (!is_asking_) ask();
  }

 private:
  struct Lookup {
    Id id;
    Done<std::optional<Row>> done;
  };

  void ask() {
    is_asking_ = true;
    auto asked = std::make_shared<std::vector<Lookup>>(std::exchange(waiting_, {}));
    std::vector<Id> ids;
    ids.reserve(asked->size());
    for (const Lookup& lookup : *asked) ids.push_back(lookup.id);
    sort_unique(ids);
    query_(ids, [this, asked](Result<std::vector<Row>, StoreError> found) {
      is_asking_ = false;
      if (!waiting_.empty()) ask();
      answer(std::move(*asked), std::move(found));  // any of them may end the client
    });
  }

  void answer(std::vector<Lookup> asked, Result<std::vector<Row>, StoreError> found) {
    const std::weak_ptr<bool> guard = is_alive_;
    if (found.ok()) {
      std::sort(found->begin(), found->end(),
                [](const Row& a, const Row& b) { return a.id < b.id; });
    }
    for (Lookup& lookup : asked) {
      if (!found.ok()) {
        lookup.done(Err{found.error()});
      } else {
        const auto row = std::lower_bound(found->begin(), found->end(), lookup.id,
                                          [](const Row& x, const Id& id) { return x.id < id; });
        const bool is_there = row != found->end() && row->id == lookup.id;
        lookup.done(is_there ? std::optional<Row>(*row) : std::nullopt);
      }
      if (guard.expired()) return;
    }
  }

  const std::shared_ptr<ClientLink> link_;
  const std::size_t waiting_max_;
  const Query query_;
  std::vector<Lookup> waiting_;
  bool is_asking_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // any answer may end the client
};

}  // namespace uproar::storage::postgres
