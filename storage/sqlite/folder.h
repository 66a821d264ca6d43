#pragma once

// The data folder: made when missing, and held by one process at a time.

#include <string>

#include "proto/base/result.h"

namespace uproar::storage::sqlite {

// Holds `<folder>/uproar.lock` until it dies. Two processes on one database would each think that they own its
// conversations; SQLite alone would let them.
class FolderLock {
 public:
  // Makes the folder (mode 0700, its parents must exist) and takes the lock, or says which process has it.
  static Result<FolderLock, SystemError> take(const std::string& folder);

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

// Makes an empty file with mode 0600 unless there is one: SQLite would make it readable for everybody, and its log
// and shared memory take after it.
Result<void, SystemError> make_private_file(const std::string& path);

}  // namespace uproar::storage::sqlite
