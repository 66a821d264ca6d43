#pragma once

// A file system for SQLite that does as the system's, until a test tells it to fail: a full disk, a failed write, a
// failed sync, a sync that does not end yet. Registered once per process; the switches are atomic because the writer's thread reads them.

#include <atomic>

namespace uproar::storage {

struct FailingVfs {
  enum class Fault { kNone, kFull, kWrite, kSync, kSyncHangs, kReadOnlyOpen };

  // Its name for SqliteStore::Options::vfs.
  static const char* install();
  static std::atomic<Fault> fault;
  static std::atomic<int> syncs;  // of the log, that worked
};

}  // namespace uproar::storage
