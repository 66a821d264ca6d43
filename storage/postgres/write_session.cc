// Hot path: per batch, of any size two round trips: a look, then the writes with their commit; a batch that starts again
// has three more. Allocations: the batch's outcomes, its look, and the calls of both trips.
#include "storage/postgres/write_session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/judge.h"
#include "storage/postgres/limits.h"

namespace uproar::storage::postgres {
namespace {

// For the counters alone: no decision rests on it.
std::int64_t stopwatch_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Call call(Write statement, Params params = {}) {
  return {.statement = static_cast<std::uint8_t>(statement), .params = std::move(params)};
}

std::vector<Call> one(Call call) {
  std::vector<Call> calls;
  calls.push_back(std::move(call));
  return calls;
}

bool is_worth_another_try(const std::string& sqlstate) {
  return sqlstate ==
             "23505" ||  // a unique key that somebody else took between our look and our write
         sqlstate == "40001" ||
         sqlstate == "40P01";  // serialization, deadlock: rolled back for certain
}
// Values or constraints: what the schema refuses once it refuses always.
bool is_refused_by_schema(const std::string& sqlstate) {
  return sqlstate.starts_with("22") || sqlstate.starts_with("23");
}

}  // namespace

WriteSession::WriteSession(Connector& connector, Reactor& reactor, Health& health, Options options,
                           std::shared_ptr<WriteCounters> counters)
    : connector_(connector),
      reactor_(reactor),
      health_(health),
      options_(options),
      counters_(std::move(counters)),
      self_(std::make_shared<WriteSession*>(this)),
      connection_(connector, reactor,
                  {.purpose = Purpose::kWrite, .answer_timeout_ms = options.answer_timeout_ms},
                  [this](bool is_up, const std::string& why) { connection_changed(is_up, why); }) {}

WriteSession::~WriteSession() {
  if (last_online_armed_) reactor_.cancel_timer(last_online_timer_);
  if (probe_armed_) reactor_.cancel_timer(probe_);
}

void WriteSession::connection_changed(bool is_up, const std::string& why) {
  is_up_ = is_up;
  if (is_up) {
    counters_->connects.add();
  } else {
    health_.say(why);
  }
  update_health();
  if (is_up && commits_fail_) probe_later();
}

// --- batches ----------------------------------------------------------------------------------------------------

void WriteSession::commit(std::vector<Operation> operations, BatchStore::CommitDone done) {
  Batch batch{.operations = std::move(operations), .done = std::move(done)};
  batch.end = batch.operations.size();
  batches_.push_back(std::move(batch));
  next();
}

void WriteSession::next() {
  if (batch_open_) return;
  send_jobs();
  if (batches_.empty()) return;
  batch_open_ = true;
  if (careful_batches_ > 0) {
    --careful_batches_;
    batches_.front().careful = true;
  }
  batch_since_us_ = stopwatch_us();
  look();
}

void WriteSession::look() {
  Batch& batch = batches_.front();
  const std::span<const Operation> operations(batch.operations);
  batch.look = std::make_unique<BatchLook>(operations.subspan(batch.begin, batch.end - batch.begin),
                                           batch.careful);
  connection_.send(batch.look->take_calls(), [this](Answer answer) { looked(std::move(answer)); });
}

void WriteSession::looked(Answer answer) {
  if (answer.end != Answer::End::kDone) return batch_failed(answer);
  Batch& batch = batches_.front();
  batch.state = batch.look->read(answer.rows);
  Judge judge(batch.state);
  batch.outcomes.resize(batch.begin);
  for (std::size_t i = batch.begin; i < batch.end; ++i)
    batch.outcomes.push_back(judge.apply(batch.operations[i]));
  if (batch.state.wants_first_attempts) {
    batch.careful = true;
    counters_->restarted.add();
    connection_.send(one(call(Write::kRollback)), [this](const Answer&) { look(); });
    return;
  }
  std::vector<Call> writes = batch_writes(batch.state);
  batch.has_written = writes.size() > 1;
  connection_.send(std::move(writes), [this](Answer end) { written(std::move(end)); });
}

void WriteSession::written(Answer answer) {
  if (answer.end != Answer::End::kDone) return batch_failed(answer);
  slice_done();
}

void WriteSession::batch_failed(const Answer& answer) {
  if (answer.end != Answer::End::kFailed) return rolled_back({});
  connection_.send(one(call(Write::kRollback)),
                   [this, failure = answer.failure](const Answer&) { rolled_back(failure); });
}

void WriteSession::rolled_back(const Failure& failure) {
  Batch& batch = batches_.front();
  const bool may_try = ++batch.attempts < kBatchAttemptsMax;
  if (is_worth_another_try(failure.sqlstate) && may_try) {
    // Retries come in swarms: a network came back, a node went.
    if (failure.sqlstate == "23505") careful_batches_ = kCarefulBatches;
    batch.careful = true;
    counters_->restarted.add();
    return look();
  }
  if (is_refused_by_schema(failure.sqlstate)) {
    batch.outcomes.resize(batch.begin);
    batch.attempts = 0;
    if (batch.end - batch.begin > 1) {
      batch.end = batch.begin + 1;
      return look();
    }
    const Operation& operation = batch.operations[batch.begin];
    batch.outcomes.push_back(
        {.ticket = operation.ticket, .status = OutcomeStatus::kConflict, .at_us = operation.at_us});
    counters_->left_out.add();
    return slice_done();
  }
  commit_failed(failure);
  batch.outcomes.clear();
  for (const Operation& operation : batch.operations)
    batch.outcomes.push_back({.ticket = operation.ticket});
  batch_done();
}

void WriteSession::slice_done() {
  Batch& batch = batches_.front();
  counters_->rows.add(batch.end - batch.begin);
  counters_->rows_per_commit.record(batch.end - batch.begin);
  counters_->commit_us.record(static_cast<std::uint64_t>(stopwatch_us() - batch_since_us_));
  committed(batch.has_written);
  if (batch.end == batch.operations.size()) return batch_done();
  batch.begin = batch.end;
  batch.end = batch.begin + 1;
  batch_since_us_ = stopwatch_us();
  look();
}

void WriteSession::batch_done() {
  Batch batch = std::move(batches_.front());
  batches_.pop_front();
  batch_open_ = false;
  const std::weak_ptr<WriteSession*> guard = self_;
  // It usually hands over the next batch from here.
  batch.done(std::move(batch.outcomes));
  if (!guard.expired()) next();
}

// --- accounts ---------------------------------------------------------------------------------------------------

bool WriteSession::run(std::vector<Call> calls, Done done) {
  if (jobs_.size() >= kAccountJobsMax) {
    counters_->refused_full.add();
    return false;
  }
  jobs_.push_back({.calls = std::move(calls), .done = std::move(done)});
  next();
  return true;
}

void WriteSession::set_last_online(UserId user, std::int64_t at_us) {
  if (last_online_.size() >= kLastOnlineMax && !last_online_.contains(user)) return;
  std::int64_t& newest = last_online_[user];
  newest = std::max(newest, at_us);
  if (last_online_armed_) return;
  last_online_armed_ = true;
  last_online_timer_ = reactor_.arm_timer(kLastOnlineDelayMs, [this] {
    last_online_armed_ = false;
    next();
  });
}

void WriteSession::add_last_online(std::vector<Job>& jobs) {
  if (last_online_.empty()) return;
  std::vector<std::pair<UserId, std::int64_t>> sorted(last_online_.begin(), last_online_.end());
  std::sort(sorted.begin(), sorted.end());
  last_online_.clear();
  Column user(Type::kUuid), at(Type::kTime);
  for (const auto& [who, when] : sorted) {
    user.add(who);
    at.add_time(when);
  }
  jobs.push_back({.calls = one(call(Write::kSetLastOnline,
                                    std::move(Params().add(std::move(user)).add(std::move(at))))),
                  .done = [](bool, const std::vector<Rows>&) {}});
}

// Not inside a batch's transaction. One group at a time: what arrives meanwhile shares the next sync.
void WriteSession::send_jobs() {
  if (jobs_sent_ || batch_open_) return;
  const bool last_online_is_due = !last_online_armed_ || !jobs_.empty();
  std::vector<Job> group;
  if (last_online_is_due) add_last_online(group);
  while (!jobs_.empty() && group.size() < kAccountGroupMax) {
    const bool alone = jobs_.front().alone;
    if (alone && !group.empty()) break;
    group.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
    if (alone) break;
  }
  if (group.empty()) return;
  jobs_sent_ = true;
  std::vector<Call> calls;
  std::vector<std::size_t> sizes;
  for (const Job& job : group) {
    sizes.push_back(job.calls.size());
    calls.insert(calls.end(), job.calls.begin(), job.calls.end());
  }
  auto shared = std::make_shared<std::vector<Job>>(std::move(group));
  connection_.send(std::move(calls), [this, shared, sizes](Answer answer) {
    jobs_done(std::move(*shared), sizes, std::move(answer));
  });
}

void WriteSession::jobs_done(std::vector<Job> jobs, std::vector<std::size_t> sizes, Answer answer) {
  jobs_sent_ = false;
  const std::weak_ptr<WriteSession*> guard = self_;
  if (answer.end == Answer::End::kFailed && jobs.size() > 1) {
    // One of them is to blame; each may try for itself.
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
      job->alone = true;
      jobs_.push_front(std::move(*job));
    }
    return next();
  }
  const bool is_committed = answer.end == Answer::End::kDone;
  if (is_committed) {
    committed(false);
  } else if (!is_refused_by_schema(answer.failure.sqlstate)) {
    commit_failed(answer.failure);
  }
  std::size_t from = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    std::vector<Rows> rows;
    for (std::size_t n = 0; is_committed && n < sizes[i]; ++n)
      rows.push_back(std::move(answer.rows[from + n]));
    from += sizes[i];
    jobs[i].done(is_committed, std::move(rows));
    if (guard.expired()) return;
  }
  next();
}

