#include "storage/sqlite/writer_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/sqlite/limits.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/stopwatch.h"

namespace uproar::storage::sqlite {
namespace {

// After these the connection's state is known: nothing of the transaction was kept, and it may go on as it is.
bool is_state_known(ErrorCode code) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CONSTRAINT:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<std::unique_ptr<WriterThread>, SystemError> WriterThread::start(Options options) {
  auto database = Database::open(options.path, options.database);
  if (!database) return Err{database.error()};
  auto migrated = migrate(*database, options.path);
  if (!migrated) return Err{migrated.error()};
  auto connection = std::make_unique<Connection>(std::move(database).value());
  if (!connection->database.ok())
    return Err{connection->database.describe_error("prepare", options.path)};
  std::unique_ptr<WriterThread> writer(new WriterThread(std::move(options), std::move(connection)));
  writer->thread_ = std::thread([self = writer.get()] { self->run(); });
  return writer;
}

WriterThread::~WriterThread() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  has_work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool WriterThread::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kWriteJobsMax || queued_bytes_ + job.bytes > kWriteBytesMax) {
      counters_.refused_full.add();
      return false;
    }
    queued_bytes_ += job.bytes;
    queue_.push_back(std::move(job));
    measure_queue();
  }
  has_work_.notify_one();
  return true;
}

void WriterThread::measure_queue() {
  counters_.waiting_jobs.set(static_cast<std::int64_t>(queue_.size()));
  counters_.waiting_bytes.set(static_cast<std::int64_t>(queued_bytes_));
}

void WriterThread::set_last_online(UserId user, std::int64_t at_us) {
  {
    const std::lock_guard lock(mutex_);
    if (last_online_.size() >= kLastOnlineMax && !last_online_.contains(user)) return;
    std::int64_t& newest = last_online_[user];
    newest = std::max(newest, at_us);
  }
  has_work_.notify_one();
}

std::string WriterThread::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

void WriterThread::run() {
  while (true) {
    Work work = take_work();
    const bool has_work = !work.jobs.empty() || !work.last_online.empty();
    if (has_work || !healthy()) {
      write(work);
    }
    if (work.is_stopping && !has_work) return;
  }
}

WriterThread::Work WriterThread::take_work() {
  const auto is_wanted = [this] {
    return is_stopping_ || !queue_.empty() || !last_online_.empty();
  };
  std::unique_lock lock(mutex_);
  if (healthy()) {
    has_work_.wait(lock, is_wanted);
  } else {
    has_work_.wait_for(lock, std::chrono::milliseconds(options_.probe_interval_ms), is_wanted);
  }
  Work work;
  work.is_stopping = is_stopping_;
  work.last_online.swap(last_online_);
  std::size_t bytes = 0;
  while (!queue_.empty()) {
    const Job& next = queue_.front();
    const bool fits =
        work.rows + next.rows <= kTransactionRowsMax && bytes + next.bytes <= kTransactionBytesMax;
    if (!fits && !work.jobs.empty()) break;
    work.rows += next.rows;
    bytes += next.bytes;
    queued_bytes_ -= next.bytes;
    work.jobs.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  measure_queue();
  return work;
}

void WriterThread::write(Work& work) {
  const Stopwatch stopwatch;
  const bool is_probe = work.jobs.empty() && work.last_online.empty();
  if (is_probe) counters_.probes.add();
  bool committed = false;
  if (connection_ != nullptr || reopen()) {
    for (int attempt = 0; attempt < kTransactionAttemptsMax && !committed; ++attempt) {
      committed = try_transaction(work);
      // A row that breaks a constraint slipped through our own judgement. It has marked itself to be left out, so that
      // it cannot fail its neighbours again and again.
      if (committed || (connection_->database.error() & 0xFF) != SQLITE_CONSTRAINT) break;
      counters_.constraint_faults.add();
    }
    if (!committed) transaction_failed();
  }
  if (committed) {
    counters_.transactions.add();
    counters_.jobs.add(work.jobs.size());
    counters_.rows.add(work.rows);
    counters_.rows_per_commit.record(work.rows);
    counters_.commit_us.record(stopwatch.microseconds());
  } else {
    counters_.failed_transactions.add();
  }
  // Before the answers: who hears of a commit finds the store healthy, and the reverse.
  if (!committed || work.has_written) set_healthy(committed);
  for (Job& job : work.jobs) job.finish(committed);
}

void WriterThread::set_healthy(bool is_healthy) {
  if (is_healthy && !healthy()) {
    const std::lock_guard lock(mutex_);
    last_error_.clear();
  }
  healthy_.store(is_healthy, std::memory_order_release);
  counters_.up.set(is_healthy ? 1 : 0);
}

bool WriterThread::try_transaction(Work& work) {
  Connection& connection = *connection_;
  Database& database = connection.database;
  const std::int64_t changes_before = database.total_changes();
  database.clear_error();
  database.exec("BEGIN IMMEDIATE");
  connection.operations.begin();
  for (Job& job : work.jobs) {
    if (!database.ok()) break;
    job.run({.database = database,
             .operations = connection.operations,
             .accounts = connection.accounts});
  }
  for (const auto& [user, at_us] : work.last_online)
    connection.accounts.set_last_online(user, at_us);
  connection.operations.finish();
  const bool is_probe = work.jobs.empty() && work.last_online.empty();
  if (is_probe) write_probe_row(database);
  work.has_written = database.total_changes() != changes_before;
  database.exec("COMMIT");
  if (database.ok()) return true;
  // Some errors roll back by themselves. The first error is kept for whoever asks.
  if (database.in_transaction())
    sqlite3_exec(database.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  return false;
}

void WriterThread::transaction_failed() {
  const ErrorCode code = connection_->database.error();
  {
    const std::lock_guard lock(mutex_);
    last_error_ = connection_->database.describe_error("commit", options_.path).text();
  }
  if (!is_state_known(code)) connection_.reset();
}

bool WriterThread::reopen() {
  counters_.reopened.add();
  auto database = Database::open(options_.path, options_.database);
  if (!database) {
    const std::lock_guard lock(mutex_);
    last_error_ = database.error().text();
    return false;
  }
  connection_ = std::make_unique<Connection>(std::move(database).value());
  if (connection_->database.ok()) return true;
  transaction_failed();
  connection_.reset();
  return false;
}

}  // namespace uproar::storage::sqlite
