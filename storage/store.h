#pragma once

// A backend as one shard sees it: four roles over one database. Clients belong to a shard and its reactor; what
// they share (files, threads) belongs to the backend that made them and outlives them.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/directory.h"
#include "storage/history.h"
#include "storage/job_queue.h"
#include "storage/message_log.h"
#include "storage/nodes_at_work.h"
#include "storage/reactor.h"

namespace uproar::storage {

class StoreClient {
 public:
  virtual ~StoreClient() = default;
  // Where batches go, at least one place. Lanes do not wait for each other; all work on a conversation goes through one
  // of them. Owned by the client.
  virtual std::vector<BatchStore*> lanes() = 0;
  BatchStore& first_lane() { return *lanes().front(); }
  virtual HistoryReader& history() = 0;
  virtual Directory& directory() = 0;
  virtual JobQueue& jobs() = 0;
  // Null: a store that one node uses, or whose nodes it does not know.
  virtual NodesAtWork* nodes_at_work() { return nullptr; }
  // A commit that changes nothing anybody reads and reaches the disk all the same. `done` runs later on the client's
  // reactor; false: it could not be made durable, or the queue was full.
  virtual void probe(std::function<void(bool committed)> done) = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // Call on the shard's thread or before it runs; the client's callbacks run on `reactor`, which outlives it.
  virtual std::unique_ptr<StoreClient> open_client(Reactor& reactor) = 0;
  // From any thread. False while commits are known to fail, or sessions that read are known to be gone.
  [[nodiscard]] virtual bool healthy() const = 0;
  // From any thread. Why not, for operators: in the words of what fails, with what mends it. Empty: nothing is known.
  [[nodiscard]] virtual std::string last_error() const { return {}; }
  [[nodiscard]] virtual std::string_view kind() const = 0;  // "sqlite", "memory"
};

}  // namespace uproar::storage
