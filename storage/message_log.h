#pragma once

// What the domain is given to make things durable. storage::CommitLanes implements it over the lanes of a store.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "storage/operation.h"

namespace uproar::storage {

enum class StageResult : std::uint8_t {
  kStaged,      // its outcome will come, exactly once
  kFull,        // the open batch is at its limit: overloaded
  kUnavailable  // the store is known to be down: the circuit is open
};

class MessageLog {
 public:
  virtual ~MessageLog() = default;
  virtual StageResult stage(Operation operation) = 0;
  // Whether stage() would not answer kFull to so many rows and bytes of this conversation. False:
  // something is staged or in flight, and after its outcomes it is worth asking again. True also
  // while the store is down: stage() says that.
  [[nodiscard]] virtual bool has_room(ConversationId conversation, std::size_t rows,
                                      std::size_t bytes) const = 0;
  // After kFull or kUnavailable: when to tell the client to come back.
  [[nodiscard]] virtual std::uint32_t retry_after_ms() const = 0;
};

// Hears outcomes in stage order for each conversation, on the shard that staged them, never inside stage(). Between
// conversations there is no order.
class CommitListener {
 public:
  virtual ~CommitListener() = default;
  virtual void on_committed(std::span<const Outcome> outcomes) = 0;
};

// What a backend implements: one batch, one transaction.
class BatchStore {
 public:
  using CommitDone = std::function<void(std::vector<Outcome>)>;  // one per operation, in order
  virtual ~BatchStore() = default;
  // Never blocks. `done` runs later on the calling shard's reactor.
  virtual void commit(std::vector<Operation> batch, CommitDone done) = 0;
  // `recovered` runs on the shard's reactor whenever the store has found out by itself that commits may work again: an
  // outage then ends with it, and not with the next try. A store that cannot tell never calls it.
  virtual void when_recovered(std::function<void()> recovered) { (void)recovered; }
};

}  // namespace uproar::storage
