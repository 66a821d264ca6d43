#include "storage/postgres/jobs.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "storage/limits.h"
#include "storage/postgres/statements.h"

namespace uproar::storage::postgres {

template <class T, class Build>
void Jobs::change(Call call, Done<T> done, Build build) {
  std::vector<Call> calls;
  calls.push_back(std::move(call));
  const bool is_queued =
      session_.run(std::move(calls), [done, build](bool committed, const std::vector<Rows>& rows) {
        if (!committed) return done(Err{StoreError::kUnavailable});
        done(build(rows[0]));
      });
  if (is_queued) return;
  reads_.later([done = std::move(done)] { done(Err{StoreError::kOverloaded}); });
}

void Jobs::take(std::int64_t now_us, std::int64_t until_us, std::uint32_t limit,
                Done<std::vector<Job>> done) {
  Params params;
  params.add_time(now_us).add_time(until_us).add_int8(std::min(limit, kJobsTakenMax));
  change(
      Call{.statement = static_cast<std::uint8_t>(Write::kTakeJobs), .params = std::move(params)},
      std::move(done), [](const Rows& rows) -> Result<std::vector<Job>, StoreError> {
        std::vector<std::pair<std::int64_t, Job>> taken;  // by when they were due
        for (int i = 0; i < rows.count(); ++i) {
          taken.push_back({rows.time(i, 7),
                           {.key = {.conversation = rows.id<ConversationId>(i, 0),
                                    .seq = rows.int8(i, 1),
                                    .kind = rows.as<JobKind>(i, 2),
                                    .user = rows.id<UserId>(i, 3)},
                            .created_at_us = rows.time(i, 4),
                            .expires_at_us = rows.time(i, 5),
                            .attempts = rows.int8(i, 6)}});
        }
        // An update tells its rows in the order that suited it.
        std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) {
          return std::tie(a.first, a.second.key) < std::tie(b.first, b.second.key);
        });
        std::vector<Job> out;
        for (auto& [due_at_us, job] : taken) out.push_back(job);
        return out;
      });
}

void Jobs::finish(const std::vector<JobKey>& jobs, Done<std::uint64_t> done) {
  Column conversation(Type::kUuid), seq(Type::kInt8), kind(Type::kInt2), user(Type::kUuid);
  for (const JobKey& job : jobs) {
    conversation.add(job.conversation);
    seq.add_int8(job.seq);
    kind.add_int2(static_cast<std::uint64_t>(job.kind));
    user.add(job.user);
  }
  Params params;
  params.add(std::move(conversation)).add(std::move(seq)).add(std::move(kind)).add(std::move(user));
  change(
      Call{.statement = static_cast<std::uint8_t>(Write::kFinishJobs), .params = std::move(params)},
      std::move(done),
      [](const Rows& rows) -> Result<std::uint64_t, StoreError> { return rows.int8(0, 0); });
}

}  // namespace uproar::storage::postgres
