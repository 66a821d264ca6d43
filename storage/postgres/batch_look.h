#pragma once

// The first step of a batch: which rows its operations can touch, the statements that lock and fetch them, and their
// answer as a BatchState.

#include <span>
#include <vector>

#include "storage/postgres/batch_state.h"
#include "storage/postgres/connection.h"
#include "storage/postgres/statements.h"

namespace uproar::storage::postgres {

class BatchLook {
 public:
  // `operations` outlive the look and the state. With `careful`, client ids and ids of messages are looked up. Without,
  // they are taken to be new, as nearly all are: a unique key refuses the batch when one is not, and it starts again.
  BatchLook(std::span<const Operation> operations, bool careful);

  // Once, in this order.
  [[nodiscard]] std::vector<Call> take_calls() { return std::move(calls_); }
  [[nodiscard]] BatchState read(const std::vector<Rows>& answer);

 private:
  void add(Write statement, Params params);

  std::vector<Write> order_;
  std::vector<Call> calls_;
  // Views into the operations: the keys of the state's first attempts.
  absl::flat_hash_set<BatchState::AttemptKey> attempts_;
  BatchState state_;
};

// The second step: the statements that write what was judged, with the commit.
[[nodiscard]] std::vector<Call> batch_writes(BatchState& state);

}  // namespace uproar::storage::postgres
