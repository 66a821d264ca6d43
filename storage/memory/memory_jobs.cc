#include <algorithm>
#include <tuple>

#include "storage/limits.h"
#include "storage/memory/memory_model.h"

namespace uproar::storage {

void MemoryModel::add_jobs(const Operation& operation, Seq seq) {
  for (const NewJob& job : operation.jobs) {
    const JobKey key{operation.conversation, seq, job.kind, job.user};
    jobs_.try_emplace(key, WaitingJob{.job = {.key = key,
                                              .created_at_us = operation.at_us,
                                              .expires_at_us = job.expires_at_us},
                                      .due_at_us = operation.at_us});
  }
  for (std::size_t n = 0; n < operation.jobs.size() * kJobsForgottenForEach; ++n) {
    const auto oldest =
        std::min_element(jobs_.begin(), jobs_.end(), [](const auto& a, const auto& b) {
          return a.second.job.expires_at_us < b.second.job.expires_at_us;
        });
    if (oldest->second.job.expires_at_us > operation.at_us) return;
    jobs_.erase(oldest);
    if (jobs_.empty()) return;
  }
}

Result<std::vector<Job>, StoreError> MemoryModel::take_jobs(std::int64_t now_us,
                                                            std::int64_t until_us,
                                                            std::uint32_t limit) {
  std::vector<WaitingJob*> due;
  for (auto& [key, waiting] : jobs_) {
    if (waiting.due_at_us <= now_us && waiting.job.expires_at_us > now_us) due.push_back(&waiting);
  }
  std::stable_sort(due.begin(), due.end(), [](const WaitingJob* a, const WaitingJob* b) {
    return a->due_at_us < b->due_at_us;
  });
  due.resize(std::min<std::size_t>(due.size(), std::min(limit, kJobsTakenMax)));
  std::vector<Job> out;
  for (WaitingJob* waiting : due) {
    waiting->due_at_us = until_us;
    waiting->job.attempts += 1;
    out.push_back(waiting->job);
  }
  return out;
}

Result<std::uint64_t, StoreError> MemoryModel::finish_jobs(const std::vector<JobKey>& jobs) {
  std::uint64_t finished = 0;
  for (const JobKey& key : jobs) finished += jobs_.erase(key);
  return finished;
}

}  // namespace uproar::storage