// --- health -----------------------------------------------------------------------------------------------------

// One that changed nothing commits on a full disk, too, and says nothing.
void WriteSession::committed(bool has_written) {
  counters_->transactions.add();
  if (has_written) commits_fail_ = false;
  update_health();
}

void WriteSession::commit_failed(const Failure& failure) {
  counters_->failed.add();
  if (is_up_) {  // else the connection's own words say more
    health_.say(describe_failure(connector_.options().url, "commit to", failure).text());
    commits_fail_ = true;
    if (failure.sqlstate == sqlstate::kReadOnly) connection_.reopen(failure.words);
    probe_later();
  }
  update_health();
}

void WriteSession::update_health() {
  const bool is_sick = !is_up_ || commits_fail_;
  counters_->up.set(is_sick ? 0 : 1);
  if (health_.set(is_sick) && !is_sick && recovered_) recovered_();
}

void WriteSession::probe_later() {
  if (probe_armed_) return;
  probe_armed_ = true;
  probe_ = reactor_.arm_timer(options_.probe_interval_ms, [this] {
    probe_armed_ = false;
    if (!is_up_ || !commits_fail_) return;
    counters_->probes.add();
    probe([](bool) {});
  });
}

void WriteSession::probe(std::function<void(bool committed)> done) {
  const std::string ballast(kProbeRowBytes, 'p');
  std::vector<Call> calls;
  calls.push_back(call(Write::kProbeSettings));
  calls.push_back(call(Write::kProbeRoom));
  calls.push_back(call(Write::kProbe, std::move(Params().add_bytes(ballast))));
  const auto shared = std::make_shared<std::function<void(bool)>>(std::move(done));
  const bool is_queued =
      run(std::move(calls), [this, shared](bool committed, const std::vector<Rows>&) {
        if (committed) commits_fail_ = false;
        update_health();
        if (!committed && commits_fail_) probe_later();
        (*shared)(committed);
      });
  if (is_queued) return;
  reactor_.post([shared, guard = std::weak_ptr<WriteSession*>(self_)] {
    if (!guard.expired()) (*shared)(false);
  });
}

}  // namespace uproar::storage::postgres
