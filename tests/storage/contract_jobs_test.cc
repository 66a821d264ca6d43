// The outbox, on every backend: jobs are there exactly when what caused them is, are handed to one taker at a time, and do
// not pile up when nobody takes them.

#include "tests/storage/contract.h"

namespace uproar::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t kLate = 9'000'000;  // no test's time comes so far

class Outbox : public ContractTest {
 protected:
  Outbox() {
    creates(user(1), conversation(1), chat::ConversationKind::kGroup, {user(1), user(2)});
  }

  Outcome sends_with(UserId actor, std::vector<NewJob> jobs, std::string client_id = {}) {
    Operation all = operation(conversation(1), actor, message("text", std::move(client_id)));
    all.jobs = std::move(jobs);
    return call->commit_one(std::move(all));
  }
  static NewJob push(UserId to, std::int64_t expires_at_us = kLate) {
    return {.kind = JobKind::kPush, .user = to, .expires_at_us = expires_at_us};
  }
  static JobKey key(Seq seq, UserId to, JobKind kind = JobKind::kPush) {
    return {.conversation = conversation(1), .seq = seq, .kind = kind, .user = to};
  }
  std::vector<JobKey> taken(std::int64_t until_us, std::uint32_t limit = 100) {
    std::vector<JobKey> out;
    for (const Job& job : call->take_jobs(now_us, until_us, limit).value()) out.push_back(job.key);
    return out;
  }
};

TEST_P(Outbox, HasTheJobsOfWhatWasCommittedAndOfNothingElse) {
  ASSERT_EQ(sends_with(user(1), {push(user(2)), {JobKind::kMention, user(2), kLate}}, "a").seq, 1U);
  ASSERT_EQ(sends_with(user(1), {push(user(3))}, "a").status, OutcomeStatus::kDuplicate);
  ASSERT_EQ(sends_with(user(5), {push(user(4))}).status, OutcomeStatus::kForbidden);
  Operation unread = operation(conversation(1), user(2), AdvanceMark{chat::MarkKind::kSeen, 1});
  ASSERT_EQ(call->commit_one(unread).status, OutcomeStatus::kCommitted);  // an event without any
  const std::int64_t sent_us = rows(conversation(1)).front().sent_at_us;
  if (backend->is_durable()) reopen();
  const auto jobs = call->take_jobs(now_us, kLate, 100);
  ASSERT_EQ(jobs->size(), 2U);
  EXPECT_EQ((*jobs)[0].key, key(1, user(2)));
  EXPECT_EQ((*jobs)[1].key, key(1, user(2), JobKind::kMention));
  EXPECT_EQ((*jobs)[0].created_at_us, sent_us);
  EXPECT_EQ((*jobs)[0].expires_at_us, kLate);
  EXPECT_EQ((*jobs)[0].attempts, 1U);
}

TEST_P(Outbox, KeepsOneJobOfAKindForAUser) {
  sends_with(user(1), {push(user(2)), push(user(2)), push(UserId{})});
  EXPECT_THAT(taken(kLate), ElementsAre(key(1, UserId{}), key(1, user(2))));
}

TEST_P(Outbox, GivesAJobToOneTakerUntilItsTimeIsOver) {
  sends_with(user(1), {push(user(2))});
  const std::int64_t until_us = now_us + 100;
  ASSERT_THAT(taken(until_us), ElementsAre(key(1, user(2))));
  now_us = until_us - 1;
  EXPECT_THAT(taken(until_us), IsEmpty());
  now_us = until_us;
  const auto again = call->take_jobs(now_us, kLate, 100);
  ASSERT_EQ(again->size(), 1U);
  EXPECT_EQ(again->front().attempts, 2U);
}

TEST_P(Outbox, GivesThoseFirstThatHaveBeenDueLongest) {
  for (int i = 0; i < 3; ++i) sends_with(user(1), {push(user(2))});
  ASSERT_THAT(taken(now_us + 1, 1), ElementsAre(key(1, user(2))));  // due again, after the others
  now_us += 1;
  EXPECT_THAT(taken(kLate, 2), ElementsAre(key(2, user(2)), key(3, user(2))));
  EXPECT_THAT(taken(kLate, 2), ElementsAre(key(1, user(2))));
}

TEST_P(Outbox, ForgetsWhatIsFinished) {
  sends_with(user(1), {push(user(2)), push(user(3))});
  EXPECT_EQ(*call->finish_jobs({key(1, user(2)), key(7, user(2))}), 1U);
  EXPECT_EQ(*call->finish_jobs({key(1, user(2))}), 0U);
  EXPECT_EQ(*call->finish_jobs({}), 0U);
  EXPECT_THAT(taken(kLate), ElementsAre(key(1, user(3))));
}

TEST_P(Outbox, NeverGivesWhatHasExpired) {
  sends_with(user(1), {push(user(2), now_us + 50), push(user(3))});
  now_us += 50;
  EXPECT_THAT(taken(kLate), ElementsAre(key(1, user(3))));
}

// Nobody ever takes one of them: what stays is what was added within a job's life, and no more.
TEST_P(Outbox, HoldsNoMoreThanALifetimeOfJobsWhenNobodyTakesThem) {
  constexpr int kLifetime = 20;  // of a microsecond for each message
  constexpr Seq kSent = 200;
  for (Seq seq = 1; seq <= kSent; ++seq)
    ASSERT_EQ(sends_with(user(1), {push(user(2), now_us + kLifetime)}).seq, seq);
  std::uint64_t left = 0;
  for (Seq seq = 1; seq <= kSent; ++seq) left += *call->finish_jobs({key(seq, user(2))});
  EXPECT_GE(left, kLifetime / 2U);
  EXPECT_LE(left, kLifetime + 2U);
}

UPROAR_CONTRACT(Outbox);

}  // namespace
}  // namespace uproar::storage
