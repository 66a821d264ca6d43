#pragma once

// The one thread that writes. Whatever is queued when it is free becomes one transaction with one fsync: batches of all
// shards, new users, sessions. So under load a commit serves everybody who waited for the one before.
//
// A job that is refused by the rules fails alone. When the database itself fails, the transaction is rolled back and
// every job in it fails; healthy() is false until a transaction that writes works again, which the thread also tries by
// itself. One that changed no row commits on a full disk, too, and says nothing.
//
// What SQLite guarantees: with a WAL and synchronous=FULL, COMMIT returns SQLITE_OK only after the log is synced up to
// and including the commit record, and a reopened database contains exactly the transactions whose commit record is
// whole. After an error from COMMIT the transaction is rolled back for this connection, but the record may have reached
// the file (a failed fsync says nothing about what is on disk), so a crash right then may bring it back. Hence: report
// kUnavailable, never success; rely on client_id to make a retry harmless; and give up the connection with its cached
// state, so that the next transaction starts from what the file says.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "proto/base/counters.h"
#include "storage/sqlite/accounts.h"
#include "storage/sqlite/operations.h"

namespace uproar::storage::sqlite {

// Written by the writer's thread (refused_* and waiting_* under its lock), read from any.
struct WriterCounters {
  Counter transactions;  // committed: fsyncs, as good as
  Counter jobs;          // in them: batches and directory work
  Counter rows;
  Counter failed_transactions;
  Counter refused_full;
  Counter constraint_faults;  // rows left out of a transaction that they broke: a bug of ours
  Counter probes;             // the writer's own, while unhealthy
  Counter reopened;
  Gauge up;             // 1: healthy()
  Gauge waiting_jobs;   // in the queue
  Gauge waiting_bytes;  // of them
  Histogram rows_per_commit;
  Histogram commit_us;  // from BEGIN to the end of COMMIT
};

class WriterThread {
 public:
  struct Options {
    std::string path;
    Database::Options database;
    std::uint32_t probe_interval_ms = 0;
  };
  struct Tools {
    Database& database;
    Operations& operations;
    Accounts& accounts;
  };
  struct Job {
    // Inside the transaction; may run again when the transaction starts again. Failures are tools.database.error().
    std::function<void(Tools)> run;
    // Once, after the transaction's end, on the writer's thread.
    std::function<void(bool committed)> finish;
    std::size_t rows = 1;
    std::size_t bytes = 0;
  };

  static Result<std::unique_ptr<WriterThread>, SystemError> start(Options options);
  // Commits what is queued, then ends.
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

  // From any thread, never blocks on the disk. False: the queue is full; the job is dropped, finish() is not called.
  bool submit(Job job);
  void set_last_online(UserId user, std::int64_t at_us);

  [[nodiscard]] bool healthy() const { return healthy_.load(std::memory_order_acquire); }
  // Why not; empty while healthy.
  [[nodiscard]] std::string last_error() const;
  [[nodiscard]] const WriterCounters& counters() const { return counters_; }
  [[nodiscard]] WriterCounters& counters() { return counters_; }

 private:
  struct Connection {
    explicit Connection(Database opened)
        : database(std::move(opened)), operations(database), accounts(database) {}
    Database database;
    Operations operations;
    Accounts accounts;
  };
  struct Work {
    std::vector<Job> jobs;
    std::unordered_map<UserId, std::int64_t> last_online;
    std::size_t rows = 0;
    bool is_stopping = false;
    bool has_written = false;  // some row changed: the commit said something about the disk
  };

  WriterThread(Options options, std::unique_ptr<Connection> connection)
      : options_(std::move(options)), connection_(std::move(connection)) {
    counters_.up.set(1);
  }
  void run();
  Work take_work();
  void measure_queue();  // under the lock
  void write(Work& work);
  void set_healthy(bool is_healthy);
  bool try_transaction(Work& work);
  void transaction_failed();
  bool reopen();

  const Options options_;
  std::unique_ptr<Connection>
      connection_;  // null: given up after an error, opened again by the next transaction

  mutable std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<Job> queue_;
  std::size_t queued_bytes_ = 0;
  std::unordered_map<UserId, std::int64_t> last_online_;
  bool is_stopping_ = false;
  std::string last_error_;

  std::atomic<bool> healthy_{true};
  WriterCounters counters_;
  std::thread thread_;
};

}  // namespace uproar::storage::sqlite
