#pragma once

// The outbox for whoever takes jobs from it; they are added by batches (judge.h). Each call is one transaction of the
// client's write session, shared with those that wait beside it. Takers of several nodes do not wait for each other.

#include <cstdint>
#include <vector>

#include "storage/job_queue.h"
#include "storage/postgres/write_session.h"

namespace uproar::storage::postgres {

class Jobs {
 public:
  // Both outlive it.
  Jobs(WriteSession& session, Connection& reads) : session_(session), reads_(reads) {}

  void take(std::int64_t now_us, std::int64_t until_us, std::uint32_t limit,
            Done<std::vector<Job>> done);
  void finish(const std::vector<JobKey>& jobs, Done<std::uint64_t> done);

 private:
  template <class T, class Build>
  void change(Call call, Done<T> done, Build build);

  WriteSession& session_;
  Connection& reads_;
};

}  // namespace uproar::storage::postgres
