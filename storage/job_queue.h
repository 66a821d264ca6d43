#pragma once

// The outbox: work for somebody else that a commit causes (a push to who was absent, a mail). Jobs are rows that are
// written in the transaction of the event they speak of (Operation::jobs), so neither is there without the other; who
// takes them later does what they say at least once, and looks first whether it is still worth doing.
//
// Each has a time after which nobody needs it. Expired ones are never handed out, and every commit that adds jobs
// forgets up to twice as many of them: an outbox that nobody empties holds what was added within that time.

#include <compare>
#include <cstdint>
#include <vector>

#include "storage/history.h"
#include "storage/operation.h"

namespace uproar::storage {

// Which job: there is one of a kind for each event and user. What a taker remembers to do nothing twice.
struct JobKey {
  ConversationId conversation{};
  Seq seq = 0;  // of the event
  JobKind kind{};
  UserId user{};

  friend auto operator<=>(const JobKey&, const JobKey&) = default;
};
struct Job {
  JobKey key{};
  std::int64_t created_at_us = 0;
  std::int64_t expires_at_us = 0;
  std::uint64_t attempts = 0;  // times handed out, this one included
};

class JobQueue {
 public:
  virtual ~JobQueue() = default;
  // Up to `limit` (kJobsTakenMax) that are due at `now_us` and not expired, those first that have been due longest. Nobody is
  // given them again before `until_us`: that is the taker's time to finish, and how long a failed attempt waits.
  virtual void take_jobs(std::int64_t now_us, std::int64_t until_us, std::uint32_t limit,
                         Done<std::vector<Job>> done) = 0;
  // They are done, or given up. The answer: how many of them were there.
  virtual void finish_jobs(std::vector<JobKey> jobs, Done<std::uint64_t> done) = 0;
};

}  // namespace uproar::storage
