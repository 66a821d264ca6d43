#pragma once

// A few threads that read, each with a connection of its own: in WAL mode a reader sees the last commit and never waits
// for the writer.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proto/base/counters.h"
#include "storage/sqlite/reads.h"

namespace uproar::storage::sqlite {

struct ReaderCounters {  // written under the pool's lock, read from any thread
  Counter reads;
  Counter refused_full;
  Counter reopened;
  Gauge waiting;      // in the queue
  Histogram read_us;  // one read, waiting excluded
};

class ReaderPool {
 public:
  struct Options {
    std::string path;
    Database::Options database;
    std::uint32_t threads = 0;
  };
  // Null when the database could not be opened: the job answers kUnavailable.
  using Job = std::function<void(Reads*)>;

  static Result<std::unique_ptr<ReaderPool>, SystemError> start(Options options);
  // Ends after the reads under way; those that wait are run with null.
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // From any thread. False: the queue is full, the job is dropped.
  bool submit(Job job);
  [[nodiscard]] const ReaderCounters& counters() const { return counters_; }

 private:
  struct Connection {
    explicit Connection(Database opened) : database(std::move(opened)), reads(database) {}
    Database database;
    Reads reads;
  };

  explicit ReaderPool(Options options) : options_(std::move(options)) {}
  static Result<std::unique_ptr<Connection>, SystemError> connect(const Options& options);
  void run(std::unique_ptr<Connection> connection);

  const Options options_;
  std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<Job> queue_;
  bool is_stopping_ = false;
  ReaderCounters counters_;
  std::vector<std::thread> threads_;
};

}  // namespace uproar::storage::sqlite
