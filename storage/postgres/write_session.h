#pragma once

// A session of a client that writes: the batches of one lane, one after the other, and account work between them.
//
//   commit()  ->  lock and look  ->  judge  ->  write and commit  ->  outcomes
//
// A batch is one transaction in two round trips. The first locks its conversations in the order of their ids and reads
// what its operations can touch; the second writes each row that changed once, and commits. So the work of a batch is a
// dozen statements at most, whatever its size and mix, and a transaction whose commit is in doubt holds its
// conversations locked until the doubt is over: nothing can be written behind its back.
//
// A commit whose answer never came is kUnavailable, although it may be stored. The sender's retry finds out, by its
// client_id.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/base/counters.h"
#include "storage/message_log.h"
#include "storage/postgres/batch_look.h"
#include "storage/postgres/connection.h"
#include "storage/postgres/health.h"

namespace uproar::storage::postgres {

// Written on the session's reactor, read from any thread.
struct WriteCounters {
  Counter transactions;  // batches and groups of account work, committed
  Counter rows;          // operations in them
  Counter failed;        // transactions that ended in kUnavailable
  Counter restarted;     // batches that began again: a key was taken meanwhile, a deadlock
  Counter left_out;      // operations that the schema refused: a bug of ours
  Counter refused_full;
  Counter probes;  // the session's own, while commits fail
  Counter connects;
  Gauge up;  // 1: connected, and the last transaction worked
  Histogram rows_per_commit;
  Histogram commit_us;  // from the first statement to the answer of the commit
};

class WriteSession {
 public:
  struct Options {
    std::uint32_t answer_timeout_ms = 0;
    std::uint32_t probe_interval_ms = 0;
  };
  // What one transaction's statements answered; empty when it was not committed.
  using Done = std::function<void(bool committed, std::vector<Rows> rows)>;

  // All but the last outlive it.
  WriteSession(Connector& connector, Reactor& reactor, Health& health, Options options,
               std::shared_ptr<WriteCounters> counters);
  ~WriteSession();
  WriteSession(const WriteSession&) = delete;
  WriteSession& operator=(const WriteSession&) = delete;

  void commit(std::vector<Operation> operations, BatchStore::CommitDone done);
  void when_recovered(std::function<void()> recovered) { recovered_ = std::move(recovered); }
  // Account work: its statements run in one transaction, shared with what waits beside it. False: the queue is full.
  bool run(std::vector<Call> calls, Done done);
  void set_last_online(UserId user, std::int64_t at_us);
  // A row that nobody reads, on its way to the disk, and room for more than a message.
  void probe(std::function<void(bool committed)> done);

 private:
  struct Batch {
    std::vector<Operation> operations{};
    BatchStore::CommitDone done{};
    std::vector<Outcome> outcomes{};
    // Operations [begin, end) are in the transaction under way: all of them, until one turns out to break the schema;
    // then each alone, so that it cannot fail its neighbours.
    std::size_t begin = 0;
    std::size_t end = 0;
    int attempts = 0;
    bool careful = false;
    std::unique_ptr<BatchLook> look{};
    BatchState state{};
    bool has_written = false;
  };
  struct Job {
    std::vector<Call> calls;
    Done done;
    bool alone = false;  // failed in company
  };

  void connection_changed(bool is_up, const std::string& why);
  void next();
  void look();
  void looked(Answer answer);
  void written(Answer answer);
  void batch_failed(const Answer& answer);
  void rolled_back(const Failure& failure);
  void slice_done();
  void batch_done();
  void send_jobs();
  void jobs_done(std::vector<Job> jobs, std::vector<std::size_t> sizes, Answer answer);
  void add_last_online(std::vector<Job>& jobs);
  void committed(bool has_written);
  void commit_failed(const Failure& failure);
  void update_health();
  void probe_later();

  Connector& connector_;
  Reactor& reactor_;
  HealthOfOne health_;
  const Options options_;
  const std::shared_ptr<WriteCounters> counters_;

  std::deque<Batch> batches_;  // the first is under way while batch_open_
  bool batch_open_ = false;
  int careful_batches_ = 0;  // so many more look client ids up before they write
  std::int64_t batch_since_us_ = 0;
  std::deque<Job> jobs_;
  bool jobs_sent_ = false;  // one group is under way
  std::unordered_map<UserId, std::int64_t> last_online_;
  Reactor::TimerId last_online_timer_ = 0;
  bool last_online_armed_ = false;

  bool is_up_ = false;
  bool commits_fail_ = false;
  std::function<void()> recovered_;
  Reactor::TimerId probe_ = 0;
  bool probe_armed_ = false;

  std::shared_ptr<WriteSession*>
      self_;               // dies with the session, which any callback may bring about
  Connection connection_;  // last: it calls back
};

}  // namespace uproar::storage::postgres
