#pragma once

// Store in one SQLite file: what runs when no database is configured. Any number of shards share one writer thread
// (one transaction for all that is queued, see writer_thread.h) and a few reader threads; nobody's read waits for a
// commit. What was reported committed is on disk and survives kill -9 and power cuts.

#include <cstdint>
#include <memory>
#include <string>

#include "proto/base/result.h"
#include "storage/sqlite/folder.h"
#include "storage/sqlite/reader_pool.h"
#include "storage/sqlite/writer_thread.h"
#include "storage/store.h"

namespace uproar::storage {

class SqliteStore final : public Store {
 public:
  struct Options {
    std::string folder;  // made when missing, mode 0700
    std::uint32_t reader_threads = 2;
    std::uint32_t pages_max = 0;  // largest database in pages of 4 KiB; 0: what the disk holds
    std::uint32_t probe_interval_ms = 0;  // 0: limits.h
    const char* vfs = nullptr;            // tests put a failing file system here
  };

  // Takes the folder's lock, opens or makes `<folder>/uproar.db`, brings its schema up to date, starts the threads.
  // The error names the path and what mends it.
  static Result<std::unique_ptr<SqliteStore>, SystemError> open(Options options);
  // Commits what is queued. Clients die before it.
  ~SqliteStore() override = default;

  std::unique_ptr<StoreClient> open_client(Reactor& reactor) override;
  [[nodiscard]] bool healthy() const override { return writer_->healthy(); }
  [[nodiscard]] std::string_view kind() const override { return "sqlite"; }

  // Why commits fail; empty while they work.
  [[nodiscard]] std::string last_error() const override { return writer_->last_error(); }
  [[nodiscard]] const sqlite::WriterCounters& writer_counters() const {
    return std::as_const(*writer_).counters();
  }
  [[nodiscard]] const sqlite::ReaderCounters& reader_counters() const {
    return readers_->counters();
  }

 private:
  SqliteStore(sqlite::FolderLock lock, std::unique_ptr<sqlite::WriterThread> writer,
              std::unique_ptr<sqlite::ReaderPool> readers)
      : lock_(std::move(lock)), writer_(std::move(writer)), readers_(std::move(readers)) {}

  // In this order: readers end first, then the writer, whose close folds the log into the file, then the lock.
  sqlite::FolderLock lock_;
  std::unique_ptr<sqlite::WriterThread> writer_;
  std::unique_ptr<sqlite::ReaderPool> readers_;
};

}  // namespace uproar::storage
