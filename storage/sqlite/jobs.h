#pragma once

// The outbox in the writer's transactions (storage/job_queue.h).

#include <cstdint>
#include <vector>

#include "storage/job_queue.h"
#include "storage/sqlite/database.h"

namespace uproar::storage::sqlite {

class Jobs {
 public:
  explicit Jobs(Database& database);

  // Of an operation that was committed as `seq`. Forgets some that have expired.
  void add(const Operation& operation, Seq seq);
  Result<std::vector<Job>, StoreError> take(std::int64_t now_us, std::int64_t until_us,
                                            std::uint32_t limit);
  Result<std::uint64_t, StoreError> finish(const std::vector<JobKey>& jobs);

 private:
  Database& database_;
  Statement insert_;
  Statement forget_;
  Statement find_due_;
  Statement take_;
  Statement delete_;
};

}  // namespace uproar::storage::sqlite
