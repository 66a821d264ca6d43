#include "storage/sqlite/jobs.h"

#include <algorithm>

#include "storage/limits.h"

namespace uproar::storage::sqlite {

#define KEY_IS "conversation_id=?1 AND seq=?2 AND kind=?3 AND user_id=?4"

Jobs::Jobs(Database& database)
    : database_(database),
      insert_(database,
              "INSERT INTO jobs(conversation_id, seq, kind, user_id, created_at, due_at, "
              "expires_at, attempts) VALUES(?1,?2,?3,?4,?5,?5,?6,0) ON CONFLICT DO NOTHING"),
      forget_(database,
              "DELETE FROM jobs WHERE (conversation_id, seq, kind, user_id) IN (SELECT "
              "conversation_id, seq, kind, user_id FROM jobs WHERE expires_at<=?1 ORDER BY "
              "expires_at LIMIT ?2)"),
      find_due_(database,
                "SELECT conversation_id, seq, kind, user_id, created_at, expires_at, attempts FROM "
                "jobs WHERE due_at<=?1 AND expires_at>?1 ORDER BY due_at, conversation_id, seq, "
                "kind, user_id LIMIT ?2"),
      take_(database, "UPDATE jobs SET due_at=?5, attempts=attempts+1 WHERE " KEY_IS),
      delete_(database, "DELETE FROM jobs WHERE " KEY_IS) {}

void Jobs::add(const Operation& operation, Seq seq) {
  for (const NewJob& job : operation.jobs)
    insert_.run(operation.conversation, seq, job.kind, job.user, operation.at_us,
                job.expires_at_us);
  forget_.run(operation.at_us, operation.jobs.size() * kJobsForgottenForEach);
}

Result<std::vector<Job>, StoreError> Jobs::take(std::int64_t now_us, std::int64_t until_us,
                                                std::uint32_t limit) {
  std::vector<Job> out;
  {
    Rows rows = find_due_.query(now_us, std::min(limit, kJobsTakenMax));
    while (rows.next()) {
      out.push_back({.key = {.conversation = rows.id<ConversationId>(0),
                             .seq = rows.u64(1),
                             .kind = rows.as<JobKind>(2),
                             .user = rows.id<UserId>(3)},
                     .created_at_us = rows.i64(4),
                     .expires_at_us = rows.i64(5),
                     .attempts = rows.u64(6) + 1});
    }
  }
  for (const Job& job : out)
    take_.run(job.key.conversation, job.key.seq, job.key.kind, job.key.user, until_us);
  return out;
}

Result<std::uint64_t, StoreError> Jobs::finish(const std::vector<JobKey>& jobs) {
  std::uint64_t finished = 0;
  for (const JobKey& key : jobs) {
    delete_.run(key.conversation, key.seq, key.kind, key.user);
    finished += static_cast<std::uint64_t>(database_.changes());
  }
  return finished;
}

}  // namespace uproar::storage::sqlite
